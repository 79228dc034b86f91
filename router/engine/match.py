"""Does a rule's match hold for a change, and why (not)?

A match compiles to clauses. Each looks at one fact of the change and answers yes, no or error, with what was wanted
and what was found; a match is the `all` of its clauses (no if one is no, else error if one is error, else yes).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from router.domain.change import Change, Version
from router.domain.event import ACTIONS, ORIGINS, PROMPT_VERSION
from router.domain.json import Json
from router.domain.routing import ClauseAnswer, ClauseVerdict, RuleAnswer
from router.engine.ledger import LATEST
from router.engine.pair import PREFERRED_LABEL, is_rollback, moved_from
from router.engine.pattern import (
    Pattern,
    PatternError,
    Sets,
    SlowPattern,
    Strings,
    compile_sets,
    compile_strings,
    named,
)


class _Unknown:
    """A fact that the event does not say: every clause on it answers no."""

    def __repr__(self) -> str:
        return "not in the event"


UNKNOWN: Final = _Unknown()

Fact: TypeAlias = "str | tuple[str, ...] | int | bool | _Unknown | None"
Look: TypeAlias = Callable[[Change, str | None], Fact]


class Clause(Struct, frozen=True, kw_only=True):
    """One key of a match: `look` finds the fact in the change, `test` decides on it."""

    name: str
    wanted: Json
    look: Look
    test: Callable[[Fact], bool]

    def verdict(self, change: Change, label: str | None) -> ClauseVerdict:
        fact = self.look(change, label)
        answer: ClauseAnswer = "no"
        got: Json = _shown(fact)
        if fact is not UNKNOWN:
            try:
                answer = "yes" if self.test(fact) else "no"
            except SlowPattern as error:
                answer, got = "error", str(error)
        return ClauseVerdict(clause=self.name, wanted=self.wanted, got=got, verdict=answer)


class Match(Struct, frozen=True, kw_only=True):
    """A compiled match. `gained`, `lost`: what its clauses on gained and on lost labels name, in their order.

    `names_losses`: it may be told the losing half of a move; `quiet`: it may be told quiet changes of any kind;
    `names_latest`: those in which only `latest` moved.
    """

    clauses: tuple[Clause, ...]
    gained: tuple[Pattern, ...] = ()
    lost: tuple[Pattern, ...] = ()
    names_losses: bool = False
    names_latest: bool = False
    quiet: bool = False
    any_type: bool = False

    def verdicts(self, change: Change) -> tuple[ClauseVerdict, ...]:
        """Return every clause's answer; the defaults of a match (type, quiet, halves) only where they say no."""
        label = self.label(change)
        return (
            *self._defaults(change),
            *(clause.verdict(change, label) for clause in self.clauses),
        )

    def label(self, change: Change) -> str | None:
        """Return the label that this match means in `change`: `{{ label }}`, and the pair that is compared.

        Of several gained ones the first that the match names, else `production`, else the first by name.
        """
        return _first_named(self.gained, change.labels_gained) or _first_named(
            self.lost, (*change.labels_removed, *change.labels_lost)
        )

    def _defaults(self, change: Change) -> Iterable[ClauseVerdict]:
        if not self.any_type and change.type != PROMPT_VERSION:
            yield ClauseVerdict(clause="type", wanted=PROMPT_VERSION, got=change.type, verdict="no")
        if change.quiet and not (self.quiet or (self.names_latest and _moves_latest(change))):
            yield ClauseVerdict(clause="quiet", wanted=False, got=True, verdict="no")
        if change.half and not (self.names_losses or change.quiet):
            yield ClauseVerdict(
                clause="labels_lost",
                wanted="named in the match",
                got="the losing half of a move, told with the version that gained the label",
                verdict="no",
            )


def combined(answers: Iterable[ClauseAnswer]) -> RuleAnswer:
    """Return the answer of an `all`: no if one is no, else error if one is error, else match."""
    result: RuleAnswer = "match"
    for answer in answers:
        if answer == "no":
            return "no"
        if answer == "error":
            result = "error"
    return result


def compile_match(table: Mapping[str, Json]) -> tuple[Match, list[tuple[tuple[str, ...], str]]]:
    """Return the compiled match and every fault as (path below the match, what)."""
    clauses: list[Clause] = []
    faults: list[tuple[tuple[str, ...], str]] = []
    sets: dict[str, Sets] = {}
    for name, wanted in table.items():
        try:
            clause, wants = _compile_clause(name, wanted)
        except PatternError as error:
            faults.append(((name,), str(error)))
            continue
        clauses.append(clause)
        if wants is not None:
            sets[name] = wants
    return (
        Match(
            clauses=tuple(clauses),
            gained=_wanted(sets, "labels_gained"),
            lost=_wanted(sets, "labels_removed", "labels_lost"),
            names_losses=bool(sets.keys() & {"labels_lost", "labels_removed"}),
            names_latest=any(name.startswith("labels") and wants.names(LATEST) for name, wants in sets.items()),
            quiet=table.get("quiet") is True,
            any_type="type" in table,
        ),
        faults,
    )


def _compile_clause(name: str, wanted: Json) -> tuple[Clause, Sets | None]:
    if name in STRINGS:
        strings = compile_strings(wanted, ignore_case=name == "author")
        _check_choice(name, strings)
        return Clause(name=name, wanted=wanted, look=STRINGS[name], test=lambda fact: _accept(strings, fact)), None
    if name in SETS:
        sets = compile_sets(wanted)
        return Clause(name=name, wanted=wanted, look=SETS[name], test=lambda fact: sets.accept(_members(fact))), sets
    if name in NUMBERS:
        return Clause(name=name, wanted=wanted, look=NUMBERS[name], test=_number_test(wanted)), None
    if not isinstance(wanted, bool):
        raise PatternError("expected true or false")
    return Clause(name=name, wanted=wanted, look=BOOLS[name], test=lambda fact: bool(fact) is wanted), None


