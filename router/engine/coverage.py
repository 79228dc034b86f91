"""Which rules and clauses the tests have seen both ways: true in one test and false in another."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from router.domain.routing import ClauseVerdict, RuleVerdict


class Seen(Struct, frozen=True):
    """What a rule or a clause answered in all tests together."""

    yes: bool = False
    no: bool = False

    @property
    def points(self) -> int:
        return self.yes + self.no

    def also(self, *, yes: bool) -> "Seen":
        return Seen(self.yes or yes, self.no or not yes)


class Coverage(Struct, frozen=True):
    """`seen` is by rule, or rule and clause: `name`, `name: labels_gained`, `name: any[0].prompt`."""

    seen: Mapping[str, Seen]

    @property
    def percent(self) -> float:
        """Of the two answers that each rule and clause can give, how many were seen."""
        if not self.seen:
            return 100.0
        return 100.0 * sum(one.points for one in self.seen.values()) / (2 * len(self.seen))

    def gaps(self) -> Iterator[str]:
        """Yield what no test has shown, rule by rule."""
        for name, seen in self.seen.items():
            word = "true" if ": " in name else "fires"
            if not seen.yes:
                yield f"{name}: never {word}"
            if not seen.no:
                yield f"{name}: never {'false' if ': ' in name else 'stays silent'}"


def coverage(rules: Mapping[str, Collection[str]], verdicts: Iterable[Iterable[RuleVerdict]]) -> Coverage:
    """Return what was seen of those rules in the verdicts of all tests; an error is neither true nor false.

    `rules`: the clauses that each of them writes, at the top of its match. Verdicts also speak of the defaults.
    """
    seen = {name: Seen() for name in rules}
    clauses: dict[str, dict[str, Seen]] = {name: {} for name in seen}
    for said in verdicts:
        for verdict in said:
            if verdict.rule not in seen:
                continue
            if verdict.verdict in ("match", "no"):
                seen[verdict.rule] = seen[verdict.rule].also(yes=verdict.verdict == "match")
            written = [clause for clause in verdict.clauses if clause.clause in rules[verdict.rule]]
            for path, clause in _clauses(written, ""):
                if (clause.clause, clause.wanted) == ("type", "*"):
                    continue  # all types are all types: no test can make it false
                before = clauses[verdict.rule].get(path, Seen())
                clauses[verdict.rule][path] = (
                    before if clause.verdict == "error" else before.also(yes=clause.verdict == "yes")
                )
    found: dict[str, Seen] = {}
    for name, one in seen.items():
        found[name] = one
        found |= {f"{name}: {path}": clause for path, clause in clauses[name].items()}
    return Coverage(found)


def _clauses(clauses: Iterable[ClauseVerdict], above: str) -> Iterator[tuple[str, ClauseVerdict]]:
    for clause in clauses:
        path = f"{above}{clause.clause}"
        yield path, clause
        yield from _clauses(clause.inner, f"{path}.")
