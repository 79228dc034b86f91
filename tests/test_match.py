"""What each clause answers, and why."""

from typing import Any

import msgspec
import pytest

from router.domain.change import Change
from router.domain.ledger import Ledger
from router.engine.ledger import change_of, derive
from router.engine.match import CLAUSES, combined, compile_match
from router.engine.pair import is_rollback, previous
from router.engine.pattern import compile_pattern
from tests.build import KEY, prompt_event


def changes(*batches: list[Any]) -> tuple[Change, ...]:
    """Return the changes of the last batch."""
    ledger = Ledger(prompt=KEY)
    for batch in batches[:-1]:
        ledger = derive(ledger, batch).ledger
    return derive(ledger, batches[-1]).changes


HISTORY = [
    prompt_event("created", 3, ["production", "latest"], updated=0, tags=["shop"]),
    prompt_event("created", 4, ["latest"], updated=10, tags=["shop"]),
    prompt_event("updated", 3, ["production"], updated=10, tags=["shop"]),
]
MOVE = [
    prompt_event("updated", 4, ["production", "latest"], updated=20, tags=["shop"], message="shorter"),
    prompt_event("updated", 3, [], updated=20, tags=["shop"]),
]
(MOVED, HALF) = changes(HISTORY, MOVE)
(_, ROLLED_BACK) = changes(
    HISTORY,
    MOVE,
    [
        prompt_event("updated", 3, ["production"], updated=30, tags=["shop"]),
        prompt_event("updated", 4, ["latest"], updated=30, tags=["shop"]),
    ],
)
(QUIET,) = changes([prompt_event("created", 1, ["latest"], updated=0)], [prompt_event("updated", 1, [], updated=9)])


def answer(change: Change, **match: Any) -> str:
    compiled, faults = compile_match(match)
    assert not faults
    return combined(verdict.verdict for verdict in compiled.verdicts(change))


@pytest.mark.parametrize(
    ("clause", "yes", "no"),
    [
        ("type", "prompt-*", "monitor-alert"),
        ("source", "prod", "staging"),
        ("action", ["created", "updated"], "deleted"),
        ("project", "project", "other"),
        ("origin", "webhook", "reconcile"),
        ("prompt_type", "text", "chat"),
        ("prompt", "checkout/**", "search/**"),
        ("prompt", ["**", "!search/**"], ["**", "!checkout/*"]),
        ("prompt", {"regex": "checkout/[a-z]+"}, {"regex": "checkout"}),
        ("prompt", {"prefix": "CHECKOUT", "ignore_case": True}, {"prefix": "CHECKOUT"}),
        ("author", "ANN@example.com", "bob"),
        ("author", "ann", "!ann"),
        ("commit_message", {"contains": "short"}, ""),
        ("labels", "production", "staging"),
        ("labels", {"all": ["production", "latest"]}, {"none": ["production"]}),
        ("labels_gained", "production", "latest"),
        ("labels_gained", "prod*", "staging"),
        ("tags", "shop", "billing"),
        ("version", 4, 3),
        ("version", {"gte": 4, "lt": 5}, {"gt": 4}),
        ("moved_from", 3, 4),
        ("rollback", False, True),
        ("assumed", False, True),
        ("quiet", False, True),
    ],
)
def test_a_clause_says_yes_and_no(clause: str, yes: Any, no: Any) -> None:
    assert answer(MOVED, **{clause: yes}) == "match"
    assert answer(MOVED, **{clause: no}) == "no"


def test_every_clause_is_known_by_name() -> None:
    assert set(CLAUSES) >= {
        *"type source action prompt project origin prompt_type author commit_message version".split(),
        *"labels labels_gained labels_lost labels_removed tags tags_gained tags_lost".split(),
        *"moved_from rollback assumed quiet".split(),
    }


def test_the_losing_half_is_told_only_to_rules_that_name_lost_labels() -> None:
    assert answer(HALF) == "no"
    assert answer(HALF, labels_lost="production") == "match"
    assert answer(HALF, labels_removed="production") == "no"
    assert answer(MOVED, labels_lost="production") == "no"


