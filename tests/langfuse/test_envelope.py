"""Intake's quick look at a body says the same as decoding it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.langfuse.envelope import Envelope, _usual, envelope
from router.langfuse.samples import KINDS, sample
from router.langfuse.wire import LARGEST_VERSION, Unintelligible, decode

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)

odd: st.SearchStrategy[object] = st.sampled_from(
    [
        *(None, True, 0, 4, 4.0, -1, LARGEST_VERSION + 1, 10**30, 1e400, "", "x", "\0", "\ud800", "ü€\U0001f600"),
        *([], [1], ["a"], {}, {"name": "Ann"}, {"name": 1}, {"x": [[]]}, "created", "prompt-version", "x" * 201),
        *("2026-11-24T10:44:07.411Z", "2026-11-24T10:44:07.4119+02:00", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "2026-11-24T10:44:07", "2026-11-24", "yesterday", 1764000000),
    ]
)
BODY: dict[str, Any] = {**sample("promoted"), "prompt": {**sample("promoted")["prompt"], "createdBy": "u1"}}  # type: ignore[dict-item]
KEYS = [
    *BODY,
    *(f"prompt.{key}" for key in BODY["prompt"]),
    *(f"user.{key}" for key in BODY["user"]),
    "new",
    "prompt.new",
]


def changed(changes: dict[str, object]) -> dict[str, Any]:
    body: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in BODY.items()}
    for path, value in sorted(changes.items(), reverse=True):
        table, _, key = path.rpartition(".")
        holder = body[table] if table else body
        if value is ...:
            holder.pop(key, None)
        else:
            holder[key] = value
    return body


def bytes_of(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        import json

        return json.dumps(body).encode()


def both(raw: bytes) -> tuple[object, object]:
    """Return what the quick look says and what decoding says."""
    try:
        event = decode(raw, "prod", NOW)
        full: object = Envelope(
            id=event.id,
            type=event.type,
            timestamp=event.timestamp,
            action=event.action,
            project_id=event.project_id,
            prompt=event.prompt.name if event.prompt else None,
        )
    except Unintelligible as error:
        full = (error.why, error.event_id)
    try:
        return envelope(raw, "prod", NOW), full
    except Unintelligible as error:
        return (error.why, error.event_id), full


@given(st.dictionaries(st.sampled_from(KEYS), odd | st.just(...), max_size=4))
def test_it_says_what_decoding_says_whatever_stands_in_the_body(changes: dict[str, object]) -> None:
    quick, full = both(bytes_of(changed(changes)))
    assert quick == full


@given(st.data())
def test_it_says_what_decoding_says_of_damaged_bytes(data: st.DataObject) -> None:
    raw = bytearray(msgspec.json.encode(BODY))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    quick, full = both(bytes(raw))
    assert quick == full


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_decoding_says_of_every_sample(kind: str) -> None:
    quick, full = both(msgspec.json.encode(sample(kind)))
    assert quick == full


def test_what_langfuse_sends_today_is_not_decoded() -> None:
    assert _usual(msgspec.json.encode(BODY)) is not None
