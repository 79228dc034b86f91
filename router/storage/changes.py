"""Changes as they are kept: their facts as JSON, the event and the versions' contents where they are kept already."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, case, func, select, tuple_

from router.domain.change import Change, Move, Version
from router.domain.event import Content, Event, PromptKey
from router.engine.context import author_of
from router.engine.ledger import contents_needed, with_contents
from router.storage.bound import given, rows_given
from router.storage.clock import Millis, from_ms, to_ms
from router.storage.events import StoredEvent, decoded
from router.storage.statements import Row, add_new, batched
from router.storage.tables import change_labels, changes, events, prompts, versions, words

PORTION: Final = 200
"""So many changes, with their events and contents, are in memory while a long list of them is gone through."""

_READ_FOR_LISTS: Final = 64 * 1024

_VersionKey: TypeAlias = tuple[int, str]


_TOLD: Final = given(source=str, id=str)
_EVENTS: Final = select(events.c.seq, events.c.source, events.c.id).join_from(
    _TOLD, events, and_(events.c.source == _TOLD.c.source, events.c.id == _TOLD.c.id)
)


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a change that is kept as JSON. The versions' contents are in the ledger, not here."""

    version: Version | None = None
    labels_gained: tuple[str, ...] = ()
    labels_lost: tuple[str, ...] = ()
    labels_removed: tuple[str, ...] = ()
    tags_gained: tuple[str, ...] = ()
    tags_lost: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    replaced: dict[str, Version] = {}
    versions_left: int | None = None
    assumed: bool = False
    quiet: bool = False
    half: bool = False


class ChangeFilter(Struct, frozen=True, kw_only=True):
    """Which changes; None: any, but never what was told on request only.

    `prompt` is its name; `since` and `until` speak of when they were routed.
    """

    source: str | None = None
    prompt: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def add(connection: Connection, told: Sequence[tuple[Change, int | None]], at: Millis) -> None:
    """Store changes, each with its prompt's number in the store; those that are there already are passed over."""
    if not told:
        return
    of = {(change.event.source, words(change.event.id)) for change, _ in told}
    seqs = {(source, id_): seq for seq, source, id_ in connection.execute(_EVENTS, rows_given(of))}
    rows = [
        _row(change, seqs.get((change.event.source, words(change.event.id))), prompt, at) for change, prompt in told
    ]
    add_new(connection, changes, rows)
    labels = [
        {"change_id": change.id, "label": label}
        for change, _ in told
        for label in {*change.labels_gained, *change.labels_lost}
    ]
    add_new(connection, change_labels, labels)


def by_id(connection: Connection, ids: Iterable[str]) -> list[Change]:
    """Return those changes as they were derived, in the order in which the ledger told them.

    One whose event is not kept any more cannot be told again, and is left out.
    """
    found: list[tuple[int, Change]] = []
    for some in batched(ids):
        found += _load(connection, changes.c.id.in_(some))
    return [change for _, change in sorted(found, key=lambda one: one[0])]


def told_with(connection: Connection, event: int) -> list[Change]:
    """Return what was routed in one batch with the event of that number, and what it changed itself, in order."""
    of_event = select(changes.c.prompt, changes.c.at).where(changes.c.event == event).limit(1)
    batch = connection.execute(of_event).one_or_none()
    if batch is None:
        return []
    if batch.prompt is None:
        return [change for _, change in _load(connection, changes.c.event == event)]
    return [change for _, change in _load(connection, changes.c.prompt == batch.prompt, changes.c.at == batch.at)]


def of_events(connection: Connection, numbers: Iterable[int]) -> dict[int, list[Change]]:
    """Return what those events changed, for lists: without contents, and without what only a big body says."""
    found: dict[int, list[Change]] = {}
    small = case((func.length(events.c.body) <= _READ_FOR_LISTS, events.c.body), else_=None)
    for some in batched(numbers):
        query = _query(small).where(changes.c.event.in_(some)).order_by(changes.c.seq)
        for row in connection.execute(query).mappings():
            found.setdefault(row["event"], []).append(_change(row, _event(row)))
    return found


def portion(connection: Connection, wanted: ChangeFilter, after: int) -> tuple[list[Change], int | None]:
    """Return some of the changes wanted, those after number `after`, and the number to go on after; None: no more."""
    conditions: list[ColumnElement[bool]] = [changes.c.seq > after, changes.c.origin != "backfill"]
    if wanted.source is not None:
        conditions.append(events.c.source == wanted.source)
    if wanted.prompt is not None:
        conditions.append(changes.c.prompt.in_(select(prompts.c.id).where(prompts.c.name == wanted.prompt)))
    if wanted.since is not None:
        conditions.append(changes.c.at >= to_ms(wanted.since))
    if wanted.until is not None:
        conditions.append(changes.c.at < to_ms(wanted.until))
    found = _load(connection, *conditions, limit=PORTION)
    return [change for _, change in found], found[-1][0] if len(found) == PORTION else None


