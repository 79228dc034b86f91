"""Storing what routing found out: ledger, events, changes, verdicts, firings and deliveries, in one transaction.

What is there already is passed over in silence: change ids, (change, rule), (firing, action, destination) and keys
are unique, so a routing that is repeated after a crash, or told twice by two automations, adds nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, update

from router.domain.change import Change, Move, Version
from router.domain.routing import Firing, Routing
from router.storage import destinations, ledgers
from router.storage.clock import Millis, now_ms, to_ms
from router.storage.statements import Row, add_new, batched, insert_new
from router.storage.tables import (
    EVENT_WAITS,
    changes,
    deliveries,
    events,
    firing_changes,
    firings,
    rulesets,
    verdicts,
    words,
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


class _Accepted(Struct, frozen=True):
    """A routing whose ledger is stored; `prompt` is its prompt's number in the store."""

    routing: Routing
    prompt: int | None


def commit(connection: Connection, routings: Sequence[Routing], at: datetime) -> list[bool]:
    """Store each routing whole, or not at all (False) where another one of the same events came first.

    `at` is the time of routing; deliveries are due at once, by the database's clock.
    """
    accepted: list[_Accepted] = []
    answers: list[bool] = []
    for routing in routings:
        if routing.ledger is None:
            prompt, current = None, _still_wait(connection, routing)
        else:
            prompt = ledgers.save(connection, routing.ledger)
            current = prompt is not None
        answers.append(current)
        if current:
            accepted.append(_Accepted(routing, prompt))
    _settle_events(connection, accepted, to_ms(at))
    _add_changes(connection, accepted, to_ms(at))
    told = _add_firings(connection, accepted, to_ms(at))
    _add_deliveries(connection, accepted, told)
    return answers


def save_ruleset(connection: Connection, digest: str, text: str) -> None:
    add_new(
        connection, rulesets, [{"digest": digest, "text": text, "first_used_at": connection.scalar(select(now_ms()))}]
    )


def ruleset(connection: Connection, digest: str) -> str | None:
    """Return the rules that once were in force, as they were saved."""
    return connection.scalar(select(rulesets.c.text).where(rulesets.c.digest == digest))


def _still_wait(connection: Connection, routing: Routing) -> bool:
    for some in batched(event.seq for event in routing.events):
        query = select(events.c.seq).where(EVENT_WAITS, events.c.seq.in_(some)).with_for_update()
        if len(connection.execute(query).all()) < len(some):
            return False
    return True


def _settle_events(connection: Connection, accepted: Iterable[_Accepted], at: Millis) -> None:
    rows = [
        {
            "of": event.seq,
            "status": event.status,
            "reason": event.reason,
            "ruleset": one.routing.ruleset,
            "routed_at": at,
        }
        for one in accepted
        for event in one.routing.events
    ]
    if rows:
        connection.execute(update(events).where(EVENT_WAITS, events.c.seq == bindparam("of")), rows)


def _add_changes(connection: Connection, accepted: Iterable[_Accepted], at: Millis) -> None:
    told: list[Row] = []
    judged: list[Row] = []
    for one in accepted:
        told.extend(_change_row(change, one.prompt, at) for change in one.routing.changes)
        for change_id, said in one.routing.verdicts.items():
            judged.extend(
                {
                    "change_id": change_id,
                    "rule": verdict.rule,
                    "verdict": verdict.verdict,
                    "clauses": _json(verdict.clauses),
                }
                for verdict in said
            )
    if told:
        of = (
            select(events.c.seq)
            .where(events.c.source == bindparam("event_source"), events.c.id == bindparam("event_id"))
            .scalar_subquery()
        )
        connection.execute(insert_new(changes).values(event=of), told)
    add_new(connection, verdicts, judged)


def _add_firings(connection: Connection, accepted: Iterable[_Accepted], at: Millis) -> set[str]:
    """Store the firings. Return the ids of those that may tell: not the ones whose changes were all told before."""
    fired: dict[str, tuple[Firing, str]] = {
        firing.id: (firing, one.routing.ruleset) for one in accepted for firing in one.routing.firings
    }
    if not fired:
        return set()
    rows = [
        {"id": firing.id, "rule": firing.rule, "mode": firing.mode, "ruleset": ruleset, "at": at}
        for firing, ruleset in fired.values()
    ]
    new = set(connection.execute(insert_new(firings).returning(firings.c.id), rows).scalars())
    links = [
        {"change_id": change_id, "rule": fired[id_][0].rule, "firing": id_}
        for id_ in sorted(new)
        for change_id in fired[id_][0].changes
    ]
    linked: set[str] = set()
    if links:
        first = insert_new(firing_changes).returning(firing_changes.c.firing)
        linked = set(connection.execute(first, links).scalars())
    for repeated in batched(new - linked):
        connection.execute(delete(firings).where(firings.c.id.in_(repeated)))
    return fired.keys() - (new - linked)


def _add_deliveries(connection: Connection, accepted: Iterable[_Accepted], told: set[str]) -> None:
    rows = [
        {
            "key": delivery.key,
            "firing": delivery.firing,
            "rule": delivery.rule,
            "action": delivery.action,
            "position": delivery.position,
            "destination": delivery.destination,
            "type": delivery.type,
            "status": delivery.status,
            "message": None if delivery.message is None else _json(delivery.message),
            "reason": delivery.reason,
            "prompt": one.prompt,
            "about_trouble": delivery.about_trouble,
            "order_key": delivery.order,
            "attempts": 0,
            "fence": 0,
        }
        for one in accepted
        for delivery in one.routing.deliveries
        if delivery.firing in told
    ]
    if not rows:
        return
    now = now_ms()
    connection.execute(insert_new(deliveries).values(created_at=now, queued_at=now, due_at=now), rows)
    named = {(str(row["destination"]), str(row["type"])) for row in rows}
    destinations.add(connection, sorted(named))


def _change_row(change: Change, prompt: int | None, at: Millis) -> Row:
    return {
        "id": change.id,
        "event_source": change.event.source,
        "event_id": words(change.event.id),
        "prompt": prompt,
        "version_id": None if change.version is None else change.version.id,
        "version": None if change.version is None else change.version.number,
        "type": change.type,
        "action": change.action,
        "origin": change.origin,
        "facts": _json(_facts(change)),
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


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
