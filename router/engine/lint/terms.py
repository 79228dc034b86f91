"""The clauses of a match on facts, where they stand, and which of them must hold together."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from router.domain.event import PROMPT_VERSION
from router.engine.match import Match
from router.engine.match.clause import DuringClause, FactClause, WhenClause
from router.engine.match.pattern import compile_pattern
from router.engine.match.tree import GroupClause, Member
from router.engine.match.wanted import Strings
from router.engine.rulesfile.positions import Path

MOST_ALTERNATIVES: Final = 256

DEFAULT_TYPE: Final = FactClause(
    name="type",
    wanted=PROMPT_VERSION,
    look=lambda change, _: change.type,
    wants=Strings(plain=(compile_pattern(PROMPT_VERSION),)),
)
"""What a match says that does not name a type."""


class Term(Struct, frozen=True):
    """A clause on one fact, and its path in the file."""

    path: Path
    clause: FactClause

    @property
    def name(self) -> str:
        return self.clause.name


class Alternative(Struct, frozen=True):
    """One way in which a match can hold: all of `terms`, and what else it says. `whens`: its expressions."""

    terms: tuple[Term, ...] = ()
    whens: tuple[str, ...] = ()

    def on(self, name: str) -> list[Term]:
        return [term for term in self.terms if term.name == name]


def alternatives(match: Match, path: Path) -> list[Alternative]:
    """Return every way in which the match of a rule can hold; too many are not told apart."""
    found = _alternatives(match, path)
    if match.any_type:
        return found
    default = Term((*path, "type"), DEFAULT_TYPE)
    return [Alternative((default, *one.terms), one.whens) for one in found]


def every_fact(match: Match, path: Path) -> Iterator[Term]:
    """Yield every clause on a fact, at any depth and whether it shall hold or not; named matches where they stand."""
    for clause in match.clauses:
        match clause:
            case FactClause():
                yield Term((*path, clause.name), clause)
            case GroupClause(members=members):
                for index, member in enumerate(members):
                    yield from every_fact(member.match, _path_of(member, (*path, clause.name, index)))


def names_used(match: Match) -> Iterator[Path]:
    """Yield the [matches] and [times] that a match names, also through others."""
    for clause in match.clauses:
        match clause:
            case DuringClause(wanted=str(name)):
                yield "times", name
            case DuringClause(wanted=list(names)):
                yield from (("times", str(name)) for name in names)
            case GroupClause(members=members):
                for member in members:
                    if path := _path_of(member, ()):
                        yield path
                    yield from names_used(member.match)


def _alternatives(match: Match, path: Path) -> list[Alternative]:
    found = [Alternative()]
    for clause in match.clauses:
        match clause:
            case FactClause():
                found = _both(found, [Alternative((Term((*path, clause.name), clause),))])
            case WhenClause(wanted=str(source)):
                found = _both(found, [Alternative((), (source,))])
            case GroupClause(name="all"):
                for inner in _members(clause, path):
                    found = _both(found, inner)
            case GroupClause(name="any"):
                found = _both(found, [one for inner in _members(clause, path) for one in inner])
    return found


def _members(group: GroupClause, path: Path) -> Iterator[list[Alternative]]:
    for index, member in enumerate(group.members):
        yield _alternatives(member.match, _path_of(member, (*path, group.name, index)))


def _both(left: Sequence[Alternative], right: Sequence[Alternative]) -> list[Alternative]:
    if len(left) * len(right) > MOST_ALTERNATIVES:
        return list(left)  # what is left out could only make it narrower
    return [Alternative((*one.terms, *two.terms), (*one.whens, *two.whens)) for one in left for two in right]


def _path_of(member: Member, path: Path) -> Path:
    kind, _, name = member.name.partition(".")
    return (kind, name) if kind == "matches" and name else path
