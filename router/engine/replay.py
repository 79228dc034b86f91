"""Changes told again, as the rules in force would: what is not there yet is made, what was captured is let go.

The unit is what a rule told together. A change that it told goes with those that it told with it; of the others, what
would have been held back is told at once, together as it would have been.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.delivery import DeliveryStatus, NewDelivery
from router.domain.routing import Firing
from router.engine.firing import firings_of
from router.engine.plan import deliver, judge_all
from router.engine.ruleset import Rule, Ruleset

Batch: TypeAlias = Sequence[Change]


class Made(Struct, frozen=True):
    """The last delivery of an action to a destination; `again` as in NewDelivery."""

    key: str
    status: DeliveryStatus
    again: int


class Fired(Struct, frozen=True, kw_only=True):
    """How a rule told some changes before. `made` is by action and destination."""

    firing: Firing
    made: Mapping[tuple[str, str], Made]


class Past(Struct, frozen=True, kw_only=True):
    """What became of some changes, by change id and rule: told, or held (None). `changes`: all that were told."""

    told: Mapping[tuple[str, str], Fired | None]
    changes: Mapping[str, Change]


class Replay(Struct, frozen=True, kw_only=True):
    """What is to be stored, and let go (`released`: keys). `there` counts deliveries left as they are, `held` changes.

    `backfill`: changes that are not stored yet, with their events. `forced`: made although they were there.
    """

    ruleset: str
    firings: tuple[Firing, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    released: tuple[str, ...] = ()
    there: int = 0
    held: int = 0
    backfill: tuple[Change, ...] = ()
    forced: bool = False


def matching(
    ruleset: Ruleset, batches: Sequence[Batch], only: Collection[str] | None
) -> list[tuple[Rule, list[Batch]]]:
    """Return the rules that match (of `only` those), each with what it matches of each batch; decided among all."""
    found: dict[str, tuple[Rule, list[Batch]]] = {}
    for batch in batches:
        matched: dict[str, list[Change]] = {}
        rules: dict[str, Rule] = {}
        for change in batch:
            candidates = ruleset.candidates(change)
            for rule, verdict in zip(candidates, judge_all(ruleset, candidates, change), strict=True):
                if verdict.verdict == "match" and (only is None or rule.name in only):
                    rules[rule.name] = rule
                    matched.setdefault(rule.name, []).append(change)
        for name, told in matched.items():
            found.setdefault(name, (rules[name], []))[1].append(told)
    return sorted(found.values(), key=lambda one: one[0].index)


def replay(
    ruleset: Ruleset,
    matched: Sequence[tuple[Rule, Sequence[Batch]]],
    past: Past,
    *,
    now: datetime,
    capture: bool = False,
    force: bool = False,
) -> Replay:
    """Decide what is told again. `force`: what was made before is made once more, under a new key."""
    firings: list[Firing] = []
    deliveries: list[NewDelivery] = []
    released: list[str] = []
    there = held = 0
    for rule, batches in matched:
        fresh, told, waiting = _parted(rule, batches, past)
        held += waiting
        changes = {change.id: change for batch in batches for change in batch}
        for firing in _firings(rule, fresh, now):
            firings.append(firing)
            deliveries += deliver(ruleset, rule, firing, [changes[id] for id in firing.changes], capture=capture)
        for fired in told:
            again = {name: made.again + 1 for name, made in fired.made.items()} if force else {}
            all_told = [past.changes[id] for id in fired.firing.changes]
            firings.append(fired.firing)
            for new in deliver(ruleset, rule, fired.firing, all_told, capture=capture, again=again):
                made = fired.made.get((new.action, new.destination))
                if made is None or (force and new.status != "skipped"):
                    deliveries.append(new)
                elif made.status == "captured" and new.status == "pending":
                    released.append(made.key)
                else:
                    there += 1
    return Replay(
        ruleset=ruleset.digest,
        firings=tuple(firings),
        deliveries=tuple(deliveries),
        released=tuple(released),
        there=there,
        held=held,
        forced=force,
    )


def _parted(rule: Rule, batches: Sequence[Batch], past: Past) -> tuple[list[Batch], list[Fired], int]:
    """Return what the rule never told, batch by batch, how it told the others, and how many it holds back."""
    fresh: list[Batch] = []
    told: dict[str, Fired] = {}
    held = 0
    for batch in batches:
        new: list[Change] = []
        for change in batch:
            fired = past.told.get((change.id, rule.name))
            if fired is not None:
                told[fired.firing.id] = fired
            elif (change.id, rule.name) in past.told:
                held += 1
            else:
                new.append(change)
        if new:
            fresh.append(new)
    return fresh, list(told.values()), held


def _firings(rule: Rule, batches: Sequence[Batch], now: datetime) -> Iterator[Firing]:
    """Yield the firings, none of them held back: who asks does not want to wait."""
    if rule.collect is not None or rule.throttle is not None:
        batches = [[change for batch in batches for change in batch]]
    for batch in batches:
        for firing in firings_of(rule, batch, now):
            yield msgspec.structs.replace(firing, hold=None)