def _load(
    connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[tuple[int, Change]]:
    query = _query(events.c.body).where(*conditions).order_by(changes.c.seq).limit(limit)
    shown: dict[int, Event] = {}
    bare: list[tuple[int, int | None, Change]] = []
    for row in connection.execute(query).mappings():
        if row["event"] not in shown:
            shown[row["event"]] = _event(row)
        bare.append((row["seq"], row["prompt"], _change(row, shown[row["event"]])))
    contents = _contents(
        connection,
        {(prompt, id_) for _, prompt, change in bare if prompt is not None for id_ in contents_needed([change])},
    )
    return [
        (seq, change if prompt is None else with_contents(change, contents.get(prompt, {})))
        for seq, prompt, change in bare
    ]


def _query(body: ColumnElement[bytes | None]) -> Select[Any]:
    return select(
        changes,
        events.c.source,
        events.c.id.label("event_id"),
        events.c.origin.label("event_origin"),
        events.c.project_id,
        events.c.prompt.label("name"),
        events.c.received_at,
        events.c.trace,
        body.label("body"),
    ).join(events, events.c.seq == changes.c.event)


def _contents(connection: Connection, wanted: Iterable[_VersionKey]) -> dict[int, dict[str, Content]]:
    """Return the contents of versions, by the prompt's number and the prompt id."""
    found: dict[int, dict[str, Content]] = {}
    key = tuple_(versions.c.prompt, versions.c.id)
    for some in batched(sorted(wanted)):
        query = select(versions.c.prompt, versions.c.id, versions.c.content).where(
            key.in_(some), versions.c.content.is_not(None)
        )
        for prompt, id_, content in connection.execute(query):
            found.setdefault(prompt, {})[id_] = msgspec.json.decode(content, type=Content)
    return found


def _event(row: RowMapping) -> Event:
    if row["body"] is None:
        return _without_body(row)
    return decoded(
        StoredEvent(
            seq=row["event"],
            source=row["source"],
            id=row["event_id"],
            origin=row["event_origin"],
            received_at=from_ms(row["received_at"]),
            body=row["body"],
            trace=row["trace"],
        )
    )


def _without_body(row: RowMapping) -> Event:
    named = row["name"] is not None
    at = from_ms(row["received_at"])
    return Event(
        id=row["event_id"],
        source=row["source"],
        type=row["type"],
        timestamp=at,
        received_at=at,
        body={},
        origin=row["event_origin"],
        project_id=row["project_id"],
        prompt=PromptKey(row["source"], row["project_id"], row["name"]) if named else None,
    )


def _change(row: RowMapping, event: Event) -> Change:
    facts = msgspec.json.decode(row["facts"], type=Facts)
    version, snapshot = facts.version, event.snapshot
    if version is not None and snapshot is not None and version.id == snapshot.version_id:
        version = msgspec.structs.replace(version, content=snapshot.content)
    return Change(
        id=row["id"],
        event=event,
        type=row["type"],
        origin=row["origin"],
        action=row["action"],
        prompt=event.prompt,
        **(msgspec.structs.asdict(facts) | {"version": version}),
    )


def _row(change: Change, event: int | None, prompt: int | None, at: Millis) -> Row:
    return {
        "id": change.id,
        "event": event,
        "prompt": prompt,
        "version_id": None if change.version is None else change.version.id,
        "version": None if change.version is None else change.version.number,
        "type": change.type,
        "action": change.action,
        "origin": change.origin,
        "author": None if change.prompt is None else author_of(change.event),
        "happened_at": to_ms(change.happened_at),
        "facts": msgspec.json.encode(_facts(change)).decode(),
        "at": at,
    }


def _facts(change: Change) -> Facts:
    return Facts(
        version=None if change.version is None else _bare(change.version),
        labels_gained=change.labels_gained,
        labels_lost=change.labels_lost,
        labels_removed=change.labels_removed,
        tags_gained=change.tags_gained,
        tags_lost=change.tags_lost,
        moved=change.moved,
        replaced={label: _bare(version) for label, version in change.replaced.items()},
        versions_left=change.versions_left,
        assumed=change.assumed,
        quiet=change.quiet,
        half=change.half,
    )


def _bare(version: Version) -> Version:
    return msgspec.structs.replace(version, content=None)
