"""Events as received: stored once, waiting to be routed."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, func, select, tuple_
from sqlalchemy.exc import IntegrityError

from router.domain.event import Action, Event, Origin, PromptKey
from router.langfuse.wire import decode, encode_body
from router.storage.bound import given, rows_given
from router.storage.clock import from_ms, optional_moment, optional_ms, to_ms
from router.storage.statements import batched
from router.storage.tables import EVENT_WAITS, SINGLE_EVENT_WAITS, events, words

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class NewEvent(Struct, frozen=True, kw_only=True):
    """An authentic event to keep. `prompt` is set, with `project_id`, for events that wait with their prompt's.

    `sent_at` None: it does not say. `body` are the bytes as received.
    """

    source: str
    id: str
    type: str
    received_at: datetime
    body: bytes
    origin: Origin = "webhook"
    action: Action | None = None
    project_id: str | None = None
    prompt: str | None = None
    sent_at: datetime | None = None
    status: Literal["waiting", "quarantined"] = "waiting"
    reason: str = ""
    trace: str | None = None


def found_event(event: Event, now: datetime) -> NewEvent:
    """Return an event of our own making, found `now`, as it is to be kept."""
    return NewEvent(
        source=event.source,
        id=event.id,
        type=event.type,
        origin=event.origin,
        action=event.action,
        project_id=event.project_id,
        prompt=event.prompt.name if event.prompt else None,
        received_at=now,
        sent_at=event.timestamp,
        body=encode_body(event),
    )


class Receipt(Struct, frozen=True):
    """What became of an event: it is on the disk, under `id`, or was there before (`duplicate`)."""

    id: str
    status: Literal["accepted", "duplicate", "quarantined"]


class WaitingBatch(Struct, frozen=True, kw_only=True):
    """Events not yet routed that belong together: all of one prompt; any other event by itself (`key` None).

    `seq` is the first one's number; `first_received_at` and `last_received_at` tell how long they have settled.
    """

    key: PromptKey | None
    seq: int
    source: str
    count: int
    first_received_at: datetime
    last_received_at: datetime


class StoredEvent(Struct, frozen=True, kw_only=True):
    """An event as it came. `id` is unique within `source` and may differ from the one in `body`."""

    seq: int
    source: str
    id: str
    origin: Origin
    received_at: datetime
    body: bytes
    trace: str | None = None


class _Row(NamedTuple):
    """What an event arrives with, as the columns of its table."""

    source: str
    id: str
    origin: str
    type: str
    action: str | None
    project_id: str | None
    prompt: str | None
    received_at: int
    sent_at: int | None
    status: str
    reason: str
    body_digest: str
    trace: str | None
    body: bytes

    @property
    def identity(self) -> tuple[str, str]:
        return self.source, self.id


_TYPES: Final = {"received_at": "bigint", "sent_at": "bigint", "body": "bytea"}
"""PostgreSQL's types of what is not text."""

_INSERT: Final = f"INSERT INTO events ({', '.join(_Row._fields)})"
_NEW: Final = "ON CONFLICT DO NOTHING"
_ARRAYS: Final = ", ".join(f"%b::{_TYPES.get(name, 'text')}[]" for name in _Row._fields)
_FROM_ARRAYS: Final = f"{_INSERT} SELECT * FROM unnest({_ARRAYS}) {_NEW} RETURNING source, id"  # noqa: S608
"""Arrays in binary: written as text, a body took 50 µs to quote."""

_MOST_ROWS: Final = 200
"""SQLite limits how many values a statement may name."""

_STORED: Final = (
    events.c.seq,
    events.c.source,
    events.c.id,
    events.c.origin,
    events.c.received_at,
    events.c.trace,
    events.c.body,
)

_MOST_SINGLES: Final = 1_000
"""Events of no prompt are looked at in portions; prompts are as few as they are."""


_PROMPTS: Final = given(place=int, source=str, project_id=str, prompt=str)
_OF_PROMPTS: Final = (
    select(_PROMPTS.c.place, *_STORED)
    .join_from(
        _PROMPTS,
        events,
        and_(
            events.c.source == _PROMPTS.c.source,
            events.c.project_id == _PROMPTS.c.project_id,
            events.c.prompt == _PROMPTS.c.prompt,
        ),
    )
    .where(EVENT_WAITS)
    .order_by(events.c.seq)
)
_NUMBERS: Final = given(place=int, seq=int)
_OF_NUMBERS: Final = (
    select(_NUMBERS.c.place, *_STORED).join_from(_NUMBERS, events, events.c.seq == _NUMBERS.c.seq).where(EVENT_WAITS)
)


