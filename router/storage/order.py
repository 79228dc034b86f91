"""Deliveries of one destination that go one after the other, and what becomes of those that a newer one overtook."""

from collections.abc import Iterable

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    FromClause,
    Select,
    and_,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from router.domain.delivery import WAITING
from router.storage.clock import Millis
from router.storage.statements import batched
from router.storage.tables import deliveries, firing_changes

_other = deliveries.alias("other")
# a parameter would keep SQLite from the index of what is being sent
_SENDING: ColumnElement[str] = literal_column("'sending'")


def in_front_of(waiting: FromClause) -> Select[tuple[str]]:
    """Select the key of what a waiting delivery has to wait for: an earlier one, or whichever is being sent."""
    return (
        select(_other.c.key)
        .where(
            _other.c.destination == waiting.c.destination,
            _other.c.type == waiting.c.type,
            _other.c.order_key == waiting.c.order_key,
            _other.c.status.in_((*WAITING, "sending")),
            _other.c.seq != waiting.c.seq,
            or_(_other.c.seq < waiting.c.seq, _other.c.status == "sending"),
        )
        .order_by((_other.c.status == "sending").desc(), _other.c.seq)
        .limit(1)
        .correlate(waiting)
    )


def in_its_lane(waiting: FromClause) -> Exists:
    """Is another one of a waiting delivery's lane being sent?"""
    return exists(
        select(_other.c.seq)
        .where(
            _other.c.destination == waiting.c.destination,
            _other.c.type == waiting.c.type,
            _other.c.lane == waiting.c.lane,
            _other.c.status == _SENDING,
            _other.c.lease_until > 0,  # leads SQLite to the index of what is being sent
        )
        .correlate(waiting)
    )


def first_of_each_lane(found: Iterable[tuple[int, str | None]]) -> list[int]:
    """Return those of (number, lane) that may be sent at the same time."""
    first: dict[str | int, int] = {}
    for seq, lane in found:
        first.setdefault(seq if lane is None else lane, seq)
    return list(first.values())


def overtake(connection: Connection, delivered: int, now: Millis) -> None:
    """Cancel what waits and is older than a delivery that has just been delivered."""
    newer = deliveries.alias("newer")
    key = connection.execute(select(newer.c.key).where(newer.c.seq == delivered)).scalar_one()
    older = (
        select(deliveries.c.seq)
        .select_from(deliveries)
        .join(newer, and_(newer.c.seq == delivered, *_older(deliveries, newer)))
        .where(deliveries.c.status.in_(WAITING))
    )
    found = connection.execute(older).scalars().all()
    _cancel(connection, dict.fromkeys(found, key), now)


def overtaken(connection: Connection, keys: Iterable[str], now: Millis) -> set[str]:
    """Cancel those dead and captured deliveries after which a newer one was delivered. Return their keys."""
    newer = deliveries.alias("newer")
    cancelled: set[str] = set()
    for some in batched(keys):
        found = connection.execute(
            select(deliveries.c.seq, deliveries.c.key, newer.c.key)
            .select_from(deliveries)
            .join(newer, and_(newer.c.status == "delivered", *_older(deliveries, newer)))
            .where(deliveries.c.key.in_(some), deliveries.c.status.in_(("dead", "captured")))
            .order_by(newer.c.seq)
        ).all()
        _cancel(connection, {seq: by for seq, _, by in found}, now)
        cancelled.update(key for _, key, _ in found)
    return cancelled


def _older(older: FromClause, newer: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Two deliveries about the same change are of one age."""
    mine, its = firing_changes.alias("mine"), firing_changes.alias("its")
    same_change = exists(
        select(mine.c.change_id)
        .join(its, its.c.change_id == mine.c.change_id)
        .where(mine.c.firing == older.c.firing, its.c.firing == newer.c.firing)
    )
    return (
        older.c.destination == newer.c.destination,
        older.c.type == newer.c.type,
        older.c.order_key == newer.c.order_key,
        older.c.seq < newer.c.seq,
        ~same_change,
    )


def _cancel(connection: Connection, overtaken: dict[int, str], now: Millis) -> None:
    for seq, by in overtaken.items():
        connection.execute(
            update(deliveries)
            .where(deliveries.c.seq == seq)
            .values(status="cancelled", reason=f"superseded by {by}", ended_at=now)
        )
