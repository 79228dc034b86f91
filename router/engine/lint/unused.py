"""What nobody uses, and what is there twice."""

from collections.abc import Iterator

import msgspec

from router.engine.compile import action_key
from router.engine.lint.terms import names_used
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile, RuleSpec, dotted
from router.engine.rulesfile.positions import Path


def unused_destinations(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield the destinations that no action can reach and no used one extends."""
    used: set[str] = set()
    for rule in ruleset.rules:
        for action in rule.actions:
            for target in action.targets:
                used.update(file.merged.ancestry(target.destination) if target.destination not in used else ())
    for name in ruleset.destinations:
        if name not in used:
            yield ("destinations", name), "nobody sends there: name it in the `to` of a rule, or remove it"


def unused_actions(file: RulesFile) -> Iterator[tuple[Path, str]]:
    used: set[Path] = set()
    for rule in file.rules:
        for position in range(len(rule.actions)):
            used.update(file.merged.lineage(("rules", rule.index, "actions", position)))
    for name in file.actions:
        if ("actions", name) not in used:
            yield ("actions", name), "nobody uses it: say `use` in an action, or remove it"


def unused_names(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield the [matches] and [times] that no rule names, also through others."""
    used = {path for rule in ruleset.rules for path in names_used(rule.match)}
    for name in file.matches:
        if ("matches", name) not in used:
            yield ("matches", name), "no rule names it: put it into `any`, `all` or `none` of a match, or remove it"
    for name in file.times:
        if ("times", name) not in used:
            yield ("times", name), "no rule names it: say `during` in a match, or remove it"


def duplicate_rules(file: RulesFile) -> Iterator[tuple[Path, str]]:
    """Yield the enabled rules that do what an earlier one does."""
    first: dict[bytes, RuleSpec] = {}
    for rule in file.rules:
        earlier = first.setdefault(_behaviour(rule), rule) if rule.enabled else rule
        if earlier is not rule:
            where: Path = ("rules", earlier.index)
            what = f'does the same as {dotted(where)} "{earlier.name}" ({file.place(*where)}): all is told twice'
            yield ("rules", rule.index), f"{what}; remove one of them"


def _behaviour(rule: RuleSpec) -> bytes:
    """Return what a rule does, in one text: all but what it is called and where it stands."""
    told = msgspec.to_builtins(rule, builtin_types=(), str_keys=True)
    told |= {"name": "", "description": "", "index": 0, "actions": sorted(map(action_key, rule.actions))}
    return msgspec.json.encode(told, order="deterministic")
