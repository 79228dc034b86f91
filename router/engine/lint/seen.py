"""Labels and prompts that rules speak of and that a store has never seen."""

from collections.abc import Iterator, Sequence

from router.domain.ledger import Occurred
from router.engine.lint.terms import Term, every_fact
from router.engine.match.pattern import Pattern, SlowPattern
from router.engine.match.wanted import Sets, Strings
from router.engine.ruleset import Ruleset
from router.engine.rulesfile.positions import Path
from router.engine.suggest import suggestion


def never_seen(ruleset: Ruleset, occurred: Occurred) -> Iterator[tuple[Path, str]]:
    """Yield the clauses on labels and on prompts with a name or pattern that fits nothing in the store."""
    if not occurred.prompts:
        return  # it has seen nothing at all
    prompts, labels = sorted(occurred.prompts), sorted(occurred.labels)
    for rule in ruleset.rules:
        for term in every_fact(rule.match, ("rules", rule.index, "match")):
            for pattern in _patterns(term):
                known = labels if term.name.startswith("labels") else prompts
                if not any(_fits(pattern, name) for name in known):
                    kind = "label" if known is labels else "prompt"
                    hint = suggestion(pattern.source, known) if pattern.literal else ""
                    yield term.path, f'no {kind} in the store fits "{pattern.source}"{hint}'


def _patterns(term: Term) -> Sequence[Pattern]:
    match term.clause.wants:
        case Sets(labels=True) as sets:
            return (*sets.any, *sets.all, *sets.none)
        case Strings() as strings if term.name == "prompt":
            return (*strings.plain, *strings.excluded)
        case _:
            return ()


def _fits(pattern: Pattern, name: str) -> bool:
    try:
        return pattern.matches(name)
    except SlowPattern:
        return True
