"""Storing what routing found out: ledger, events, changes, verdicts, firings and deliveries, in one transaction.

What is there already is passed over in silence: change ids, (change, rule), (firing, action, destination) and keys
are unique, so a routing that is repeated after a crash, or told twice by two automations, adds nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, update

from router.domain.delivery import Claim
from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.domain.routing import Firing, Later, Routing, Throttle
from router.storage import changes, deliveries, held, ledgers
from router.storage.bound import among
from router.storage.clock import Millis, now_ms, to_ms
from router.storage.deliveries import Wanted
from router.storage.statements import Row, add_new, batched
from router.storage.tables import EVENT_WAITS, events, firing_changes, firings, rulesets, verdicts

# made once: to make a statement takes longer than to execute it
_WAITING: Final = (
    select(events.c.seq).where(EVENT_WAITS, among(events.c.seq, "seqs")).order_by(events.c.seq).with_for_update()
)
_SETTLE: Final = (
    update(events)
    .where(EVENT_WAITS, among(events.c.seq, "seqs"))
    .values({name: bindparam(f"new_{name}") for name in ("status", "reason", "ruleset", "routed_at")})
)


class _Accepted(Struct, frozen=True):
    """A routing whose ledger is stored; `prompt` is its prompt's number in the store."""

    routing: Routing
    prompt: int | None


class Committed(Struct, frozen=True):
    """What came of each routing, None: it was not stored. `claims`: deliveries that can be sent at once."""

    routings: Sequence[Routing | None]
    claims: Sequence[Claim]


def commit(
    connection: Connection,
    routings: Sequence[Routing],
    at: datetime,
    read: Mapping[PromptKey, Ledger],
    wanted: Mapping[str, Wanted],
) -> Committed:
    """Store each routing whole, or not at all where another one of the same events came first.

    Of what was stored, the firings are those that fired, or were held (then `hold` says how), and the deliveries are
    those of the former. `at` is the time of routing; deliveries are due at once, by the database's clock. `read`: the
    ledgers that they were derived from, as far as they are still at hand. Where some were made for a destination that
    is `wanted`, those that are due there are claimed: what is at rest need not be looked for, nor claimed in a
    transaction of its own.
    """
    accepted: list[_Accepted] = []
    current: list[bool] = []
    numbers = iter(ledgers.save(connection, [one.ledger for one in routings if one.ledger is not None], read))
    of_no_prompt = [event.seq for routing in routings if routing.ledger is None for event in routing.events]
    waiting = _still_waiting(connection, of_no_prompt)
    for routing in routings:
        prompt = None if routing.ledger is None else next(numbers)
        wait = waiting.issuperset(event.seq for event in routing.events)
        current.append(wait if routing.ledger is None else prompt is not None)
        if current[-1]:
            accepted.append(_Accepted(routing, prompt))
    _settle_events(connection, accepted, to_ms(at))
    told = [(change, one.prompt) for one in accepted for change in one.routing.changes]
    changes.add(connection, told, to_ms(at))
    _add_verdicts(connection, accepted)
    fired = _add_firings(connection, accepted, to_ms(at))
    stored = [_Accepted(_as_stored(one.routing, fired), one.prompt) for one in accepted]
    deliveries.add(connection, [(new, one.prompt) for one in stored for new in one.routing.deliveries])
    made = {new.destination for one in stored for new in one.routing.deliveries if new.status == "pending"}
    claims = deliveries.take(connection, {name: wanted[name] for name in made if name in wanted})
    answers = iter(stored)
    return Committed([next(answers).routing if taken else None for taken in current], claims)


def save_ruleset(connection: Connection, digest: str, text: str) -> None:
    add_new(
        connection, rulesets, [{"digest": digest, "text": text, "first_used_at": connection.scalar(select(now_ms()))}]
    )


def ruleset(connection: Connection, digest: str) -> str | None:
    """Return the rules that once were in force, as they were saved."""
    return connection.scalar(select(rulesets.c.text).where(rulesets.c.digest == digest))


