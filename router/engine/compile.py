"""From a rules file to a ruleset: everything that can fail about it is tried here, and every fault is told at once."""

import hashlib
import re
from collections.abc import Iterable, Iterator

import msgspec

from router.domain.json import JsonObject
from router.domain.problem import Problem, RulesError
from router.engine.action import compile_action
from router.engine.index import Index
from router.engine.match import Vocabulary, compile_match, compile_matches
from router.engine.ruleset import Rule, Ruleset
from router.engine.rulesfile import RulesFile, RuleSpec
from router.engine.rulesfile.positions import Path
from router.engine.to import Faults
from router.engine.trial import try_rules


def compile_ruleset(file: RulesFile) -> Ruleset:
    """Compile every match and action. Raises RulesError with every fault found in the file."""
    vocabulary, faults = compile_matches(file.matches, file.times, file.vars)
    problems = [file.problem(path, what) for path, what in faults]
    rules = tuple(_compile_rule(file, spec, vocabulary, problems) for spec in file.rules)
    problems = [*file.problems, *_of_their_own(problems, file.problems)]
    if problems:
        raise RulesError(file.in_order(problems))
    canonical = file.canonical()
    ruleset = Ruleset(
        digest=hashlib.sha256(canonical).hexdigest()[:16],
        text=canonical.decode(),
        rules=rules,
        index=Index(rule.match for rule in rules),
        sources=file.sources,
        destinations=file.destinations,
        vars=file.vars,
    )
    problems = [
        file.problem(("rules", rule.index, "actions", position), what) for rule, position, what in try_rules(ruleset)
    ]
    if problems:
        raise RulesError(file.in_order(problems))
    return ruleset


def _of_their_own(problems: Iterable[Problem], read: Iterable[Problem]) -> Iterator[Problem]:
    """Yield those that do not only follow from what could not be read: at their place, or within it."""
    unread: set[tuple[str, str]] = set()
    for problem in read:
        cuts = [*(match.start() for match in re.finditer(r"[.\[]", problem.path)), len(problem.path)]
        unread |= {(problem.place.file, problem.path[:cut]) for cut in cuts}
    for problem in problems:
        if (problem.place.file, problem.path) not in unread:
            yield problem


def _compile_rule(file: RulesFile, spec: RuleSpec, vocabulary: Vocabulary, problems: list[Problem]) -> Rule:
    def fault(path: Path, what: str) -> None:
        problems.append(file.problem(path, what))

    where: Path = ("rules", spec.index)
    match, faults = compile_match(spec.match, vocabulary)
    for below, what in faults:
        fault((*where, "match", *below), what)
    actions = []
    keys: dict[str, int] = {}
    for position, table in enumerate(spec.actions):
        key = action_key(table)
        action, action_faults = compile_action(table, position, key, file.destinations, file.vars)
        actions.append(action)
        if keys.setdefault(key, position) != position:
            action_faults.append(((), f"the same as actions[{keys[key]}]; give one of them an `id`"))
        if not file.complete and _may_mean_more(file, (*where, "actions", position), action_faults):
            continue
        for below, what in action_faults:
            fault(below if below[:1] in (("destinations",), ("vars",)) else (*where, "actions", position, *below), what)
    return Rule(
        name=spec.name,
        description=spec.description,
        enabled=spec.enabled,
        mode=spec.mode,
        group=spec.group,
        fallback=spec.fallback,
        throttle=spec.throttle,
        collect=spec.collect,
        match=match,
        actions=tuple(actions),
        index=spec.index,
    )


def _may_mean_more(file: RulesFile, action: Path, faults: Faults) -> bool:
    """Tell whether an action may use or reach what could not be read, so that its faults say nothing."""
    return "use" in file.merged.table(action) or any(below[:1] in (("to",), ("vars",)) for below, _ in faults)


def action_key(table: JsonObject) -> str:
    """Return the action's identity: its `id`, else the digest of its own table; never its place."""
    id = table.get("id")
    if isinstance(id, str):
        return id
    return hashlib.sha256(msgspec.json.encode(table, order="deterministic")).hexdigest()[:16]
