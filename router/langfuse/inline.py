"""Webhook bodies from a few words: what a test does not say is filled in, or left out where absent means unknown."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from router.domain.event import ACTIONS, PROMPT_VERSION, Action
from router.domain.json import Json
from router.engine.suggest import suggestion
from router.langfuse.bodies import Body, iso

PROJECT: Final = "project"
_NAMESPACE: Final = uuid.UUID("6f1c2b9e-8a8e-4f0c-9a7e-5a1f6f6f8b11")
_STEP: Final = timedelta(milliseconds=1)


class InlineError(Exception):
    """An inline event cannot be made into a body. The text says why."""


class InlineEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event in a few words. `version_id` is needed only where a number is used again after a deletion.

    `body` is laid over the whole body, at its top level; events of other types than prompts are made of it alone.
    """

    type: str = PROMPT_VERSION
    action: Action = "updated"
    prompt: str | None = None
    version: int = 1
    version_id: str | None = None
    labels: list[str] | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    text: Json = ""
    prompt_type: str | None = None
    config: Json = {}
    commit_message: str | None = None
    author: str | None = "Ann"
    project: str = PROJECT
    body: dict[str, Json] = {}


def inline_body(table: Mapping[str, Json], at: datetime) -> Body:
    """Return the body of an event that happened at `at`. Raises InlineError."""
    known = [field.encode_name for field in msgspec.structs.fields(InlineEvent)]
    for name in table:
        if name not in known:
            raise InlineError(f"`{name}`: unknown key{suggestion(name, known)}")
    try:
        event = msgspec.convert(table, InlineEvent)
    except msgspec.ValidationError as error:
        raise InlineError(str(error)) from error
    common: Body = {
        "id": str(uuid.uuid5(_NAMESPACE, f"{iso(at)} {msgspec.json.encode(table, order='deterministic').decode()}")),
        "timestamp": iso(at),
        "type": event.type,
        "apiVersion": "v1",
    }
    if event.type != PROMPT_VERSION:
        return {**common, **event.body}
    if not event.prompt:
        raise InlineError(f"`prompt` is missing: the prompt's name ({', '.join(ACTIONS)} events are about one)")
    return {**common, "action": event.action, "user": _user(event.author), "prompt": _prompt(event, at), **event.body}


def times(known: Iterable[datetime | None], last: datetime) -> list[datetime]:
    """Return a time for each event of a story that ends at `last`: those that have one keep it, the others follow."""
    found = list(known)
    first = next((at for at in found if at is not None), last)
    at = first - _STEP * (len(found) + 1)
    result = []
    for one in found:
        at = one if one is not None else at + _STEP
        result.append(at)
    return result


def _user(author: str | None) -> Body:
    if author is None or "@" in author:
        return {"name": None, "email": author}
    return {"name": author, "email": None}


def _prompt(event: InlineEvent, at: datetime) -> Body:
    kind = event.prompt_type or ("chat" if isinstance(event.text, list) else "text")
    prompt: Body = {
        "id": event.version_id or str(uuid.uuid5(_NAMESPACE, f"{event.project}/{event.prompt}/{event.version}")),
        "name": event.prompt,
        "version": event.version,
        "projectId": event.project,
        "createdBy": event.author,
        "prompt": event.text,
        "type": kind,
        "config": event.config,
        "commitMessage": event.commit_message,
        "createdAt": iso(at),
        "updatedAt": iso(at),
    }
    if not isinstance(event.labels, msgspec.UnsetType):
        prompt["labels"] = list(event.labels)
    elif event.action == "created":
        prompt["labels"] = []
    if not isinstance(event.tags, msgspec.UnsetType):
        prompt["tags"] = list(event.tags)
    return prompt
