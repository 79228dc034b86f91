"""The plan: which rules fire for which changes, and what will be sent where.

The one function that the service, `dry-run`, tests and previews share, so that a preview cannot disagree with
production. What is captured differs from what is sent in nothing but its status.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.delivery import NewDelivery, Trace
from router.domain.event import ROUTER_SOURCE
from router.domain.problem import RouterError
from router.domain.routing import ClauseVerdict, Firing, Later, RuleAnswer, RuleVerdict
from router.engine.action import CompiledAction, Nowhere, Target, lane_of, order_of, write
from router.engine.context import Told
from router.engine.firing import digest, firings_of
from router.engine.ruleset import Rule, Ruleset
from router.engine.writers.scene import Scene, Skipped, delivery_scene

MOST_LINKS: Final = 32
"""Other events that a delivery's trace names."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be stored. `verdicts`, by change id, are in the rules' order.

    Firings and deliveries follow the changes, and for each of them the rules. A firing that is told later has no
    deliveries, unless they were asked for ahead of their time.
    """

    verdicts: dict[str, tuple[RuleVerdict, ...]]
    firings: tuple[Firing, ...]
    deliveries: tuple[NewDelivery, ...]


def plan(
    ruleset: Ruleset,
    changes: Sequence[Change],
    *,
    now: datetime,
    capture: bool = False,
    ahead: bool = False,
    every_rule: bool = False,
) -> Plan:
    """Decide on `changes` of one settled batch, whose contents are loaded.

    With `capture` nothing will be sent. `ahead`: show also what would be sent later, as if its time had come and
    nothing else came until then. Only the rules that can match a change are asked; with `every_rule` all are, which
    changes nothing but `verdicts`: it has those that say no at a glance, too.
    """
    verdicts: dict[str, tuple[RuleVerdict, ...]] = {}
    matched: dict[str, tuple[Rule, list[Change]]] = {}
    for change in changes:
        rules = ruleset.rules if every_rule else ruleset.candidates(change)
        verdicts[change.id] = judge_all(ruleset, rules, change)
        for rule, verdict in zip(rules, verdicts[change.id], strict=True):
            if verdict.verdict == "match":
                matched.setdefault(rule.name, (rule, []))[1].append(change)
    place = {change.id: index for index, change in enumerate(changes)}
    fired = [
        (max(place[id] for id in firing.changes), rule, firing)
        for rule, told in matched.values()
        for firing in firings_of(rule, told, now)
    ]
    fired.sort(key=lambda found: (found[0], found[1].index))
    deliveries = [
        delivery
        for _, rule, firing in fired
        if ahead or not isinstance(firing.hold, Later)
        for delivery in deliver(ruleset, rule, firing, [changes[place[id]] for id in firing.changes], capture=capture)
    ]
    return Plan(verdicts=verdicts, firings=tuple(firing for _, _, firing in fired), deliveries=tuple(deliveries))


def judge_all(ruleset: Ruleset, rules: Sequence[Rule], change: Change) -> tuple[RuleVerdict, ...]:
    """Return what those rules say to a change; the fallbacks after all others, each where none before it fires.

    What is held back counts as fired, what a shadow rule does not.
    """
    verdicts = [judge(ruleset, rule, change) for rule in rules]
    fires = [
        rule.name
        for rule, verdict in zip(rules, verdicts, strict=True)
        if verdict.verdict == "match" and rule.mode == "live" and not rule.fallback
    ]
    for place, rule in enumerate(rules):
        if not rule.fallback or verdicts[place].verdict != "match":
            continue
        if fires:
            verdicts[place] = _kept_quiet(verdicts[place], fires)
        elif rule.mode == "live":
            fires.append(rule.name)
    return tuple(verdicts)


def judge(ruleset: Ruleset, rule: Rule, change: Change) -> RuleVerdict:
    """Return what a rule by itself says to a change, clause by clause. A disabled rule still explains itself."""
    said = rule.match.decide(change, ruleset.setting(rule))
    answer: RuleAnswer = "match" if said.answer == "yes" else said.answer
    return RuleVerdict(rule=rule.name, verdict=answer if rule.enabled else "disabled", clauses=said.clauses)


def _kept_quiet(verdict: RuleVerdict, fires: Sequence[str]) -> RuleVerdict:
    clause = ClauseVerdict(clause="fallback", wanted="no other rule fires", got=list(fires), verdict="no")
    return msgspec.structs.replace(verdict, verdict="no", clauses=(*verdict.clauses, clause))


def deliver(
    ruleset: Ruleset,
    rule: Rule,
    firing: Firing,
    changes: Sequence[Change],
    *,
    capture: bool = False,
    again: Mapping[tuple[str, str], int] = {},
) -> list[NewDelivery]:
    """Return a delivery for every action and destination, also for those that are skipped or cannot be made.

    `changes` are those of the firing, in its order. `again` counts, by action and destination, those made before that
    these come beside.
    """
    setting = ruleset.setting(rule, held=len(changes) if isinstance(firing.hold, Later) else 0)
    told = tuple(Told(change, rule.match.label(change, setting)) for change in changes)
    scene = Scene(told=told, setting=setting)
    unsent = capture or rule.mode == "shadow"
    trace = _trace(changes)
    return [
        _delivery(
            firing, action, target, scene, trace, unsent=unsent, again=again.get((action.key, target.destination), 0)
        )
        for action in rule.actions
        for target in action.reached(scene)
    ]


def _trace(told: Sequence[Change]) -> Trace | None:
    last = told[-1]
    if last.event.trace is None:
        return None
    others = dict.fromkeys(one.event.trace for one in reversed(told) if one.event.trace not in (None, last.event.trace))
    return Trace(
        parent=last.event.trace,
        event=last.event.id,
        change=last.id,
        links=tuple(filter(None, others))[:MOST_LINKS],
    )


def _delivery(
    firing: Firing,
    action: CompiledAction,
    target: Target | Nowhere,
    scene: Scene,
    trace: Trace | None,
    *,
    unsent: bool,
    again: int,
) -> NewDelivery:
    key = digest(firing.id, action.key, target.destination, *([str(again)] if again else []))
    scene = delivery_scene(scene, key)
    delivery = NewDelivery(
        key=key,
        firing=firing.id,
        rule=firing.rule,
        action=action.key,
        position=action.position,
        destination=target.destination,
        type=target.type,
        status="captured" if unsent else "pending",
        message=None,
        about_trouble=any(one.change.event.source == ROUTER_SOURCE for one in scene.told),
        order=None if isinstance(target, Nowhere) else order_of(target, scene),
        again=again,
        trace=trace,
        arrived_at=_arrived_at(firing, scene.told),
    )
    try:
        if action.condition is not None and not action.condition.truth(scene.context):
            return msgspec.structs.replace(delivery, status="skipped", reason="its `if` is false")
        if isinstance(target, Nowhere):
            return msgspec.structs.replace(delivery, status="dead", reason=target.reason)
        message = write(target.writer, scene)
        return msgspec.structs.replace(delivery, message=message, lane=lane_of(message))
    except Skipped as reason:
        return msgspec.structs.replace(delivery, status="skipped", reason=str(reason))
    except RouterError as error:
        return msgspec.structs.replace(delivery, status="dead", reason=f"cannot be rendered: {error}")


def _arrived_at(firing: Firing, told: Sequence[Told]) -> datetime | None:
    """Return when the last of the events came that are told at once: neither gathered first, nor told again."""
    if isinstance(firing.hold, Later) or any(one.change.replayed or one.change.origin == "backfill" for one in told):
        return None
    return max(one.change.event.received_at for one in told)
