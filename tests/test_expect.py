"""`expect.where`: what the JSON of an answer must say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.delivery.outcome import outcome_of
from router.domain.delivery import Accepted, Rejected
from router.domain.json import Json
from router.domain.problem import RulesError
from router.engine.expect import unmet
from tests.build import ruleset_of

OK: list[dict[str, Json]] = [{"path": "$.ok", "equals": True}]


def expecting(expect: str) -> str:
    return f"""[sources.prod]
secret = "whsec"
[destinations.api]
type = "http"
url = "https://api.example.com"
[[rules]]
name = "a"
actions = [{{ to = "api", expect = {expect} }}]
"""


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b'{"ok": true}', None),
        (b'{"ok": false}', '`expect.where[0]` wanted {"path":"$.ok","equals":true}, got [false]'),
        (b"{}", '`expect.where[0]` wanted {"path":"$.ok","equals":true}, got []'),
        (b"[]", '`expect.where[0]` wanted {"path":"$.ok","equals":true}, got []'),
        (b"ok", "it is no JSON, so that `expect.where` cannot be asked of it"),
        (b"", "it is no JSON, so that `expect.where` cannot be asked of it"),
    ],
)
def test_what_an_answer_must_say(answer: bytes, fault: str | None) -> None:
    assert unmet(OK, answer) == fault


def test_all_items_must_hold_and_the_first_that_does_not_is_named() -> None:
    where: list[dict[str, Json]] = [*OK, {"path": "$.errors", "exists": False}, {"path": "$.id", "regex": "[a-z]+"}]
    assert unmet(where, b'{"ok": true, "id": "abc"}') is None
    assert "where[1]" in (unmet(where, b'{"ok": true, "errors": ["x"], "id": "1"}') or "")
    assert "where[2]" in (unmet(where, b'{"ok": true, "id": "1"}') or "")


@given(st.binary())
def test_no_answer_breaks_it(answer: bytes) -> None:
    assert unmet(OK, answer) is not None


def test_an_answer_without_an_order_is_not_as_expected() -> None:
    assert "have no order" in (unmet([{"path": "$.n", "gt": 1}], b'{"n": "x"}') or "")


@pytest.mark.parametrize(
    ("expect", "what"),
    [
        ('{ where = [{ path = "$.ok" }] }', "where[0]: an operator is missing"),
        ('{ where = [{ path = "$.a", changed = true }] }', "an answer has no version before it"),
        ("{ where = [] }", "where: expected a list of tables"),
        ("{ status = 99 }", "expected a list of HTTP status codes"),
        ("{ body = 1 }", "expected { status = [200, …], where = […] }, or one of the two"),
        ("{}", "expected { status = [200, …], where = […] }, or one of the two"),
    ],
)
def test_what_cannot_be_expected_is_said_when_the_file_is_loaded(expect: str, what: str) -> None:
    with pytest.raises(RulesError, match="expect") as error:
        ruleset_of(expecting(expect))
    assert what in str(error.value)


def test_both_may_be_expected() -> None:
    assert ruleset_of(expecting('{ status = [200, 409], where = [{ path = "$.ok", equals = true }] }'))


def test_a_status_that_is_not_expected_says_which_was() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert outcome_of(200, {}, now, accepted=(201, 409)) == Rejected(
        "HTTP 200 OK, but `expect.status` wanted 201 or 409"
    )
    assert outcome_of(409, {}, now, accepted=(201, 409)) == Accepted("HTTP 409 Conflict")
