"""From the table of a match to a compiled one; every fault is told, each with its path below the match."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from router.domain.json import Json, JsonObject
from router.engine.ledger import LATEST
from router.engine.match.clause import DuringClause, FactClause, WhenClause, WhereClause
from router.engine.match.facts import BOOLS, CHOICES, NUMBERS, SETS, STRINGS
from router.engine.match.pattern import Pattern
from router.engine.match.tree import GROUPS, Clause, GroupClause, GroupName, Match, Member
from router.engine.match.wanted import (
    Fault,
    Path,
    Sets,
    compile_numbers,
    compile_sets,
    compile_strings,
    kind,
    sources,
)
from router.engine.match.where import compile_where
from router.engine.suggest import suggestion
from router.engine.template import TemplateError, compile_expression
from router.engine.times import Times

CLAUSES: Final = (*STRINGS, *SETS, *NUMBERS, *BOOLS, "during", "where", "when", *GROUPS)

DEEPEST: Final = 100
"""Matches in each other, also by their names."""

LARGEST: Final = 10_000
"""Clauses of a match, with those of all that it names: names that name names twice double at every step."""


class Vocabulary(Struct, frozen=True, kw_only=True):
    """What a match can refer to. `broken`: names of matches with faults, which are told where they stand."""

    matches: Mapping[str, Match] = {}
    broken: frozenset[str] = frozenset()
    times: Mapping[str, Times] = {}
    vars: Mapping[str, Json] = {}


def compile_match(table: JsonObject, vocabulary: Vocabulary) -> tuple[Match, list[tuple[Path, str]]]:
    """Return the compiled match and every fault as (path below the match, what)."""
    faults: list[tuple[Path, str]] = []
    compiler = _Compiler(vocabulary, lambda path, what: faults.append((path, what)))
    return compiler.match(table, ()), faults


class _Compiler:
    def __init__(self, vocabulary: Vocabulary, fault: Fault) -> None:
        self.known = vocabulary
        self.fault = fault

    def match(self, table: JsonObject, path: Path) -> Match:
        compiled = (self.clause(name, wanted, (*path, name)) for name, wanted in table.items())
        match = _match(table, tuple(clause for clause in compiled if clause))
        if match.depth > DEEPEST:
            self.fault(path, f"matches are nested deeper than {DEEPEST}")
        elif match.size > LARGEST:
            self.fault(path, f"more than {LARGEST:,} clauses, with those of the matches that it names")
        return match

    def clause(self, name: str, wanted: Json, path: Path) -> Clause | None:
        match name:
            case "during":
                return DuringClause(name=name, wanted=wanted, times=self.times(wanted, path))
            case "where":
                return WhereClause(name=name, items=compile_where(wanted, path, self.fault))
            case "when":
                return self.when(wanted, path)
            case "any" | "all" | "none":
                return self.group(name, wanted, path)
            case _ if name in STRINGS:
                strings = compile_strings(
                    wanted, path, self.fault, ignore_case=name == "author", choices=CHOICES.get(name, ())
                )
                return FactClause(name=name, wanted=wanted, look=STRINGS[name], wants=strings)
            case _ if name in SETS:
                sets = compile_sets(wanted, path, self.fault, labels=name.startswith("labels"))
                return FactClause(name=name, wanted=wanted, look=SETS[name], wants=sets)
            case _ if name in NUMBERS:
                numbers = compile_numbers(wanted, path, self.fault)
                return FactClause(name=name, wanted=wanted, look=NUMBERS[name], wants=numbers)
            case _ if name not in BOOLS:
                self.fault(path, f"unknown clause{suggestion(name, CLAUSES)}")
            case _ if isinstance(wanted, bool):
                return FactClause(name=name, wanted=wanted, look=BOOLS[name], wants=wanted)
            case _:
                self.fault(path, f"expected true or false, got {kind(wanted)}")
        return None

    def times(self, wanted: Json, path: Path) -> tuple[Times, ...]:
        found: list[Times] = []
        for at, name in sources(wanted, path, self.fault):
            if name in self.known.times:
                found.append(self.known.times[name])
            else:
                self.fault(at, f"there is no [times.{name}]{suggestion(name, self.known.times)}")
        return tuple(found)

    def when(self, wanted: Json, path: Path) -> WhenClause | None:
        if not isinstance(wanted, str):
            self.fault(path, f"expected a Jinja expression as a string, got {kind(wanted)}")
            return None
        try:
            expression = compile_expression(wanted, vars=self.known.vars, without=("delivery",))
        except TemplateError as error:
            self.fault(path, str(error))
            return None
        return WhenClause(name="when", wanted=wanted, expression=expression)

    def group(self, name: GroupName, wanted: Json, path: Path) -> GroupClause | None:
        if not isinstance(wanted, list) or not wanted:
            self.fault(path, "expected a list of matches, and of names of [matches]")
            return None
        found = [self.member(one, f"{name}[{index}]", (*path, index)) for index, one in enumerate(wanted)]
        members = tuple(member for member in found if member)
        names_gains = name != "none" and any(member.match.names_gains for member in members)
        return GroupClause(name=name, members=members, names_gains=names_gains)

    def member(self, one: Json, place: str, path: Path) -> Member | None:
        match one:
            case str() if one in self.known.matches:
                return Member(f"matches.{one}", self.known.matches[one])
            case str() if one in self.known.broken:
                return None
            case str():
                self.fault(path, f"there is no [matches.{one}]{suggestion(one, self.known.matches)}")
            case dict() if one:
                return Member(place, self.match(one, path))
            case dict():
                self.fault(path, "an empty match holds for everything")
            case _:
                self.fault(path, f"expected a match or the name of one, got {kind(one)}")
        return None


def _match(table: JsonObject, clauses: tuple[Clause, ...]) -> Match:
    groups = [clause for clause in clauses if isinstance(clause, GroupClause)]
    members = [member.match for group in groups for member in group.members]
    wanted = [member.match for group in groups if group.name != "none" for member in group.members]
    sets = {clause.name: clause.wants for clause in clauses if isinstance(clause, FactClause)}
    labels = {name: wants for name, wants in sets.items() if isinstance(wants, Sets) and wants.labels}
    return Match(
        clauses=clauses,
        gained=_named(labels, "labels_gained"),
        lost=(
            *_named(labels, "labels_removed", "labels_lost"),
            *(pattern for inner in wanted for pattern in inner.lost),
        ),
        names_losses=bool(labels.keys() & {"labels_removed", "labels_lost"}) or any(m.names_losses for m in wanted),
        names_latest=any(wants.names(LATEST) for wants in labels.values()) or any(m.names_latest for m in wanted),
        quiet=table.get("quiet") is True,
        any_type="type" in table,
        depth=1 + max((inner.depth for inner in members), default=0),
        size=len(clauses) + sum(inner.size for inner in members),
    )


def _named(sets: Mapping[str, Sets], *names: str) -> tuple[Pattern, ...]:
    return tuple(p for name in names if name in sets for p in (*sets[name].any, *sets[name].all))
