"""Telling again: which changes are meant, what became of them, and storing what is made of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select, update

from router.domain.change import Change
from router.domain.delivery import Mode
from router.domain.event import PromptKey
from router.domain.routing import Firing
from router.engine.order import in_order
from router.engine.replay import Fired, Made, Past, Replay
from router.storage import changes as stored
from router.storage import deliveries as outbox
from router.storage.clock import Millis, now_ms, to_ms
from router.storage.events import found_event, receive
from router.storage.held import only_prompt
from router.storage.history import of_events
from router.storage.ledgers import is_prompt
from router.storage.records import EventFilter
from router.storage.routings import link
from router.storage.statements import batched
from router.storage.tables import EVENT_WAITS, changes, deliveries, events, firing_changes, firings, prompts


class Place(Struct, frozen=True):
    """A stored change: what its batch shares with no other, and the number of its event."""

    change: str
    batch: tuple[int, int]
    event: int


class Replayed(Struct, frozen=True, kw_only=True):
    """The keys of the deliveries that were made, and let go. `superseded`: those made of which a newer one is there."""

    made: tuple[str, ...]
    released: tuple[str, ...]
    superseded: tuple[str, ...]


def places(connection: Connection, wanted: EventFilter | Collection[int]) -> list[Place]:
    """Return what those events changed (the filter's, or those of these numbers), batch by batch, the oldest first."""
    query = select(changes.c.id, changes.c.prompt, changes.c.at, changes.c.seq, changes.c.event).where(
        changes.c.origin != "backfill"
    )
    query = query.join(events, events.c.seq == changes.c.event)
    if isinstance(wanted, EventFilter):
        rows = list(connection.execute(query.where(*of_events(connection, wanted))))
    else:
        rows = [row for some in batched(wanted) for row in connection.execute(query.where(events.c.seq.in_(some)))]
    first: dict[tuple[int, int], int] = {}
    found = []
    for id_, prompt, at, seq, event in sorted(rows, key=lambda row: row[3]):
        batch = (-seq, at) if prompt is None else (prompt, at)
        first.setdefault(batch, seq)
        found.append((first[batch], seq, Place(id_, batch, event)))
    return [place for *_, place in sorted(found, key=lambda one: one[:2])]


def past(connection: Connection, ids: Iterable[str]) -> Past:
    """Return what became of those changes, with all that were told together with one of them."""
    links: dict[tuple[str, str], str | None] = {}
    for some in batched(ids):
        query = select(firing_changes.c.change_id, firing_changes.c.rule, firing_changes.c.firing)
        links |= {
            (id_, rule): firing
            for id_, rule, firing in connection.execute(query.where(firing_changes.c.change_id.in_(some)))
        }
    told, told_changes = _fired(connection, {firing for firing in links.values() if firing is not None})
    return Past(
        told={link: None if firing is None else told[firing] for link, firing in links.items()}, changes=told_changes
    )


def _fired(connection: Connection, ids: Collection[str]) -> tuple[dict[str, Fired], dict[str, Change]]:
    of: dict[str, list[str]] = {}
    heads: dict[str, tuple[str, Mode]] = {}
    made: dict[str, dict[tuple[str, str], Made]] = {id_: {} for id_ in ids}
    for some in batched(sorted(ids)):
        pairs = select(firing_changes.c.firing, firing_changes.c.change_id)
        for firing, change in connection.execute(pairs.where(firing_changes.c.firing.in_(some))):
            of.setdefault(firing, []).append(change)
        head = select(firings.c.id, firings.c.rule, firings.c.mode).where(firings.c.id.in_(some))
        heads |= {id_: (rule, mode) for id_, rule, mode in connection.execute(head)}
        out = select(
            deliveries.c.firing,
            deliveries.c.action,
            deliveries.c.destination,
            deliveries.c.key,
            deliveries.c.status,
            deliveries.c.again,
        )
        last = out.where(deliveries.c.firing.in_(some)).order_by(deliveries.c.again)
        for firing, action, destination, key, status, again in connection.execute(last):
            made[firing][action, destination] = Made(key, status, again)
    told = {change.id: change for change in stored.by_id(connection, {id_ for some in of.values() for id_ in some})}
    places = {id_: place for place, id_ in enumerate(told)}
    fired = {
        id_: Fired(
            firing=Firing(
                id=id_,
                rule=heads[id_][0],
                mode=heads[id_][1],
                changes=tuple(one.id for one in in_order(told[one] for one in _sorted(of[id_], places))),
            ),
            made=made[id_],
        )
        for id_ in ids
    }
    return fired, told


def _sorted(ids: Iterable[str], places: Mapping[str, int]) -> list[str]:
    """Return those that are still kept, in the order in which the ledger told them."""
    return sorted((id_ for id_ in ids if id_ in places), key=places.__getitem__)


def commit(connection: Connection, found: Replay, at: datetime) -> Replayed:
    """Store a replay whole. What somebody else told meanwhile is passed over."""
    _add_backfill(connection, found, at)
    new, linked = link(connection, [(firing, found.ruleset) for firing in found.firings], to_ms(at))
    of_firing = {firing.id: firing.changes for firing in found.firings if firing.id not in new - linked}
    about = {id_: only_prompt(connection, ids) for id_, ids in of_firing.items()}
    planned = [(delivery, about[delivery.firing]) for delivery in found.deliveries if delivery.firing in of_firing]
    made = outbox.add(connection, planned)
    superseded = [] if found.forced else _supersede(connection, made)
    return Replayed(
        made=tuple(made),
        released=tuple(outbox.retry(connection, found.released)),
        superseded=tuple(superseded),
    )


def _add_backfill(connection: Connection, found: Replay, at: datetime) -> None:
    """Store changes that nobody made, with their events: routed already, for one rule only."""
    if not found.backfill:
        return
    arrived = {change.event.id: found_event(change.event, at) for change in found.backfill}
    receive(connection, list(arrived.values()))
    for some in batched(arrived):
        routed = {"status": "routed", "reason": "told on request", "ruleset": found.ruleset, "routed_at": to_ms(at)}
        connection.execute(update(events).where(EVENT_WAITS, events.c.id.in_(some)).values(routed))
    numbers: dict[PromptKey | None, int | None] = {None: None}
    for change in found.backfill:
        if change.prompt is not None and change.prompt not in numbers:
            numbers[change.prompt] = connection.scalar(select(prompts.c.id).where(is_prompt(change.prompt)))
    stored.add(connection, [(change, numbers[change.prompt]) for change in found.backfill], to_ms(at))


def _supersede(connection: Connection, made: Sequence[str]) -> list[str]:
    """Cancel those that keep an order, and about a newer change of whose prompt there is one already."""
    now: Millis = connection.execute(select(now_ms())).scalar_one()
    cancelled: list[str] = []
    for some in batched(made):
        mine, other = deliveries.alias("mine"), deliveries.alias("other")
        ordered = (
            select(mine.c.key, other.c.key)
            .select_from(mine)
            .join(
                other,
                (other.c.destination == mine.c.destination)
                & (other.c.type == mine.c.type)
                & (other.c.order_key == mine.c.order_key)
                & other.c.status.in_(("pending", "sending", "retrying", "delivered"))
                & (_last_change(other.c.firing) > _last_change(mine.c.firing)),
            )
        )
        found = connection.execute(ordered.where(mine.c.key.in_(some), mine.c.status == "pending"))
        newer = {mine_key: other_key for mine_key, other_key in found}  # noqa: C416 -- rows are no tuples to mypy
        for key, by in newer.items():
            ended = {"status": "cancelled", "reason": f"superseded by {by}", "ended_at": now}
            connection.execute(update(deliveries).where(deliveries.c.key == key).values(ended))
        cancelled += newer
    return cancelled


def _last_change(firing: ColumnElement[str]) -> ScalarSelect[int]:
    """Select the number of the last change that a firing tells."""
    told = firing_changes.alias()
    query = select(func.max(changes.c.seq)).join(told, told.c.change_id == changes.c.id)
    return query.where(told.c.firing == firing).scalar_subquery()
