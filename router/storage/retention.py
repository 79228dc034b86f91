"""Forgetting: events that are finished go, with all that came of them, a few at a time.

What stays, however old: the ledger; events that wait; changes that a rule holds back; whatever led to a delivery that
is unfinished or dead; and the changes that tell how labels came to their present holders, even without the events that
showed them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, or_, select, tuple_

from router.storage.changes import Facts
from router.storage.clock import Millis, to_ms
from router.storage.statements import batched
from router.storage.tables import (
    DELIVERY_IS_OPEN,
    changes,
    deliveries,
    events,
    firing_changes,
    firings,
    labels,
)

AT_ONCE: Final = 100
"""So many events, or changes without one, does a step look at: somebody's webhook may be waiting behind it."""


class Forgotten(Struct, frozen=True):
    """How many events and changes a step removed, and behind what the next one looks (None: there is no more)."""

    events: int
    changes: int
    next: int | str | None


class _Told(Struct, frozen=True):
    id: str
    event: int | None
    at: Millis
    prompt: int | None
    version_id: str | None
    facts: str
    origin: str


_TOLD: Final = select(
    changes.c.id,
    changes.c.event,
    changes.c.at,
    changes.c.prompt,
    changes.c.version_id,
    changes.c.facts,
    changes.c.origin,
)


def forget_events(connection: Connection, before: datetime, after: int) -> Forgotten:
    """Look at the first events behind number `after`; remove those that came, and were finished, `before` then."""
    limit = to_ms(before)
    page = connection.execute(
        select(events.c.seq, events.c.received_at, events.c.status)
        .where(events.c.seq > after)
        .order_by(events.c.seq)
        .limit(AT_ONCE)
    ).all()
    old = [(seq, status) for seq, received_at, status in page if received_at < limit]
    settled = [seq for seq, status in old if status != "waiting"]
    told = [_Told(*row) for row in connection.execute(_TOLD.where(changes.c.event.in_(settled)))]
    unfinished = _unfinished(connection, (change.id for change in told), limit)
    kept = {change.event for change in told if change.id in unfinished}
    removed = _remove(connection, [change for change in told if change.event not in kept])
    gone = [seq for seq in settled if seq not in kept]
    connection.execute(delete(events).where(events.c.seq.in_(gone)))
    return Forgotten(len(gone), removed, page[-1].seq if old and len(page) == AT_ONCE else None)


def forget_changes(connection: Connection, before: datetime, after: str) -> Forgotten:
    """Look at the first changes behind id `after` whose events are gone; remove those that are no longer needed."""
    limit = to_ms(before)
    query = _TOLD.where(changes.c.event.is_(None), changes.c.id > after).order_by(changes.c.id).limit(AT_ONCE)
    page = [_Told(*row) for row in connection.execute(query)]
    old = [change for change in page if change.at < limit]
    unfinished = _unfinished(connection, (change.id for change in old), limit)
    removed = _remove(connection, [change for change in old if change.id not in unfinished])
    return Forgotten(0, removed, page[-1].id if len(page) == AT_ONCE else None)


def _unfinished(connection: Connection, ids: Iterable[str], limit: Millis) -> set[str]:
    """Return those changes of which something is still to be done, or was done since `limit`."""
    found: set[str] = set()
    for some in batched(ids):
        query = (
            select(firing_changes.c.change_id)
            .outerjoin(firings, firings.c.id == firing_changes.c.firing)
            .outerjoin(deliveries, deliveries.c.firing == firings.c.id)
            .where(firing_changes.c.change_id.in_(some))
            .where(
                or_(
                    firing_changes.c.firing.is_(None),  # held
                    firings.c.at >= limit,
                    DELIVERY_IS_OPEN,
                    func.coalesce(deliveries.c.ended_at, deliveries.c.created_at) >= limit,
                )
            )
        )
        found.update(connection.execute(query).scalars())
    return found


def _remove(connection: Connection, told: Sequence[_Told]) -> int:
    """Remove what the changes fired, and all of them but those that tell how a label came to its holder."""
    for some in batched(change.id for change in told):
        fired = select(firing_changes.c.firing).where(firing_changes.c.change_id.in_(some)).distinct()
        for ids in batched(connection.execute(fired).scalars().all()):
            connection.execute(delete(deliveries).where(deliveries.c.firing.in_(ids)))
            connection.execute(delete(firing_changes).where(firing_changes.c.firing.in_(ids)))
            connection.execute(delete(firings).where(firings.c.id.in_(ids)))
    needed = _needed(connection, told)
    removed = [change.id for change in told if change.id not in needed]
    for some in batched(removed):
        connection.execute(delete(changes).where(changes.c.id.in_(some)))
    return len(removed)


def _needed(connection: Connection, told: Sequence[_Told]) -> set[str]:
    """Return the changes that gave a version a label which no other version has claimed since."""
    gave = [
        ((change.prompt, label, change.version_id), change.id)
        for change in told
        if change.origin != "backfill"
        for label in msgspec.json.decode(change.facts, type=Facts).labels_gained
    ]
    key = tuple_(labels.c.prompt, labels.c.label, labels.c.version_id)
    claims: set[tuple[object, ...]] = set()
    for some in batched({claim for claim, _ in gave}):
        query = select(labels.c.prompt, labels.c.label, labels.c.version_id).where(key.in_(some))
        claims.update(tuple(row) for row in connection.execute(query))
    return {id_ for claim, id_ in gave if claim in claims}