def _still_waiting(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Return which of the events wait; until the transaction ends nobody else can settle them."""
    return set(connection.execute(_WAITING, {"seqs": list(seqs)}).scalars())


def _settle_events(connection: Connection, accepted: Iterable[_Accepted], at: Millis) -> None:
    """Record how the events ended; those that ended alike by one statement."""
    alike: dict[tuple[str, str, str], list[int]] = {}
    for one in accepted:
        for event in one.routing.events:
            alike.setdefault((event.status, event.reason, one.routing.ruleset), []).append(event.seq)
    for (status, reason, ruleset), seqs in alike.items():
        ended = {"new_status": status, "new_reason": reason, "new_ruleset": ruleset, "new_routed_at": at}
        connection.execute(_SETTLE, {"seqs": seqs, **ended})


def _add_verdicts(connection: Connection, accepted: Iterable[_Accepted]) -> None:
    rows = [
        {
            "change_id": change_id,
            "rule": verdict.rule,
            "verdict": verdict.verdict,
            "clauses": msgspec.json.encode(verdict.clauses).decode(),
        }
        for one in accepted
        for change_id, said in one.routing.verdicts.items()
        for verdict in said
    ]
    add_new(connection, verdicts, rows)


def _as_stored(routing: Routing, fired: dict[str, Firing]) -> Routing:
    """Return the routing with what became of its firings; those that are in `fired` without a hold may tell."""
    return msgspec.structs.replace(
        routing,
        firings=tuple(fired[firing.id] for firing in routing.firings if firing.id in fired),
        deliveries=tuple(
            delivery
            for delivery in routing.deliveries
            if delivery.firing in fired and fired[delivery.firing].hold is None
        ),
    )


def _add_firings(connection: Connection, accepted: Iterable[_Accepted], at: Millis) -> dict[str, Firing]:
    """Store the firings. Return by id those that fire now (`hold` None) or are held.

    Those are missing whose changes were all told, or are all held, before.
    """
    planned: dict[str, tuple[Firing, str]] = {
        firing.id: (firing, one.routing.ruleset) for one in accepted for firing in one.routing.firings
    }
    new, linked = link(connection, [found for found in planned.values() if not isinstance(found[0].hold, Later)], at)
    fired: dict[str, Firing] = {}
    # windows are locked in one order, so that two replicas seldom wait for each other's
    for firing, _ in sorted(planned.values(), key=lambda found: _window(found[0])):
        match firing.hold:
            case Later() as later:
                if held.hold(connection, firing.rule, later, firing.changes):
                    fired[firing.id] = firing
            case Throttle() as throttle if firing.id in linked and not held.is_free(connection, firing.rule, throttle):
                _unlink(connection, firing, throttle)
                fired[firing.id] = firing
            case _ if firing.id in linked or firing.id not in new:
                fired[firing.id] = msgspec.structs.replace(firing, hold=None)
    return fired


def link(connection: Connection, planned: Iterable[tuple[Firing, str]], at: Millis) -> tuple[set[str], set[str]]:
    """Store firings with their changes. Return the ids of the new ones, and of those with something new to tell."""
    fired = {firing.id: (firing, ruleset) for firing, ruleset in planned}
    if not fired:
        return set(), set()
    rows = [
        {"id": firing.id, "rule": firing.rule, "mode": firing.mode, "ruleset": ruleset, "at": at}
        for firing, ruleset in fired.values()
    ]
    new = {id_ for (id_,) in add_new(connection, firings, rows, "id")}
    links: list[Row] = [
        {"change_id": change_id, "rule": fired[id_][0].rule, "firing": id_}
        for id_ in sorted(new)
        for change_id in fired[id_][0].changes
    ]
    linked = {firing for (firing,) in add_new(connection, firing_changes, links, "firing")}
    for repeated in batched(new - linked):
        connection.execute(delete(firings).where(firings.c.id.in_(repeated)))
    return new, linked


def _unlink(connection: Connection, firing: Firing, throttle: Throttle) -> None:
    """Hold what a firing would have told."""
    of_firing = firing_changes.c.firing == firing.id
    connection.execute(update(firing_changes).where(of_firing).values(firing=None, subject=throttle.subject))
    connection.execute(delete(firings).where(firings.c.id == firing.id))


def _window(firing: Firing) -> tuple[str, str]:
    return firing.rule, "" if firing.hold is None else firing.hold.subject
