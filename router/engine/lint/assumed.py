"""Actions of machines on labels that were perhaps not gained just now."""

from collections.abc import Iterator
from typing import Final

from router.engine.lint.never import contradiction, may_be
from router.engine.lint.terms import Alternative, alternatives
from router.engine.match.wanted import Sets
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile
from router.engine.rulesfile.positions import Path

MACHINES: Final = frozenset({"http", "github"})


def on_assumed_gains(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield the actions that start something for a label that a version held, perhaps, for long.

    A version that is first seen by an `updated` event gained its labels at a time that nobody knows.
    """
    for rule, spec in zip(ruleset.rules, file.rules, strict=True):
        path: Path = ("rules", rule.index)
        ways = alternatives(rule.match, (*path, "match"))
        if not any(_acts_on_assumed(one) and contradiction(one, file.sources) is None for one in ways):
            continue
        for action, table in zip(rule.actions, spec.actions, strict=True):
            if "assumed" not in str(table.get("if", "")) and any(target.type in MACHINES for target in action.targets):
                yield (
                    (*path, "actions", action.position),
                    "is taken for labels whose gain is only assumed, too (a version seen for the first time may hold "
                    'them for long): say `assumed = false` in the match, or `if = "not change.assumed"` here',
                )


def _acts_on_assumed(one: Alternative) -> bool:
    """Tell whether gained labels are wanted and nothing says that their gain was seen."""
    wanted = [term.clause.wants for term in one.on("labels_gained")]
    gains = any(isinstance(wants, Sets) and (wants.any or wants.all) for wants in wanted)
    moved = one.on("moved_from") or any(term.clause.wants is True for term in one.on("rollback"))
    said = one.on("assumed") or any("assumed" in source for source in one.whens)
    return gains and may_be(one, "action", "updated") and not moved and not said
