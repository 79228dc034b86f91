"""Which verdicts are worth keeping, the nearest miss first."""

from collections.abc import Iterable
from typing import Final

from router.domain.routing import RuleVerdict

MISSES_KEPT: Final = 20


def nearest_first(verdicts: Iterable[RuleVerdict]) -> list[RuleVerdict]:
    """Return matches, then errors, then misses by how little was missing. Equal ones keep the rules' order."""
    return sorted(verdicts, key=_distance)


def worth_keeping(verdicts: Iterable[RuleVerdict]) -> tuple[RuleVerdict, ...]:
    """Return the rules that matched or erred, and the nearest misses."""
    ranked = nearest_first(verdicts)
    answered = [verdict for verdict in ranked if verdict.verdict in ("match", "error")]
    return (*answered, *ranked[len(answered) : len(answered) + MISSES_KEPT])


def _distance(verdict: RuleVerdict) -> tuple[int, int, int]:
    rank = {"match": 0, "error": 1}.get(verdict.verdict, 2)
    missing = sum(clause.verdict != "yes" for clause in verdict.clauses)
    return rank, missing, -len(verdict.clauses)
