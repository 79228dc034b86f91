"""What is no fault of a rules file but worth a look: rules that do nothing, or something that nobody meant.

Only `check` asks. Everything here is decided from the rules alone, and from what a store has seen if there is one.
"""

from router.domain.problem import Problem
from router.engine.lint.hosts import loops, private_hosts
from router.engine.lint.secrets import written_secrets
from router.engine.lint.shown import never_there
from router.engine.lint.unused import duplicate_rules, unused_actions, unused_destinations
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile

__all__ = ["lint"]


def lint(file: RulesFile, ruleset: Ruleset) -> tuple[Problem, ...]:
    """Return every warning, with those of the reading, in the order of the files."""
    found = [
        *written_secrets(file),
        *private_hosts(file),
        *loops(file),
        *unused_destinations(file, ruleset),
        *unused_actions(file),
        *duplicate_rules(file),
        *never_there(file, ruleset),
    ]
    return file.in_order([*file.warnings, *(file.problem(path, what) for path, what in found)])