def _check_choice(name: str, strings: Strings) -> None:
    """A typo in a closed set of words must not disable a rule in silence."""
    for pattern in (*strings.plain, *strings.excluded):
        choices = CHOICES.get(name, ())
        if choices and not any(map(pattern.matches, choices)):
            raise PatternError(f'"{pattern.source}" is none of {", ".join(choices)}')


def _accept(strings: Strings, fact: Fact) -> bool:
    return strings.accept((fact,) if isinstance(fact, str) else _members(fact))


def _members(fact: Fact) -> Sequence[str]:
    assert isinstance(fact, tuple)
    return fact


_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "eq": lambda got, wanted: got == wanted,
    "ne": lambda got, wanted: got != wanted,
    "gt": lambda got, wanted: got > wanted,
    "gte": lambda got, wanted: got >= wanted,
    "lt": lambda got, wanted: got < wanted,
    "lte": lambda got, wanted: got <= wanted,
}


def _number_test(wanted: Json) -> Callable[[Fact], bool]:
    """Compile `3` or `{ gte = 3, lt = 7 }`. An absent number answers no."""
    table = wanted if isinstance(wanted, dict) else {"eq": wanted}
    if unknown := sorted(table.keys() - _COMPARE.keys()):
        raise PatternError(f"unknown key `{unknown[0]}`; a number takes {', '.join(_COMPARE)}")
    bounds: list[tuple[Callable[[float, float], bool], float]] = []
    for key, bound in table.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise PatternError("expected a number or a table such as { gte = 3 }")
        bounds.append((_COMPARE[key], bound))
    if not bounds:
        raise PatternError("an empty table; write eq, ne, gt, gte, lt or lte")

    def test(fact: Fact) -> bool:
        return isinstance(fact, int) and all(compare(fact, bound) for compare, bound in bounds)

    return test


def _wanted(sets: Mapping[str, Sets], *names: str) -> tuple[Pattern, ...]:
    return tuple(p for name in names if name in sets for p in (*sets[name].any, *sets[name].all))


def _first_named(patterns: Sequence[Pattern], labels: Sequence[str]) -> str | None:
    for pattern in patterns:
        if found := named(pattern, labels):
            return PREFERRED_LABEL if PREFERRED_LABEL in found else found[0]
    if PREFERRED_LABEL in labels:
        return PREFERRED_LABEL
    others = [label for label in labels if label != LATEST]
    return next(iter((*others, *labels)), None)


def _moves_latest(change: Change) -> bool:
    return LATEST in change.labels_gained or LATEST in change.labels_lost


def _shown(fact: Fact) -> Json:
    match fact:
        case _Unknown():
            return repr(fact)
        case tuple():
            return list(fact)
        case _:
            return fact


# ---- the facts, by clause


def _author(change: Change, _label: str | None) -> Fact:
    user = change.event.user
    names = tuple(name for name in (user.name, user.email) if name) if user else ()
    return names or ("",)


def _commit_message(change: Change, _label: str | None) -> Fact:
    content = change.version.content if change.version else None
    return UNKNOWN if content is None else content.commit_message or ""


def _prompt_type(change: Change, _label: str | None) -> Fact:
    content = change.version.content if change.version else None
    return UNKNOWN if content is None or content.type is None else content.type


def _of_version(get: Callable[[Version], Fact]) -> Look:
    def look(change: Change, _label: str | None) -> Fact:
        if change.version is None:
            return UNKNOWN
        fact = get(change.version)
        return UNKNOWN if fact is None else fact

    return look


def _of_change(get: Callable[[Change], Fact]) -> Look:
    def look(change: Change, _label: str | None) -> Fact:
        return UNKNOWN if change.version is None else get(change)

    return look


def _said(get: Callable[[Change], str | None]) -> Look:
    def look(change: Change, _label: str | None) -> Fact:
        fact = get(change)
        return UNKNOWN if fact is None else fact

    return look


STRINGS: Final[dict[str, Look]] = {
    "type": _said(lambda change: change.type),
    "source": _said(lambda change: change.event.source),
    "action": _said(lambda change: change.action),
    "project": _said(lambda change: change.event.project_id),
    "origin": _said(lambda change: change.origin),
    "prompt": _said(lambda change: change.prompt.name if change.prompt else None),
    "prompt_type": _prompt_type,
    "author": _author,
    "commit_message": _commit_message,
}
SETS: Final[dict[str, Look]] = {
    "labels": _of_version(lambda version: version.labels),
    "tags": _of_version(lambda version: version.tags),
    "labels_gained": _of_change(lambda change: change.labels_gained),
    "labels_lost": _of_change(lambda change: change.labels_lost),
    "labels_removed": _of_change(lambda change: change.labels_removed),
    "tags_gained": _of_change(lambda change: change.tags_gained),
    "tags_lost": _of_change(lambda change: change.tags_lost),
}
NUMBERS: Final[dict[str, Look]] = {
    "version": _of_version(lambda version: version.number),
    "moved_from": moved_from,
    "versions_left": lambda change, _label: change.versions_left,
}
BOOLS: Final[dict[str, Look]] = {
    "rollback": is_rollback,
    "assumed": lambda change, _label: change.assumed,
    "quiet": lambda change, _label: change.quiet,
}
CLAUSES: Final[tuple[str, ...]] = (*STRINGS, *SETS, *NUMBERS, *BOOLS)
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "action": ACTIONS,
    "origin": ORIGINS,
    "prompt_type": ("text", "chat"),
}
