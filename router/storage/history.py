"""What people ask the store: events and deliveries, by filter and by page, and how much is under way."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, and_, false, func, or_, select

from router.domain.delivery import DeliveryStatus
from router.domain.event import PromptKey
from router.domain.routing import ClauseVerdict, RuleVerdict
from router.storage import changes as stored
from router.storage import held
from router.storage.changes import Facts
from router.storage.clock import from_ms, now_ms, optional_moment
from router.storage.deliveries import message_of
from router.storage.filters import before, equal, named, number_of, within
from router.storage.records import (
    AttemptRecord,
    Backlog,
    ChangeRecord,
    Chosen,
    DeliveryDetail,
    DeliveryFilter,
    DeliveryRecord,
    EventDetail,
    EventFilter,
    EventLine,
    EventRecord,
    HeldRecord,
    Page,
    PlannedFor,
    Queue,
)
from router.storage.statements import batched
from router.storage.tables import (
    CHANGE_IS_HELD,
    DELIVERY_IS_OPEN,
    DELIVERY_WAITS,
    EVENT_QUARANTINED,
    EVENT_WAITS,
    attempts,
    change_labels,
    changes,
    deliveries,
    destinations,
    events,
    firing_changes,
    firings,
    prompts,
    verdicts,
    windows,
)
from router.storage.waits import ITS_DESTINATION, WAIT, wait_of

_EVENT: Final = tuple(column for column in events.c if column.name not in ("body", "body_digest"))
_FEW: Final = 2_000


def list_events(connection: Connection, wanted: EventFilter, limit: int, cursor: str | None) -> Page[EventRecord]:
    """Return at most `limit` events, those after `cursor`.

    Of a time they are in the order of their arrival, which an index has: in the order in which they were stored
    (after an outage that may be another) all that is younger than `until` would have to be gone through.
    """
    by_time = _by_time(wanted)
    order = (events.c.received_at.desc(), events.c.seq.desc()) if by_time else (events.c.seq.desc(),)
    after = _arrived_before(connection, cursor) if by_time else before(events.c.seq, cursor)
    query = select(*_EVENT).where(*of_events(connection, wanted), *after).order_by(*order).limit(limit + 1)
    found = [_event(row) for row in connection.execute(query).mappings()]
    return Page(tuple(found[:limit]), str(found[limit - 1].seq) if len(found) > limit else None)


def event_lines(connection: Connection, wanted: EventFilter, limit: int, cursor: str | None) -> Page[EventLine]:
    """Return at most `limit` events, those after `cursor`, with what they changed and what was planned."""
    page = list_events(connection, wanted, limit, cursor)
    numbers = [event.seq for event in page.items]
    told = stored.of_events(connection, numbers)
    planned: dict[int, list[PlannedFor]] = {seq: [] for seq in numbers}
    matched: set[int] = set()
    for some in batched(numbers):
        fired = select(changes.c.event).join(firing_changes, firing_changes.c.change_id == changes.c.id)
        matched.update(connection.execute(fired.where(changes.c.event.in_(some))).scalars())
        for seq, status, count in connection.execute(
            select(changes.c.event, deliveries.c.status, func.count(deliveries.c.seq.distinct()))
            .join(firing_changes, firing_changes.c.change_id == changes.c.id)
            .join(deliveries, deliveries.c.firing == firing_changes.c.firing)
            .where(changes.c.event.in_(some))
            .group_by(changes.c.event, deliveries.c.status)
            .order_by(deliveries.c.status)
        ):
            planned[seq].append(PlannedFor(status=status, count=count))
    return Page(
        tuple(
            EventLine(
                event=event,
                changes=tuple(told.get(event.seq, ())),
                matched=event.seq in matched,
                deliveries=tuple(planned[event.seq]),
            )
            for event in page.items
        ),
        page.next_cursor,
    )


def list_deliveries(
    connection: Connection, wanted: DeliveryFilter, limit: int, cursor: str | None
) -> Page[DeliveryRecord]:
    """Return at most `limit` deliveries, those after `cursor`."""
    found = _deliveries(
        connection,
        *_of_deliveries(connection, wanted),
        *before(deliveries.c.seq, cursor),
        limit=limit + 1,
    )
    return Page(tuple(found[:limit]), str(found[limit - 1].seq) if len(found) > limit else None)


def delivery_keys(connection: Connection, wanted: DeliveryFilter, only: Sequence[DeliveryStatus]) -> list[str]:
    """Return the keys of all such deliveries that are in one of the states `only`, the oldest first."""
    query = select(deliveries.c.key).where(deliveries.c.status.in_(only), *_of_deliveries(connection, wanted))
    return list(connection.execute(query.order_by(deliveries.c.seq)).scalars())


def chosen(connection: Connection, wanted: DeliveryFilter, only: Sequence[DeliveryStatus]) -> tuple[Chosen, ...]:
    """Count the same deliveries by destination."""
    query = (
        select(deliveries.c.destination, deliveries.c.type, func.count(), func.count(deliveries.c.message))
        .where(deliveries.c.status.in_(only), *_of_deliveries(connection, wanted))
        .group_by(deliveries.c.destination, deliveries.c.type)
        .order_by(deliveries.c.destination, deliveries.c.type)
    )
    return tuple(
        Chosen(destination=destination, type=type_, count=count, empty=count - sendable)
        for destination, type_, count, sendable in connection.execute(query)
    )


def event(connection: Connection, which: str | int, source: str | None) -> EventDetail | None:
    """Return an event, by its id (of several sources' the newest) or its number, with all that came of it."""
    wanted = events.c.seq == which if isinstance(which, int) else events.c.id == which
    query = select(*_EVENT, events.c.body).where(wanted, *equal((events.c.source, source)))
    row = connection.execute(query.order_by(events.c.seq.desc()).limit(1)).mappings().one_or_none()
    if row is None:
        return None
    told = _changes(connection, row["seq"])
    links = select(firing_changes.c.firing).where(firing_changes.c.change_id.in_([change.id for change in told]))
    return EventDetail(
        event=_event(row),
        body=row["body"],
        changes=told,
        held=_held(connection, [change.id for change in told]),
        deliveries=tuple(reversed(_deliveries(connection, deliveries.c.firing.in_(links)))),
    )


def delivery(connection: Connection, key: str) -> DeliveryDetail | None:
    """Return a delivery with its message, its attempts, and the events that led to it."""
    found = _deliveries(connection, deliveries.c.key == key)
    if not found:
        return None
    (record,) = found
    message = connection.scalar(select(deliveries.c.message).where(deliveries.c.seq == record.seq))
    tries = select(attempts).where(attempts.c.delivery == record.seq).order_by(attempts.c.fence)
    causes = (
        select(changes.c.event)
        .join(firing_changes, firing_changes.c.change_id == changes.c.id)
        .where(firing_changes.c.firing == record.firing)
    )
    return DeliveryDetail(
        delivery=record,
        message=None if message is None else message_of(message),
        attempts=tuple(_attempt(row) for row in connection.execute(tries).mappings()),
        events=tuple(
            _event(row)
            for row in connection.execute(
                select(*_EVENT).where(events.c.seq.in_(causes)).order_by(events.c.seq)
            ).mappings()
        ),
    )


def backlog(connection: Connection) -> Backlog:
    """Count what is unfinished; served by partial indexes, so that a long history costs nothing."""
    now = now_ms()
    waiting, oldest = connection.execute(
        select(func.count(), now - func.min(events.c.received_at)).where(EVENT_WAITS)
    ).one()
    open_ = (
        select(deliveries.c.destination, deliveries.c.status, func.count(), now - func.min(deliveries.c.queued_at))
        .where(DELIVERY_IS_OPEN)
        .group_by(deliveries.c.destination, deliveries.c.status)
        .order_by(deliveries.c.destination, deliveries.c.status)
    )
    return Backlog(
        waiting=waiting,
        quarantined=connection.execute(select(func.count()).where(EVENT_QUARANTINED).select_from(events)).scalar_one(),
        oldest_waiting=None if oldest is None else _age(oldest),
        queues=tuple(
            Queue(destination=destination, status=status, count=count, oldest=_age(age))
            for destination, status, count, age in connection.execute(open_)
        ),
        held=held.counts(connection),
    )


def of_events(connection: Connection, wanted: EventFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter."""
    conditions = [
        *equal((events.c.type, wanted.type)),
        *within(events.c.received_at, wanted.since, wanted.until),
    ]
    of: list[tuple[Column[str], str | Select[tuple[str]]]] = [
        (column, value)
        for column, value in ((events.c.source, wanted.source), (events.c.status, wanted.status))
        if value is not None
    ]
    if wanted.prompt is not None:
        of.append((events.c.prompt, select(prompts.c.name).where(*named(prompts.c.name, wanted.prompt))))
    for column, value in of:
        conditions.append(_of_a_time(connection, column, value) if _by_time(wanted) else _is(column, value))
    fired = changes.join(firing_changes, firing_changes.c.change_id == changes.c.id)
    links = []
    if wanted.label is not None:
        told = changes.join(change_labels, change_labels.c.change_id == changes.c.id)
        links.append(_Link(select(changes.c.event).select_from(told), change_labels.c.label, wanted.label))
    if wanted.rule is not None:
        links.append(_Link(select(changes.c.event).select_from(fired), firing_changes.c.rule, wanted.rule))
    if wanted.destination is not None:
        planned = fired.join(deliveries, deliveries.c.firing == firing_changes.c.firing)
        links.append(_Link(select(changes.c.event).select_from(planned), deliveries.c.destination, wanted.destination))
    return [*conditions, *(_linked(connection, events.c.seq, changes.c.event, link) for link in links)]


def _of_deliveries(connection: Connection, wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    conditions = [
        *equal((deliveries.c.destination, wanted.destination), (deliveries.c.rule, wanted.rule)),
        *([DELIVERY_WAITS] if wanted.status == "waiting" else equal((deliveries.c.status, wanted.status))),
        *within(deliveries.c.created_at, wanted.since, wanted.until),
    ]
    links = []
    of_changes = firing_changes.join(changes, changes.c.id == firing_changes.c.change_id)
    if wanted.prompt is not None:  # a delivery of several changes is about each of their prompts
        about = of_changes.join(prompts, prompts.c.id == changes.c.prompt)
        those = changes.c.prompt.in_(select(prompts.c.id).where(*named(prompts.c.name, wanted.prompt)))
        firing = select(firing_changes.c.firing)
        looked_up = firing.select_from(of_changes).where(those)
        links.append(_Link(firing.select_from(about), prompts.c.name, wanted.prompt, looked_up))
    if wanted.label is not None:
        told = firing_changes.join(change_labels, change_labels.c.change_id == firing_changes.c.change_id)
        links.append(_Link(select(firing_changes.c.firing).select_from(told), change_labels.c.label, wanted.label))
    if wanted.source is not None:
        came = of_changes.join(events, events.c.seq == changes.c.event)
        links.append(_Link(select(firing_changes.c.firing).select_from(came), events.c.source, wanted.source))
    return [
        *conditions,
        *(_linked(connection, deliveries.c.firing, firing_changes.c.firing, link) for link in links),
    ]


class _Link(Struct, frozen=True):
    """What leads to a row: `path` selects its key where `column` is `wanted`, a name or a pattern.

    `looked_up`: the same beginning with what is wanted, where a database would begin elsewhere.
    """

    path: Select[tuple[Any]]
    column: Column[str]
    wanted: str
    looked_up: Select[tuple[Any]] | None = None


def _by_time(wanted: EventFilter) -> bool:
    return wanted.since is not None or wanted.until is not None


def _is(column: ColumnElement[str], wanted: str | Select[tuple[str]]) -> ColumnElement[bool]:
    return column == wanted if isinstance(wanted, str) else column.in_(wanted)


def _of_a_time(connection: Connection, column: Column[str], wanted: str | Select[tuple[str]]) -> ColumnElement[bool]:
    """Match a column in a list by time: of few such events all are looked up, among many the index of times leads.

    The coalesce hides the column's own index: databases would gather all of its rows, and sort them.
    """
    those = select(events.c.seq).where(_is(column, wanted))
    few = connection.scalar(select(func.count()).select_from(those.limit(_FEW + 1).subquery()))
    return events.c.seq.in_(those) if few is not None and few <= _FEW else _is(func.coalesce(column, ""), wanted)


def _arrived_before(connection: Connection, cursor: str | None) -> list[ColumnElement[bool]]:
    """Match what arrived before the event of that number, or if it is gone before the one stored before it."""
    if cursor is None:
        return []
    stored = select(events.c.received_at).where(events.c.seq <= number_of(cursor)).order_by(events.c.seq.desc())
    at = connection.scalar(stored.limit(1))
    if at is None:
        return [false()]
    earlier = or_(events.c.received_at < at, events.c.seq < number_of(cursor))
    return [events.c.received_at <= at, earlier]


def _linked(connection: Connection, column: Column[Any], same: Column[Any], link: _Link) -> ColumnElement[bool]:
    """Match the rows whose `column` is one of those that `link` selects as `same`.

    Of few, those are looked up; of many, the rows are looked at one by one until the page is full. Databases cannot
    know which is better: a page of a frequent label would begin with all of its history. Row by row the path begins at
    the row: the coalesce hides the name's own index, which SQLite would go through once for each row, and the offset
    keeps PostgreSQL from joining all of its history first.
    """
    looked_up = link.path.where(*named(link.column, link.wanted)) if link.looked_up is None else link.looked_up
    few = connection.scalar(select(func.count()).select_from(looked_up.limit(_FEW + 1).subquery()))
    if few is not None and few <= _FEW:
        return column.in_(looked_up)
    begun = link.path.where(same == column, *named(func.coalesce(link.column, ""), link.wanted))
    return begun.correlate(column.table).offset(0).exists()


def _deliveries(
    connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[DeliveryRecord]:
    """Return those deliveries, the newest first."""
    query = (
        select(
            *(column for column in deliveries.c if column.name not in ("message", "prompt")),
            firings.c.mode,
            prompts.c.source,
            prompts.c.project_id,
            prompts.c.name,
            *WAIT,
        )
        .join(firings, firings.c.id == deliveries.c.firing)
        .outerjoin(destinations, ITS_DESTINATION)
        .outerjoin(prompts, prompts.c.id == deliveries.c.prompt)
        .where(*conditions)
        .order_by(deliveries.c.seq.desc())
        .limit(limit)
    )
    return [_delivery(row) for row in connection.execute(query).mappings()]


def _changes(connection: Connection, seq: int) -> tuple[ChangeRecord, ...]:
    found = connection.execute(select(changes).where(changes.c.event == seq).order_by(changes.c.id)).mappings().all()
    said: dict[str, list[RuleVerdict]] = {row["id"]: [] for row in found}
    judged = (
        select(verdicts)
        .join(changes, changes.c.id == verdicts.c.change_id)
        .where(changes.c.event == seq)
        .order_by(verdicts.c.rule)
    )
    for row in connection.execute(judged).mappings():
        clauses = msgspec.json.decode(row["clauses"], type=tuple[ClauseVerdict, ...])
        said[row["change_id"]].append(RuleVerdict(rule=row["rule"], verdict=row["verdict"], clauses=clauses))
    return tuple(change_record(row, said[row["id"]]) for row in found)


def change_record(row: RowMapping, said: Iterable[RuleVerdict] = ()) -> ChangeRecord:
    """Return the change that stands in a row, with what the rules said to it."""
    return ChangeRecord(
        id=row["id"],
        type=row["type"],
        action=row["action"],
        origin=row["origin"],
        author=row["author"],
        happened_at=from_ms(row["happened_at"]),
        facts=msgspec.json.decode(row["facts"], type=Facts),
        at=from_ms(row["at"]),
        verdicts=tuple(said),
    )


def _held(connection: Connection, ids: Sequence[str]) -> tuple[HeldRecord, ...]:
    query = (
        select(firing_changes.c.change_id, firing_changes.c.rule, windows.c.due_at)
        .join(windows, and_(windows.c.rule == firing_changes.c.rule, windows.c.subject == firing_changes.c.subject))
        .where(CHANGE_IS_HELD, firing_changes.c.change_id.in_(ids))
        .order_by(firing_changes.c.change_id, firing_changes.c.rule)
    )
    return tuple(
        HeldRecord(change=change, rule=rule, due_at=optional_moment(due_at))
        for change, rule, due_at in connection.execute(query)
    )


def _event(row: RowMapping) -> EventRecord:
    return EventRecord(
        seq=row["seq"],
        source=row["source"],
        id=row["id"],
        origin=row["origin"],
        type=row["type"],
        action=row["action"],
        project_id=row["project_id"],
        prompt=row["prompt"],
        received_at=from_ms(row["received_at"]),
        sent_at=optional_moment(row["sent_at"]),
        status=row["status"],
        reason=row["reason"],
        ruleset=row["ruleset"],
        routed_at=optional_moment(row["routed_at"]),
    )


def _delivery(row: RowMapping) -> DeliveryRecord:
    of_prompt = row["name"] is not None
    return DeliveryRecord(
        seq=row["seq"],
        id=row["key"],
        key=row["key"],
        firing=row["firing"],
        rule=row["rule"],
        mode=row["mode"],
        action=row["action"],
        position=row["position"],
        destination=row["destination"],
        type=row["type"],
        status=row["status"],
        reason=row["reason"],
        prompt=PromptKey(row["source"], row["project_id"], row["name"]) if of_prompt else None,
        about_trouble=row["about_trouble"],
        created_at=from_ms(row["created_at"]),
        due_at=from_ms(row["due_at"]),
        ended_at=optional_moment(row["ended_at"]),
        lease_until=optional_moment(row["lease_until"]),
        attempts=row["attempts"],
        wait=wait_of(row),
    )


def _attempt(row: RowMapping) -> AttemptRecord:
    return AttemptRecord(
        number=row["number"],
        started_at=from_ms(row["started_at"]),
        finished_at=optional_moment(row["finished_at"]),
        outcome=row["outcome"],
        status=row["status"],
        reason=row["reason"],
        excerpt=row["excerpt"],
    )


def _age(millis: int) -> timedelta:
    return max(timedelta(), timedelta(milliseconds=millis))
