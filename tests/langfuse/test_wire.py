"""Whatever Langfuse sends is understood, or it is said why not; nothing else is ever raised."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from router.domain.event import Event, PromptKey, Snapshot, User
from router.langfuse.samples import KINDS, sample
from router.langfuse.wire import DEEPEST, LARGEST_VERSION, Unintelligible, decode, encode_body

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


def read(body: object) -> Event:
    return decode(body if isinstance(body, bytes) else msgspec.json.encode(body), "prod", NOW)


def snapshot_of(body: object) -> Snapshot:
    snapshot = read(body).snapshot
    assert snapshot
    return snapshot


def why(body: object) -> str:
    with pytest.raises(Unintelligible) as error:
        read(body)
    return error.value.why


def promoted(**changes: object) -> dict[str, Any]:
    """Return a sample body; `changes` are laid over its prompt, None takes a key away."""
    body: dict[str, Any] = {**sample("promoted")}
    prompt = {**body["prompt"], **changes}
    body["prompt"] = {key: value for key, value in prompt.items() if key not in changes or changes[key] is not ...}
    return body


# ---- Langfuse's own envelope


def test_a_prompt_event_has_its_facts() -> None:
    event = read(promoted())
    assert event.prompt == PromptKey("prod", "clkpwwm0m000gmm094odg11gi", "checkout/cart")
    assert (event.type, event.action, event.user) == ("prompt-version", "updated", User("Ann", "ann@example.com"))
    assert event.timestamp == datetime(2026, 11, 24, 10, 44, 7, 641000, tzinfo=UTC)
    snapshot = event.snapshot
    assert snapshot
    assert (snapshot.version, snapshot.labels) == (4, frozenset({"production", "latest"}))
    assert snapshot.tags == frozenset()
    assert snapshot.updated_at == datetime(2026, 11, 24, 10, 44, 7, 411000, tzinfo=UTC)
    assert snapshot.content.commit_message == "ask for the tier"
    assert snapshot.content.config == {"model": "gpt-5-mini", "temperature": 0.2, "max_tokens": 400}


@pytest.mark.parametrize("key", ["name", "version"])
def test_a_prompt_without_name_or_number_cannot_be_understood_and_the_field_is_named(key: str) -> None:
    assert f"`{key}`" in why(promoted(**{key: ...}))


@pytest.mark.parametrize("key", ["type", "action", "prompt"])
def test_a_body_without_what_it_needs_names_it(key: str) -> None:
    body = promoted()
    del body[key]
    assert f"`{key}`" in why(body)


def test_what_is_absent_is_unknown_and_not_empty() -> None:
    optional = ["id", "projectId", "createdBy", "labels", "prompt", "type", "config", "commitMessage", "tags"]
    body = promoted(**dict.fromkeys([*optional, "createdAt", "updatedAt"], ...))
    del body["user"], body["timestamp"]
    event = read(body)
    assert event.snapshot
    assert (event.user, event.snapshot.labels, event.snapshot.tags) == (None, None, None)
    assert event.snapshot.content.prompt is UNSET
    assert event.snapshot.content.config is UNSET
    assert event.snapshot.version_id == "/checkout/cart/4"
    assert event.timestamp == event.snapshot.updated_at == NOW.replace(microsecond=123000)


def test_what_is_null_is_unknown_too_except_text_and_config() -> None:
    event = read(promoted(labels=None, tags=None, commitMessage=None, prompt=None, config=None))
    assert event.snapshot
    assert (event.snapshot.labels, event.snapshot.tags) == (None, None)
    assert (event.snapshot.content.prompt, event.snapshot.content.config) == (None, None)
    assert read({**promoted(), "user": {"name": None, "email": None}}).user == User(None, None)


def test_unknown_fields_are_kept() -> None:
    body = {**promoted(flavour="sour"), "shard": 7}
    assert msgspec.json.decode(encode_body(read(body))) == body


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": 5}, "`name`"),
        ({"name": ""}, "`name`"),
        ({"version": "4"}, "`version`"),
        ({"version": True}, "`version`"),
        ({"version": 4.0}, "`version`"),
        ({"version": -1}, "`version`"),
        ({"version": LARGEST_VERSION + 1}, "`version`"),
        ({"version": 10**30}, "`version`"),
        ({"labels": "production"}, "`labels`"),
        ({"labels": [1]}, "`labels`"),
        ({"tags": {}}, "`tags`"),
        ({"updatedAt": "yesterday"}, "`updatedAt`"),
        ({"updatedAt": 1764000000}, "`updatedAt`"),
        ({"updatedAt": "0001-01-01T00:00:00+14:00"}, "`updatedAt`"),
        ({"commitMessage": []}, "`commitMessage`"),
        ({"projectId": 7}, "`projectId`"),
    ],
)
def test_what_has_the_wrong_type_is_named(changes: dict[str, object], field: str) -> None:
    assert field in why(promoted(**changes))


def test_an_unknown_action_is_named() -> None:
    assert "created, updated, deleted" in why({**promoted(), "action": "archived"})


def test_times_are_kept_in_utc_to_the_millisecond() -> None:
    event = read(promoted(updatedAt="2026-11-24T12:44:07.4119+02:00"))
    assert event.snapshot
    assert event.snapshot.updated_at == datetime(2026, 11, 24, 10, 44, 7, 411000, tzinfo=UTC)


@given(st.one_of(st.none(), st.integers(), st.just(""), st.text(min_size=201, max_size=300)))
def test_a_body_without_a_usable_id_is_known_by_its_bytes(id: object) -> None:
    body = {**promoted(), "id": id}
    assert len(read(body).id) == 64
    assert read(body).id == read(body).id != read({**body, "action": "created"}).id


# ---- other types


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith(("alert", "notification"))])
def test_events_of_other_types_have_no_prompt(kind: str) -> None:
    event = read(sample(kind))
    assert event.type == kind
    assert event.project_id == "clkpwwm0m000gmm094odg11gi"
    assert (event.action, event.prompt, event.snapshot) == (None, None, None)


@given(st.text(min_size=1), st.dictionaries(st.text(), json, max_size=5))
def test_a_type_that_nobody_knows_yet_is_an_event_all_the_same(type: str, fields: dict[str, Any]) -> None:
    if type == "prompt-version":
        return
    event = read({**fields, "timestamp": "2026-11-24T10:00:00Z", "type": type})
    assert event.type == type


# ---- the guide's envelope

GUIDE: dict[str, Any] = {
    "event": "prompt.updated",
    "timestamp": "2026-11-24T10:00:00.000Z",
    "data": {"promptName": "checkout/cart", "promptVersion": 4, "labels": ["production"], "projectId": "p1"},
}


def test_the_guides_envelope_becomes_the_same_event() -> None:
    event = read(GUIDE)
    assert (event.type, event.action, event.prompt) == (
        "prompt-version",
        "updated",
        PromptKey("prod", "p1", "checkout/cart"),
    )
    assert event.snapshot
    assert (event.snapshot.version, event.snapshot.labels) == (4, frozenset({"production"}))
    assert event.snapshot.tags is None
    assert event.snapshot.updated_at == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert event.body["prompt"] == {
        "name": "checkout/cart",
        "version": 4,
        "labels": ["production"],
        "projectId": "p1",
    }
    assert read(encode_body(event)).snapshot == event.snapshot


def test_the_guides_events_are_the_same_by_event_time_name_and_version() -> None:
    def with_data(**data: object) -> dict[str, Any]:
        return {**GUIDE, "data": {**GUIDE["data"], **data}}

    assert read(with_data(labels=[])).id == read(GUIDE).id
    others = [with_data(promptName="x"), with_data(promptVersion=5), {**GUIDE, "event": "prompt.created"}]
    others.append({**GUIDE, "timestamp": "2026-11-24T10:00:00.001Z"})
    assert len({read(body).id for body in (GUIDE, *others)}) == 5


@pytest.mark.parametrize("body", [{"event": "trace.created", "data": {}}, {"event": "prompt.created"}, {"event": 5}])
def test_what_is_neither_envelope_says_so(body: object) -> None:
    assert "envelope" in why(body)


# ---- what is no body at all


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"null", "no JSON object"),
        (b"[{}]", "no JSON object"),
        (b"{}", "`type`"),
        (b'{"type": 5}', "`type`"),
        (b'{"type": "x", "a": NaN}', "not JSON"),
        (b'{"type": "x", "a": 1e999}', "not JSON"),
        (b'{"type": "x", "a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"type": "x", "a": "\\ud800"}', "not JSON"),
        (b'{"type": "x", "\\udfff": 1}', "not JSON"),
        (b'{"type": "x", "a": "\xff"}', "not UTF-8"),
        ('{"type": "x"}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_wrong_with_the_bytes_is_said(raw: bytes, word: str) -> None:
    assert word in why(raw)


def nested(levels: int) -> bytes:
    return b'{"type":"x","a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_a_body_may_be_deep_but_not_bottomless() -> None:
    assert read(nested(DEEPEST)).type == "x"
    assert "nested deeper" in why(nested(DEEPEST + 1))
    began = time.perf_counter()
    assert "nested deeper" in why(b"[" * 1_000_000)
    assert time.perf_counter() - began < 10


def test_brackets_in_texts_are_no_nesting() -> None:
    assert read({"type": "x", "a": '[{"\\' * 5000}).body["a"] == '[{"\\' * 5000


def test_numbers_that_a_computer_can_hold_are_kept_as_they_are() -> None:
    raw = b'{"type":"x","a":123456789012345678901234567890,"b":1e308,"c":-0.1}'
    assert read(raw).body["a"] == 123456789012345678901234567890
    assert encode_body(read(raw)) == raw


def test_any_text_there_is_comes_through() -> None:
    text = "naïve 日本語 \u202e \x00 \u2028 😀 <b>&amp;"
    assert snapshot_of(promoted(prompt=text)).content.prompt == text


@given(st.binary())
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    with suppress(Unintelligible):
        read(raw)


@given(json)
def test_any_json_is_understood_or_refused(value: object) -> None:
    with suppress(Unintelligible):
        read(value)


@given(st.sampled_from(KINDS), st.data())
def test_any_leaf_may_be_anything(kind: str, data: st.DataObject) -> None:
    """A real body with one value replaced is understood, or refused; what is understood can be written again."""
    body: Any = msgspec.json.decode(msgspec.json.encode(sample(kind)))
    table = body
    while True:
        key = data.draw(st.sampled_from(sorted(table)))
        if isinstance(table[key], dict) and table[key] and data.draw(st.booleans()):
            table = table[key]
            continue
        table[key] = data.draw(json)
        break
    with suppress(Unintelligible):
        assert msgspec.json.decode(encode_body(read(body))) == body
