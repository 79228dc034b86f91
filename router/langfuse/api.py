"""Langfuse's public API: what to ask and what the answers mean. The asking is done elsewhere.

Source: langfuse/langfuse web/src/features/prompts/server (handlers/promptsHandler.ts, handlers/promptNameHandler.ts,
actions/getPromptsMeta.ts, actions/getPromptByName.ts).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from router.domain.event import PROMPT_VERSION, Action, Content, Event
from router.domain.json import Json, JsonObject
from router.domain.ledger import Ledger
from router.domain.listing import Ask, Listed
from router.engine.ledger import labels_held, tags_now
from router.engine.reconcile import Difference
from router.langfuse.bodies import iso
from router.langfuse.wire import Unintelligible, decode

T = TypeVar("T")

LIST_PATH: Final = "/api/public/v2/prompts"
PAGE: Final = 100
"""The most that the list gives at once: utils/validation.ts (GetPromptsMetaSchema)."""

_REFERENCE: Final = re.compile(rb"@@@langfusePrompt:.*?@@@")


def list_query(page: int, *, name: str | None = None, since: datetime | None = None) -> dict[str, str]:
    """Return the query of a page of the list, from 1; `since`: only versions that were updated since then."""
    query = {"page": str(page), "limit": str(PAGE)}
    if name is not None:
        query["name"] = name
    if since is not None:
        query["fromUpdatedAt"] = iso(since)
    return query


def version_path(name: str) -> str:
    return f"{LIST_PATH}/{quote(name, safe='')}"


def version_query(ask: Ask, *, resolved: bool = False) -> dict[str, str]:
    """Return the query of one version. Resolved ones may be out of date: Langfuse takes them from its cache."""
    which = {"label": ask.label} if ask.label is not None else {"version": str(ask.version)}
    return which | {"resolve": "true" if resolved else "false"}


class _Listed(Struct, rename="camel"):
    name: str
    versions: list[int]
    labels: list[str] = []
    tags: list[str] = []
    last_updated_at: datetime | None = None


class _Meta(Struct, rename="camel"):
    total_pages: int
    total_items: int = 0


class _List(Struct):
    data: list[_Listed]
    meta: _Meta


class Page(Struct, frozen=True):
    """A page of the list; `pages`: how many there are, `total`: how many prompts are on all of them."""

    prompts: tuple[Listed, ...]
    pages: int
    total: int


def read_list(raw: bytes) -> Page:
    """Return what a page of the list says. Raises Unintelligible."""
    found = _decoded(raw, _List)
    prompts = tuple(
        Listed(
            name=one.name,
            versions=frozenset(one.versions),
            labels=frozenset(one.labels),
            tags=frozenset(one.tags),
            updated_at=_in_utc(one.last_updated_at),
        )
        for one in found.data
    )
    return Page(prompts, found.meta.total_pages, found.meta.total_items)


def merged(found: Iterable[Listed]) -> dict[str, Listed]:
    """Return by name what the list shows; several entries of a name are one: the list groups by name and tags."""
    result: dict[str, Listed] = {}
    for one in found:
        other = result.get(one.name, one)
        times = [time for time in (one.updated_at, other.updated_at) if time is not None]
        result[one.name] = Listed(
            name=one.name,
            versions=one.versions | other.versions,
            labels=one.labels | other.labels,
            tags=one.tags | other.tags,
            updated_at=max(times, default=None),
        )
    return result


def read_version(raw: bytes, source: str, received_at: datetime, *, resolved: bytes | None = None) -> Event:
    """Return a version as an event of our own making: `updated`, as if it was sent when its row was written.

    `resolved`: the same version with its references replaced, from which the text is taken: webhooks show it so.
    Raises Unintelligible.
    """
    row = _decoded(raw, dict[str, Any])
    row.pop("resolutionGraph", None)
    if resolved is not None and (other := _decoded(resolved, dict[str, Any])).get("id") == row.get("id"):
        row["prompt"] = other.get("prompt")
    written = row.get("updatedAt")
    if not isinstance(row.get("id"), str) or not isinstance(written, str):
        raise Unintelligible("a version without `id` or `updatedAt`")
    return _event("updated", row, written, source, received_at)


def has_references(raw: bytes) -> bool:
    """Tell whether a version's text refers to other prompts: then webhooks show another text than this one."""
    return _REFERENCE.search(raw) is not None


def as_created(event: Event) -> Event:
    """Return the event of a version whose creation was never told."""
    return _event("created", _prompt(event), iso(event.timestamp), event.source, event.received_at)


def as_known(event: Event, id: str) -> Event:
    """Return the event about the version under the id that it is known by: the guide's webhooks say no prompt id."""
    row = {**_prompt(event), "id": id}
    return _event("updated", row, iso(event.timestamp), event.source, event.received_at)


def event_for(difference: Difference, known: Ledger, at: datetime) -> Event:
    """Return the event that tells a difference, found first `at` then. A deleted row is shown as it was known last."""
    if difference.event is not None:
        return as_created(difference.event) if difference.action == "created" else difference.event
    version = known.versions[difference.version_id]
    content = known.contents.get(version.id, Content())
    row: dict[str, Json] = {
        "id": version.id,
        "name": known.prompt.name,
        "version": version.number,
        "projectId": known.prompt.project_id,
        "createdBy": content.created_by,
        "labels": sorted(
            label
            for label, holder in labels_held(known).items()
            if holder.id == version.id and label in (version.labels or ())  # not what is only inferred
        ),
        "type": content.type,
        "commitMessage": content.commit_message,
        "tags": sorted(tags_now(known) or ()),
        "createdAt": None if content.created_at is None else iso(content.created_at),
        "updatedAt": iso(version.as_of.updated_at),
    }
    said = {"prompt": content.prompt, "config": content.config}
    row |= {name: value for name, value in said.items() if value is not msgspec.UNSET}
    return _event("deleted", row, iso(at), known.prompt.source, at)


def _event(action: Action, row: Mapping[str, Json], timestamp: str, source: str, received_at: datetime) -> Event:
    """Return what a webhook would have said. The id says what it shows: whoever finds the same makes the same event."""
    facts = (action, row["id"], timestamp)
    body = {
        "id": f"reconcile-{hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]}",
        "timestamp": timestamp,
        "type": PROMPT_VERSION,
        "apiVersion": "v1",
        "action": action,
        "prompt": row,
    }
    return decode(msgspec.json.encode(body), source, received_at, origin="reconcile")


def _prompt(event: Event) -> JsonObject:
    prompt = event.body["prompt"]
    assert isinstance(prompt, dict)
    return prompt


def _decoded(raw: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unintelligible(f"an answer of another form: {error}") from error


def _in_utc(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