def receive(connection: Connection, arrived: Sequence[NewEvent]) -> list[Receipt]:
    """Store what arrived. The same id with the same body is a duplicate; with another body, another event.

    The latter is kept as `<id>#<first 8 digits of the body's digest>`.
    """
    rows = [_row(event) for event in arrived]
    fresh = _store(connection, rows)
    known = [place for place in range(len(rows)) if place not in fresh]
    if known:
        digests = _digests(connection, {rows[place].identity for place in known})
        others = [place for place in known if rows[place].body_digest != digests.get(rows[place].identity)]
        for place in others:
            row = rows[place]
            rows[place] = row._replace(id=f"{row.id}#{row.body_digest[:8]}")
        fresh |= {others[index] for index in _store(connection, [rows[place] for place in others])}
    return [_receipt(event, rows[place], place in fresh) for place, event in enumerate(arrived)]


async def receive_new(connection: "AsyncConnection[Any]", arrived: Sequence[NewEvent]) -> list[Receipt | None]:
    """Store on PostgreSQL, from an event loop, what is new of that. None: there is such an event already."""
    rows = [_row(event) for event in arrived]
    cursor = await connection.execute(_FROM_ARRAYS, _arrays(rows))
    fresh = set(await cursor.fetchall())
    receipts: list[Receipt | None] = []
    for event, row in zip(arrived, rows, strict=True):
        receipts.append(_receipt(event, row, fresh=True) if row.identity in fresh else None)
        fresh.discard(row.identity)  # the same once more in this group is another one, or a duplicate
    return receipts


def waiting(connection: Connection) -> list[WaitingBatch]:
    """Return what waits to be routed, first come first."""
    first, last = func.min(events.c.received_at), func.max(events.c.received_at)
    key = (events.c.source, events.c.project_id, events.c.prompt)
    of_prompts = (
        select(*key, func.min(events.c.seq).label("seq"), func.count().label("count"), first, last)
        .where(EVENT_WAITS, events.c.prompt.is_not(None))
        .group_by(*key)
    )
    singles = (
        select(events.c.source, events.c.seq, events.c.received_at)
        .where(SINGLE_EVENT_WAITS)
        .order_by(events.c.seq)
        .limit(_MOST_SINGLES)
    )
    batches = [
        WaitingBatch(
            key=PromptKey(source, project_id, prompt),
            seq=seq,
            source=source,
            count=count,
            first_received_at=from_ms(first_ms),
            last_received_at=from_ms(last_ms),
        )
        for source, project_id, prompt, seq, count, first_ms, last_ms in connection.execute(of_prompts)
    ]
    for source, seq, received_ms in connection.execute(singles):
        at = from_ms(received_ms)
        batches.append(
            WaitingBatch(key=None, seq=seq, source=source, count=1, first_received_at=at, last_received_at=at)
        )
    return sorted(batches, key=lambda batch: batch.seq)


def batch(connection: Connection, of: PromptKey | int) -> list[StoredEvent]:
    """Return every event of a prompt that waits, or the one of that number, in the order of arrival."""
    (found,) = of_batches(connection, [of])
    return found


def of_batches(connection: Connection, of: Sequence[PromptKey | int]) -> list[list[StoredEvent]]:
    """Return the same for several."""
    prompts = [
        (place, words(one.source), words(one.project_id), words(one.name))
        for place, one in enumerate(of)
        if isinstance(one, PromptKey)
    ]
    numbers = [(place, one) for place, one in enumerate(of) if isinstance(one, int)]
    found: list[list[StoredEvent]] = [[] for _ in of]
    for statement, asked in ((_OF_PROMPTS, prompts), (_OF_NUMBERS, numbers)):
        if asked:
            for place, *row in connection.execute(statement, rows_given(asked)):
                found[place].append(_stored(row))
    return found


