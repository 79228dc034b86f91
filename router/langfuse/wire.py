"""Langfuse's wire format, decoded once: lenient with what machines send, exact about what it means.

Two envelopes are in the wild: Langfuse's own (worker/src/queues/webhooks.ts), and that of the "Langfuse Webhooks &
Events" guide, which is brought into the shape of the first. Unknown fields stay in the body.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NoReturn

import msgspec
from msgspec import UNSET

from router.domain.event import (
    ACTIONS,
    MONITOR_ALERT,
    PROJECT_NOTIFICATION,
    PROMPT_VERSION,
    Action,
    Content,
    Event,
    Origin,
    PromptKey,
    Snapshot,
    User,
)
from router.domain.json import Json, JsonObject

DEEPEST: Final = 200
"""Levels of nesting in a body; more is nobody's prompt, and would break whoever walks it."""

LARGEST_VERSION: Final = 2**31 - 1
"""Langfuse keeps versions in a 32-bit integer column: packages/shared/prisma/schema.prisma."""


class Unintelligible(Exception):
    """An authentic body cannot be understood. `why` is for people; `event_id` if it has one."""

    def __init__(self, why: str, event_id: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.event_id = event_id


def decode(raw: bytes, source: str, received_at: datetime, origin: Origin = "webhook") -> Event:
    """Return the event in a webhook's body. Raises Unintelligible, never anything else.

    What an event does not say is None or UNSET, not empty. Times are kept to the millisecond, as Langfuse has them.
    """
    body = _object(raw)
    if "type" not in body and "event" in body:
        body = _from_guide(body)
    reader = _Reader(body, _identity(body, raw))
    type_ = reader.text(body, "type")
    timestamp = reader.time(body, "timestamp") or _to_ms(received_at)
    common = Event(
        id=reader.id,
        source=source,
        type=type_,
        timestamp=timestamp,
        received_at=received_at,
        body=body,
        origin=origin,
        project_id=_project(body),
    )
    return _prompt_event(common, reader) if type_ == PROMPT_VERSION else common


def encode_body(event: Event) -> bytes:
    """Return the event's body as Langfuse would send it."""
    return msgspec.json.encode(event.body)


class _Reader:
    """Takes fields out of a body; what has the wrong type is unintelligible, and the field is named."""

    def __init__(self, body: JsonObject, id_: str) -> None:
        self.body = body
        self.id = id_

    def refuse(self, why: str) -> NoReturn:
        raise Unintelligible(why, self.id)

    def table(self, of: JsonObject, key: str) -> JsonObject:
        value = of.get(key)
        if not isinstance(value, dict):
            self.refuse(f"`{key}` is missing or no object")
        return value

    def text(self, of: JsonObject, key: str) -> str:
        value = of.get(key)
        if not isinstance(value, str) or not value:
            self.refuse(f"`{key}` is missing or no text")
        return value

    def optional(self, of: JsonObject, key: str) -> str | None:
        value = of.get(key)
        if value is not None and not isinstance(value, str):
            self.refuse(f"`{key}` is no text")
        return value

    def number(self, of: JsonObject, key: str) -> int:
        value = of.get(key)
        if type(value) is not int or not 0 <= value <= LARGEST_VERSION:
            self.refuse(f"`{key}` is missing or no whole number")
        return value

    def names(self, of: JsonObject, key: str) -> frozenset[str] | None:
        if key not in of or of[key] is None:
            return None
        value = of[key]
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self.refuse(f"`{key}` is no list of texts")
        return frozenset(map(str, value))

    def time(self, of: JsonObject, key: str) -> datetime | None:
        value = self.optional(of, key)
        if value is None:
            return None
        try:
            return _to_ms(msgspec.convert(value, datetime))
        except (msgspec.ValidationError, OverflowError, ValueError):
            self.refuse(f"`{key}` is no time in ISO 8601")


def _object(raw: bytes) -> dict[str, Json]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Unintelligible("the body is not UTF-8") from None
    if _depth(text) > DEEPEST:
        raise Unintelligible(f"the body is nested deeper than {DEEPEST} levels")
    try:
        body = msgspec.json.decode(raw)
        # what cannot be written again cannot be kept: lone surrogates
        msgspec.json.encode(body).decode()
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        raise Unintelligible("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Unintelligible("the body is no JSON object")
    return body


def _depth(text: str) -> int:
    """Return how deep brackets nest, outside strings."""
    depth = deepest = 0
    in_string = escaped = False
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _identity(body: Mapping[str, Json], raw: bytes) -> str:
    id_ = body.get("id")
    return id_ if isinstance(id_, str) and 0 < len(id_) <= 200 else hashlib.sha256(raw).hexdigest()


def _project(body: JsonObject) -> str | None:
    holder = {PROMPT_VERSION: "prompt", MONITOR_ALERT: "payload", PROJECT_NOTIFICATION: "event"}.get(
        str(body.get("type")), ""
    )
    table = body.get(holder)
    project = table.get("projectId") if isinstance(table, dict) else None
    return project if isinstance(project, str) else None


def _prompt_event(event: Event, reader: _Reader) -> Event:
    body = event.body
    action = _action(reader, reader.text(body, "action"))
    prompt = reader.table(body, "prompt")
    name = reader.text(prompt, "name")
    version = reader.number(prompt, "version")
    project = reader.optional(prompt, "projectId") or ""
    key = PromptKey(event.source, project, name)
    snapshot = Snapshot(
        version_id=reader.optional(prompt, "id") or f"{project}/{name}/{version}",
        version=version,
        updated_at=reader.time(prompt, "updatedAt") or event.timestamp,
        labels=reader.names(prompt, "labels"),
        tags=reader.names(prompt, "tags"),
        content=Content(
            type=reader.optional(prompt, "type"),
            prompt=prompt.get("prompt", UNSET),
            config=prompt.get("config", UNSET),
            commit_message=reader.optional(prompt, "commitMessage"),
            created_by=reader.optional(prompt, "createdBy"),
            created_at=reader.time(prompt, "createdAt"),
        ),
    )
    return msgspec.structs.replace(
        event, action=action, user=_user(reader), project_id=project, prompt=key, snapshot=snapshot
    )


def _action(reader: _Reader, word: str) -> Action:
    action = next((action for action in ACTIONS if action == word), None)
    if action is None:
        reader.refuse(f"`action` is none of {', '.join(ACTIONS)}")
    return action


def _user(reader: _Reader) -> User | None:
    """`user` is absent on older servers, and may be there with nothing in it."""
    if reader.body.get("user") is None:
        return None
    user = reader.table(reader.body, "user")
    return User(reader.optional(user, "name"), reader.optional(user, "email"))


def _from_guide(body: Mapping[str, Json]) -> dict[str, Json]:
    """Bring the guide's `{event, timestamp, data}` into the shape of today; only what it says is there.

    It has no id: the guide de-duplicates by event, timestamp and prompt name; we add the version.
    """
    kind = body.get("event")
    data = body.get("data")
    if not isinstance(kind, str) or not kind.startswith("prompt.") or not isinstance(data, dict):
        raise Unintelligible("neither Langfuse's envelope (`type`) nor the guide's (`event`, `data`)")
    facts = [kind, body.get("timestamp"), data.get("promptName"), data.get("promptVersion")]
    renamed = {"promptName": "name", "promptVersion": "version"}
    prompt: dict[str, Json] = {renamed.get(str(key), str(key)): value for key, value in data.items()}
    result: dict[str, Json] = {
        "id": hashlib.sha256(msgspec.json.encode(facts)).hexdigest(),
        "type": PROMPT_VERSION,
        "apiVersion": "v1",
        "action": kind.removeprefix("prompt."),
        "prompt": prompt,
    }
    if "timestamp" in body:
        result["timestamp"] = body["timestamp"]
    return result


def _to_ms(time: datetime) -> datetime:
    """Return the time in UTC, cut to milliseconds: Langfuse's own precision, and the store's."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    time = time.astimezone(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
