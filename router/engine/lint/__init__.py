"""What is no fault of a rules file but worth a look: rules that do nothing, or something that nobody meant.

Only `check` asks. Everything here is decided from the rules alone, and from what a store has seen if there is one.
"""

from router.domain.ledger import Occurred
from router.domain.problem import Problem
from router.engine.lint.assumed import on_assumed_gains
from router.engine.lint.hosts import loops, private_hosts
from router.engine.lint.never import mistyped, never_matching
from router.engine.lint.secrets import written_secrets
from router.engine.lint.seen import never_seen
from router.engine.lint.shown import never_there
from router.engine.lint.unused import duplicate_rules, unused_actions, unused_destinations, unused_names
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile

__all__ = ["lint"]


def lint(file: RulesFile, ruleset: Ruleset, occurred: Occurred | None = None) -> tuple[Problem, ...]:
    """Return every warning, with those of the reading, in the order of the files.

    `occurred`: what a store has seen, to compare with.
    """
    found = [
        *never_matching(file, ruleset),
        *mistyped(file, ruleset),
        *on_assumed_gains(file, ruleset),
        *written_secrets(file),
        *private_hosts(file),
        *loops(file),
        *unused_destinations(file, ruleset),
        *unused_actions(file),
        *unused_names(file, ruleset),
        *duplicate_rules(file),
        *never_there(file, ruleset),
    ]
    if occurred is not None:
        found += never_seen(ruleset, occurred)
    return file.in_order([*file.warnings, *(file.problem(path, what) for path, what in found)])