def decoded(stored: StoredEvent) -> Event:
    """Return what an event says that was understood when it came."""
    event = decode(stored.body, stored.source, stored.received_at, origin=stored.origin)
    return msgspec.structs.replace(event, id=stored.id, trace=stored.trace)


def heard_at(connection: Connection, source: str) -> datetime | None:
    """Return when the last webhook of a source came; None: none is known."""
    query = (
        select(events.c.received_at)
        .where(events.c.source == source, events.c.origin == "webhook")
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    return optional_moment(connection.execute(query).scalar())


def before(connection: Connection, seq: int, limit: int) -> list[StoredEvent]:
    """Return the events of that one's prompt that arrived before it and were understood: the last `limit`, in order."""
    one = events.alias("one")
    same = (events.c.source == one.c.source, events.c.project_id == one.c.project_id, events.c.prompt == one.c.prompt)
    query = (
        select(*_STORED)
        .join(one, and_(*same))
        .where(one.c.seq == seq, events.c.seq < seq, events.c.status != "quarantined")
        .order_by(events.c.seq.desc())
        .limit(limit)
    )
    return [_stored(row) for row in connection.execute(query)][::-1]


def _stored(row: Sequence[Any]) -> StoredEvent:
    seq, source, id_, origin, received_ms, trace, body = row
    at = from_ms(received_ms)
    return StoredEvent(seq=seq, source=source, id=id_, origin=origin, received_at=at, body=body, trace=trace)


def _row(event: NewEvent) -> _Row:
    return _Row(
        event.source,
        words(event.id),
        event.origin,
        words(event.type),
        event.action,
        _optional_words(event.project_id),
        _optional_words(event.prompt),
        to_ms(event.received_at),
        optional_ms(event.sent_at),
        event.status,
        words(event.reason),
        hashlib.sha256(event.body).hexdigest(),
        event.trace,
        event.body,
    )


def _optional_words(value: str | None) -> str | None:
    return None if value is None else words(value)


def _store(connection: Connection, rows: Sequence[_Row]) -> set[int]:
    """Insert the rows that are new. Return their places."""
    places: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.identity, place)
    insert = _insert_arrays if connection.dialect.name == "postgresql" else _insert_values
    return {places[identity] for identity in insert(connection, [rows[place] for place in places.values()])}


def _insert_arrays(connection: Connection, rows: Sequence[_Row]) -> Iterable[tuple[str, str]]:
    """Insert what is new and return its identities: one statement, prepared once for any number of rows."""
    if not rows:
        return ()
    return [(source, id_) for source, id_ in connection.exec_driver_sql(_FROM_ARRAYS, _arrays(rows))]


def _arrays(rows: Sequence[_Row]) -> tuple[list[object], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


def _insert_values(connection: Connection, rows: Sequence[_Row]) -> Iterator[tuple[str, str]]:
    """The same for SQLite. Each step of a statement there is a moment in which another thread may take the
    interpreter for five milliseconds: so one statement for many rows, and nothing to fetch while all are new.
    """
    for some in batched(rows, _MOST_ROWS):
        values = tuple(chain.from_iterable(some))
        statement = _values_statement(len(some))
        try:
            connection.exec_driver_sql(statement, values)
        except IntegrityError:  # some are there already; nothing of the statement was done
            found = connection.exec_driver_sql(f"{statement} {_NEW} RETURNING source, id", values)
            yield from ((source, id_) for source, id_ in found)
        else:
            yield from (row.identity for row in some)


@cache
def _values_statement(rows: int) -> str:
    row = f"({', '.join('?' for _ in _Row._fields)})"
    return f"{_INSERT} VALUES {', '.join([row] * rows)}"


def _digests(connection: Connection, identities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the digest of the body stored under each identity."""
    identity = tuple_(events.c.source, events.c.id)
    found: dict[tuple[str, str], str] = {}
    for some in batched(identities):
        query = select(events.c.source, events.c.id, events.c.body_digest).where(identity.in_(some))
        found.update(((source, id_), digest) for source, id_, digest in connection.execute(query))
    return found


def _receipt(event: NewEvent, row: _Row, fresh: bool) -> Receipt:
    if not fresh:
        return Receipt(row.id, "duplicate")
    return Receipt(row.id, "quarantined" if event.status == "quarantined" else "accepted")
