"""How much happened lately: by the hour, and for each rule, source and destination.

Served by indexes that hold all that is counted, so that it costs no more than that, however big events and messages.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct, structs
from sqlalchemy import BigInteger, Connection, func, literal_column, select

from router.domain.event import ROUTER_SOURCE
from router.storage.clock import Millis, from_ms, optional_moment, to_ms
from router.storage.tables import VERDICT_IS_ERROR, changes, deliveries, events, firings, verdicts

_HOUR: Final[Millis] = 3_600_000
_AN_HOUR: Final = literal_column(str(_HOUR), BigInteger)
"""Written out: PostgreSQL does not see that two parameters are the same number."""


class Hour(Struct, frozen=True, kw_only=True):
    """What happened in the hour that begins `at`; `troubles` are the router's own events, and none of `events`."""

    at: datetime
    events: int = 0
    troubles: int = 0
    delivered: int = 0
    dead: int = 0


class RuleCount(Struct, frozen=True, kw_only=True):
    """What a rule did in some time: how often it fired, and how its deliveries and verdicts ended."""

    fired: int = 0
    delivered: int = 0
    dead: int = 0
    errors: int = 0
    last_fired_at: datetime | None = None


class SourceCount(Struct, frozen=True, kw_only=True):
    """What came from a source in some time, and when it came last of all."""

    events: int = 0
    last_received_at: datetime | None = None


class DestinationCount(Struct, frozen=True, kw_only=True):
    """What went to a destination in some time."""

    delivered: int = 0
    dead: int = 0
    last_delivered_at: datetime | None = None


def hours(connection: Connection, since: datetime, until: datetime) -> tuple[Hour, ...]:
    """Return every hour from that of `since` to that of `until`, also those in which nothing happened.

    Of the first one only what happened since: together they count what a list since then shows.
    """
    first, last = to_ms(since) // _HOUR, to_ms(until) // _HOUR
    found = {number: Hour(at=from_ms(number * _HOUR)) for number in range(first, last + 1)}
    of_ours = events.c.source == ROUTER_SOURCE
    for number, troubles, count in connection.execute(
        select(events.c.received_at // _AN_HOUR, of_ours, func.count())
        .where(events.c.received_at >= to_ms(since))
        .group_by(events.c.received_at // _AN_HOUR, of_ours)
    ):
        if number in found:
            found[number] = structs.replace(found[number], **{"troubles" if troubles else "events": count})
    for number, status, count in connection.execute(
        select(deliveries.c.ended_at // _AN_HOUR, deliveries.c.status, func.count())
        .where(deliveries.c.ended_at >= to_ms(since), deliveries.c.status.in_(("delivered", "dead")))
        .group_by(deliveries.c.ended_at // _AN_HOUR, deliveries.c.status)
    ):
        if number in found:
            found[number] = structs.replace(found[number], **{status: count})
    return tuple(found.values())


def rules(connection: Connection, names: Iterable[str], since: datetime) -> dict[str, RuleCount]:
    """Count what each of those rules did since; `last_fired_at` looks back as far as the store remembers."""
    counted = {name: RuleCount() for name in names}
    for name in counted:
        fired, last = connection.execute(
            select(
                select(func.count()).where(firings.c.rule == name, firings.c.at >= to_ms(since)).scalar_subquery(),
                select(func.max(firings.c.at)).where(firings.c.rule == name).scalar_subquery(),
            )
        ).one()
        counted[name] = RuleCount(fired=fired, last_fired_at=optional_moment(last))
    ended = (
        select(deliveries.c.rule, deliveries.c.status, func.count())
        .where(deliveries.c.ended_at >= to_ms(since), deliveries.c.status.in_(("delivered", "dead")))
        .group_by(deliveries.c.rule, deliveries.c.status)
    )
    for name, status, count in connection.execute(ended):
        if name in counted:
            counted[name] = structs.replace(counted[name], **{status: count})
    erred = (
        select(verdicts.c.rule, func.count())
        .join(changes, changes.c.id == verdicts.c.change_id)
        .where(VERDICT_IS_ERROR, changes.c.at >= to_ms(since))
        .group_by(verdicts.c.rule)
    )
    for name, count in connection.execute(erred):
        if name in counted:
            counted[name] = structs.replace(counted[name], errors=count)
    return counted


def sources(connection: Connection, names: Iterable[str], since: datetime) -> dict[str, SourceCount]:
    """Count what came from each of those sources since."""
    counted: dict[str, SourceCount] = {}
    for name in names:
        newest = select(events.c.received_at).where(events.c.source == name).order_by(events.c.seq.desc()).limit(1)
        counted[name] = SourceCount(last_received_at=optional_moment(connection.scalar(newest)))
    of = func.coalesce(events.c.source, "")  # by the column itself SQLite would go through every event that there is
    came = select(of, func.count()).where(events.c.received_at >= to_ms(since)).group_by(of)
    for name, count in connection.execute(came):
        if name in counted:
            counted[name] = structs.replace(counted[name], events=count)
    return counted


def to_destinations(connection: Connection, names: Iterable[str], since: datetime) -> dict[str, DestinationCount]:
    """Count what went to each of those destinations since."""
    counted = {name: DestinationCount() for name in names}
    ended = (
        select(deliveries.c.destination, deliveries.c.status, func.count(), func.max(deliveries.c.ended_at))
        .where(deliveries.c.ended_at >= to_ms(since), deliveries.c.status.in_(("delivered", "dead")))
        .group_by(deliveries.c.destination, deliveries.c.status)
    )
    for name, status, count, last in connection.execute(ended):
        if name not in counted:
            continue
        counted[name] = structs.replace(counted[name], **{status: count})
        if status == "delivered":
            counted[name] = structs.replace(counted[name], last_delivered_at=from_ms(last))
    return counted
