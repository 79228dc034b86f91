"""The plan: which rules fire for which changes, and what will be sent where.

The one function that the service, `dry-run`, tests and previews share, so that a preview cannot disagree with
production. What is captured differs from what is sent in nothing but its status.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.delivery import NewDelivery
from router.domain.event import ROUTER_SOURCE
from router.domain.problem import RouterError
from router.domain.routing import Firing, RuleVerdict
from router.engine.action import CompiledAction, Scene, Skipped, Target, order_of, write
from router.engine.context import Told, context_of
from router.engine.match import combined
from router.engine.ruleset import Rule, Ruleset


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be stored. `verdicts` holds every rule's, by change id; the deliveries are in the rules' order."""

    verdicts: dict[str, tuple[RuleVerdict, ...]]
    firings: tuple[Firing, ...]
    deliveries: tuple[NewDelivery, ...]


def plan(ruleset: Ruleset, changes: Sequence[Change], *, capture: bool = False) -> Plan:
    """Decide on `changes`, whose contents are loaded. With `capture` nothing will be sent."""
    verdicts: dict[str, tuple[RuleVerdict, ...]] = {}
    firings: list[Firing] = []
    deliveries: list[NewDelivery] = []
    for change in changes:
        verdicts[change.id] = tuple(judge(rule, change) for rule in ruleset.rules)
        for rule, verdict in zip(ruleset.rules, verdicts[change.id], strict=True):
            if verdict.verdict == "match":
                firing = fire(rule, [change])
                firings.append(firing)
                deliveries += deliver(ruleset, rule, firing, [change], capture=capture)
    return Plan(verdicts=verdicts, firings=tuple(firings), deliveries=tuple(deliveries))


def judge(rule: Rule, change: Change) -> RuleVerdict:
    """Return what a rule says to a change, clause by clause. A disabled rule still explains itself."""
    clauses = rule.match.verdicts(change)
    verdict = combined(clause.verdict for clause in clauses) if rule.enabled else "disabled"
    return RuleVerdict(rule=rule.name, verdict=verdict, clauses=clauses)


def fire(rule: Rule, changes: Sequence[Change]) -> Firing:
    ids = tuple(change.id for change in changes)
    return Firing(id=_digest(rule.name, *sorted(ids)), rule=rule.name, mode=rule.mode, changes=ids)


def deliver(
    ruleset: Ruleset, rule: Rule, firing: Firing, changes: Sequence[Change], *, capture: bool = False
) -> list[NewDelivery]:
    """Return a delivery for every action and destination, also for those that are skipped or cannot be made."""
    scene = Scene(
        told=tuple(Told(change, rule.match.label(change)) for change in changes),
        setting=ruleset.setting(rule),
        context={},
    )
    scene = msgspec.structs.replace(scene, context=context_of(scene.told, scene.setting))
    held_back = capture or rule.mode == "shadow"
    return [
        _delivery(firing, action, target, scene, held_back=held_back)
        for action in rule.actions
        for target in action.targets
    ]


def _delivery(firing: Firing, action: CompiledAction, target: Target, scene: Scene, *, held_back: bool) -> NewDelivery:
    key = _digest(firing.id, action.key, target.destination)
    scene = msgspec.structs.replace(scene, context=scene.context | {"delivery": {"key": key}})
    delivery = NewDelivery(
        key=key,
        firing=firing.id,
        rule=firing.rule,
        action=action.key,
        position=action.position,
        destination=target.destination,
        type=target.type,
        status="captured" if held_back else "pending",
        message=None,
        about_trouble=scene.told[-1].change.event.source == ROUTER_SOURCE,
        order=order_of(target, scene),
    )
    try:
        if action.condition is not None and not action.condition.truth(scene.context):
            return msgspec.structs.replace(delivery, status="skipped", reason="its `if` is false")
        return msgspec.structs.replace(delivery, message=write(target.writer, scene))
    except Skipped as reason:
        return msgspec.structs.replace(delivery, status="skipped", reason=str(reason))
    except RouterError as error:
        return msgspec.structs.replace(delivery, status="dead", reason=f"cannot be rendered: {error}")


def _digest(*facts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]
