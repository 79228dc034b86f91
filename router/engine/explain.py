"""Which verdicts are worth keeping, the nearest miss first."""

from collections.abc import Iterable
from typing import Final

from router.domain.routing import ClauseVerdict, RuleVerdict

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
    return rank, sum(map(_missing, verdict.clauses)), -sum(map(_held, verdict.clauses))


def _missing(clause: ClauseVerdict) -> int:
    """Return how many clauses on one thing would have to answer otherwise for this one to answer yes."""
    if clause.verdict == "yes":
        return 0
    match clause.clause:
        case "any":
            return min(map(_missing, clause.inner), default=1)
        case "none":
            return sum(inner.verdict != "no" for inner in clause.inner)
        case _:
            return sum(map(_missing, clause.inner)) if clause.inner else 1


def _held(clause: ClauseVerdict) -> int:
    """Return how many clauses on one thing answered yes."""
    return sum(map(_held, clause.inner)) if clause.inner else int(clause.verdict == "yes")