def test_a_quiet_change_is_told_only_on_request() -> None:
    assert answer(QUIET) == "no"
    assert answer(QUIET, quiet=True) == "match"
    assert answer(QUIET, labels_lost="latest") == "match"
    assert answer(QUIET, labels_lost="*") == "no", "a glob never means latest"


def test_a_rollback_is_a_gain_from_a_higher_version() -> None:
    assert answer(ROLLED_BACK, labels_gained="production", rollback=True) == "match"
    assert answer(ROLLED_BACK, moved_from=4) == "match"
    assert is_rollback(ROLLED_BACK, "production")
    assert not is_rollback(MOVED, "production")


def test_what_an_event_does_not_say_answers_no() -> None:
    (silent,) = changes([prompt_event("created", 1, None, updated=0, tags=None)])
    compiled, _ = compile_match({"labels": "x", "tags": {"none": ["x"]}})
    assert [(v.verdict, v.got) for v in compiled.verdicts(silent)] == [("no", "not in the event")] * 2


def test_other_types_match_only_rules_that_name_a_type() -> None:
    event = msgspec.structs.replace(
        prompt_event("created", 1, updated=0), type="monitor-alert", action=None, prompt=None, snapshot=None
    )
    alert = change_of(event)
    assert answer(alert) == "no"
    assert answer(alert, type="*") == "match"
    assert answer(alert, type="monitor-alert", labels={"none": ["x"]}) == "no"


def test_the_label_meant_is_the_first_that_the_match_names() -> None:
    (change,) = changes([prompt_event("created", 1, ["a", "b", "production", "latest"], updated=0)])
    assert compile_match({"labels_gained": ["b", "a"]})[0].label(change) == "b"
    assert compile_match({"labels_gained": "*"})[0].label(change) == "production"
    assert compile_match({})[0].label(change) == "production"


def test_a_plain_creation_replaces_the_highest_lower_version() -> None:
    (change,) = (
        c for c in changes(HISTORY, [prompt_event("created", 5, ["latest"], updated=30)]) if c.action == "created"
    )
    before = previous(change, None)
    assert before is not None
    assert before.number == 4
    assert answer(change, moved_from={"gte": 0}) == "no"


@pytest.mark.parametrize(
    ("match", "fault"),
    [
        ({"action": "createdd"}, "none of created, updated, deleted"),
        ({"labels": "!x"}, "none = "),
        ({"labels": {"some": ["x"]}}, "unknown key `some`"),
        ({"labels": []}, "empty list"),
        ({"prompt": {"regex": "("}}, "not a regular expression"),
        ({"prompt": 4}, "expected a string or a list of strings, got the number 4"),
        ({"version": "4"}, "expected a number"),
        ({"version": {"over": 4}}, "unknown key `over`"),
        ({"rollback": "yes"}, "expected true or false"),
    ],
)
def test_a_wrong_clause_is_a_fault_with_its_reason(match: Any, fault: str) -> None:
    (found,) = compile_match(match)[1]
    assert found[0] == tuple(match)
    assert fault in found[1]


def test_an_exploding_regex_is_an_error_in_time_and_never_a_silent_no() -> None:
    compiled, _ = compile_match({"commit_message": {"regex": "(a|aa)+[^a]"}})
    (change,) = changes([prompt_event("created", 1, updated=0, message="a" * 60)])
    verdict = compiled.verdicts(change)[-1]
    assert verdict.verdict == "error"
    assert "took longer" in str(verdict.got)
    assert answer(change, commit_message={"regex": "(a|aa)+[^a]"}, version=2) == "no"


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a/**", ["a/b", "a/b/c", "a/b c"], ["a", "ab", "b/a/c"]),
        ("**/x", ["x", "a/x", "a/b/x"], ["ax", "x/a"]),
        ("*", ["a", ".a"], ["a/b", ""]),
        ("**", ["a", "a/b", "a/.b"], []),
        ("a?", ["ab"], ["a", "a/"]),
        ("[ab]c", ["ac", "bc"], ["cc"]),
        ("a{b}", ["a{b}"], ["ab"]),
    ],
)
def test_globs_know_folders(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [text for text in yes if not compiled.matches(text)] == []
    assert [text for text in no if compiled.matches(text)] == []
