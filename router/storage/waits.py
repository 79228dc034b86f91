"""Why deliveries wait, and what holds whole destinations back."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, select

from router.domain.delivery import WAITING
from router.engine import rate as rates
from router.storage.clock import Millis, from_ms, now_ms, optional_moment
from router.storage.destinations import gate_of
from router.storage.order import in_front_of
from router.storage.records import DestinationRecord, Wait
from router.storage.tables import DELIVERY_WAITS, deliveries, destinations

ITS_DESTINATION: Final = and_(destinations.c.name == deliveries.c.destination, destinations.c.type == deliveries.c.type)
"""Joins a delivery to its destination."""

WAIT: Final[tuple[ColumnElement[Any], ...]] = (
    destinations.c.in_force,
    destinations.c.paused_until,
    destinations.c.breaker,
    destinations.c.spending,
    in_front_of(deliveries).scalar_subquery().label("in_front"),
    now_ms().label("now"),
)
"""What `wait_of` needs of a delivery beside its own columns."""


def wait_of(row: RowMapping) -> Wait | None:
    """Return why the delivery in a row waits; of several reasons the one that has to go first."""
    if row["status"] not in WAITING:
        return None
    if not row["in_force"]:
        return Wait(why="no destination")
    now, gate = row["now"], gate_of(row)
    rest = gate.breaker.open_until
    if rest is not None:
        return Wait(why="breaker", until=rest, detail=gate.breaker.reason)
    if gate.paused_until > now:
        return Wait(why="pause", until=from_ms(gate.paused_until))
    if row["in_front"] is not None:
        return Wait(why="order", detail=row["in_front"])
    if row["due_at"] > now:
        return Wait(why="retry", until=from_ms(row["due_at"]))
    free = 0 if gate.spending is None else rates.free_at(gate.spending.rate, gate.spending.spent, now)
    return Wait(why="rate", until=from_ms(free)) if free > now else Wait(why="turn")


def list_destinations(connection: Connection) -> list[DestinationRecord]:
    """Return the destinations that the rules have, and the others for which something waits, by name."""
    now = connection.execute(select(now_ms())).scalar_one()
    waiting = (
        select(
            deliveries.c.destination,
            deliveries.c.type,
            func.count().label("waiting"),
            func.min(deliveries.c.queued_at).label("since"),
        )
        .where(DELIVERY_WAITS)
        .group_by(deliveries.c.destination, deliveries.c.type)
        .subquery()
    )
    query = (
        select(destinations, func.coalesce(waiting.c.waiting, 0).label("waiting"), waiting.c.since)
        .outerjoin(waiting, and_(waiting.c.destination == destinations.c.name, waiting.c.type == destinations.c.type))
        .where(destinations.c.in_force | waiting.c.waiting.is_not(None))
        .order_by(destinations.c.name, destinations.c.type)
    )
    return [_record(row, now) for row in connection.execute(query).mappings()]


def _record(row: RowMapping, now: Millis) -> DestinationRecord:
    gate = gate_of(row)
    rest = gate.breaker.open_until
    return DestinationRecord(
        name=row["name"],
        type=row["type"],
        in_force=row["in_force"],
        breaker="closed" if rest is None else "probing" if gate.breaker.probe else "open",
        failures=gate.breaker.failures,
        open_until=rest,
        probe=gate.breaker.probe,
        reason=gate.breaker.reason,
        paused_until=optional_moment(gate.paused_until) if gate.paused_until > now else None,
        waiting=row["waiting"],
        oldest=None if row["since"] is None else timedelta(milliseconds=max(0, now - row["since"])),
    )
