"""One event through the real ledger and the real plan, without a store: for `dry-run`, tests and the playground."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.event import Event, EventStatus
from router.domain.ledger import Ledger
from router.engine.ledger import change_of, derive, with_contents
from router.engine.plan import Plan, plan
from router.engine.ruleset import Ruleset


class Preview(Struct, frozen=True, kw_only=True):
    """What would happen. `changes` has the one that somebody acted on first; it is empty if `status` tells nothing."""

    event: Event
    status: EventStatus
    reason: str
    changes: tuple[Change, ...]
    plan: Plan


def preview(
    ruleset: Ruleset,
    event: Event,
    previous: Sequence[Event] = (),
    known: Ledger | None = None,
    together: Sequence[Event] = (),
) -> Preview:
    """Apply `previous` in order as history, then plan `event` for the moment of its arrival.

    Every wait is taken as over: what would be told later is there as well, and of a throttled rule the first fires.
    Events `together` with it settle in the same batch: what they change is planned with what it changes. Events of
    other prompts or types, before or with it, change nothing that this one can see.
    """
    if event.prompt is None:
        change = change_of(event)
        return Preview(event=event, status="routed", reason="", changes=(change,), plan=_plan(ruleset, event, [change]))
    ledger = known or Ledger(prompt=event.prompt)
    for earlier in previous:
        if earlier.prompt == event.prompt:
            ledger = derive(ledger, [earlier]).ledger
    derived = derive(ledger, [event, *(other for other in together if other.prompt == event.prompt)])
    status, reason = derived.statuses[event.id]
    changes = tuple(with_contents(change, derived.ledger.contents) for change in derived.changes)
    ordered = tuple(
        sorted(changes, key=lambda change: (change.origin == "inferred", change.half, change.event.id != event.id))
    )
    return Preview(event=event, status=status, reason=reason, changes=ordered, plan=_plan(ruleset, event, ordered))


def only_rule(found: Preview, name: str) -> Preview:
    """Return what the preview says of that one rule, decided among all: a fallback depends on the others."""
    only = Plan(
        verdicts={
            id: tuple(verdict for verdict in verdicts if verdict.rule == name)
            for id, verdicts in found.plan.verdicts.items()
        },
        firings=tuple(firing for firing in found.plan.firings if firing.rule == name),
        deliveries=tuple(delivery for delivery in found.plan.deliveries if delivery.rule == name),
    )
    return msgspec.structs.replace(found, plan=only)


def _plan(ruleset: Ruleset, event: Event, changes: Sequence[Change]) -> Plan:
    return plan(ruleset, changes, now=event.received_at, capture=True, ahead=True, every_rule=True)
