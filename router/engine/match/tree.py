"""Matches: all clauses of one hold; `any`, `all` and `none` put matches into matches."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from router.domain.change import Change
from router.domain.event import PROMPT_VERSION
from router.domain.routing import ClauseAnswer, ClauseVerdict
from router.engine.context import Setting
from router.engine.ledger import LATEST
from router.engine.match.clause import Case, SimpleClause
from router.engine.match.pattern import Pattern, SlowPattern
from router.engine.match.verdict import all_of, any_of, none_of, verdict, verdict_on
from router.engine.pair import PREFERRED_LABEL

GroupName: TypeAlias = Literal["any", "all", "none"]
GROUPS: Final[dict[GroupName, Callable[[Iterable[ClauseAnswer]], ClauseAnswer]]] = {
    "any": any_of,
    "all": all_of,
    "none": none_of,
}


class Judgement(Struct, frozen=True, kw_only=True):
    """What a match says to a change. `named`: the gained label that it names, itself or in a match that holds."""

    answer: ClauseAnswer
    clauses: tuple[ClauseVerdict, ...]
    named: str | None


class Member(Struct, frozen=True):
    """A match in a group. `name`: `matches.NAME` if it has one, else its place, as in `any[0]`."""

    name: str
    match: "Match"


class GroupClause(Struct, frozen=True, kw_only=True):
    """Any, all or none of the members hold. `names_gains`: what it wants to hold names gained labels."""

    name: GroupName
    members: tuple[Member, ...]
    names_gains: bool

    def judge(self, case: Case) -> tuple[ClauseVerdict, str | None]:
        """Return the verdict, and the gained label that the first member that holds names."""
        inner: list[ClauseVerdict] = []
        named: str | None = None
        for member in self.members:
            said = member.match.judge(case)
            inner.append(verdict_on(member.name, "all", said.clauses, said.answer))
            if said.answer == "yes":
                named = named or said.named
        return verdict_on(self.name, self.name, inner, GROUPS[self.name](one.verdict for one in inner)), named


Clause: TypeAlias = SimpleClause | GroupClause


class Match(Struct, frozen=True, kw_only=True):
    """A compiled match. `gained`, `lost`: what it names on gained and on lost labels, in the order of its clauses.

    The rest speaks of the outermost match only. `names_losses`: it may be told the losing half of a move; `quiet`: it
    may be told quiet changes of any kind, `names_latest` those in which only `latest` moved; `any_type`: it may be
    told events of other types. `depth` and `size` count the matches in each other and all clauses.
    """

    clauses: tuple[Clause, ...]
    gained: tuple[Pattern, ...] = ()
    lost: tuple[Pattern, ...] = ()
    names_losses: bool = False
    names_latest: bool = False
    quiet: bool = False
    any_type: bool = False
    depth: int = 1
    size: int = 0

    @property
    def names_gains(self) -> bool:
        return bool(self.gained) or any(clause.names_gains for clause in self.groups)

    @property
    def groups(self) -> tuple[GroupClause, ...]:
        return tuple(clause for clause in self.clauses if isinstance(clause, GroupClause))

    def decide(self, change: Change, setting: Setting) -> Judgement:
        """Judge a change by this match as the outermost one; its defaults are told only where they say no."""
        said = self.judge(Case(change, setting, self._unnamed(change)))
        if missed := tuple(self._defaults(change)):
            return Judgement(answer="no", clauses=(*missed, *said.clauses), named=said.named)
        return said

    def judge(self, case: Case) -> Judgement:
        """Judge a change by the clauses; `case` has the label that the match around this one means.

        The label of a match is the gained one that it names, else the one that a match in it names and that holds,
        else that of the match around it.
        """
        named = _meant(self.gained, case.change.labels_gained)
        ahead: dict[str, ClauseVerdict] = {}
        if named is None and case.change.labels_gained:
            for group in self.groups:
                if group.names_gains:
                    ahead[group.name], found = group.judge(case)
                    named = named or found
        if named is not None and named != case.label:
            case = Case(case.change, case.setting, named)
        clauses: list[ClauseVerdict] = []
        for clause in self.clauses:
            if clause.name in ahead:
                clauses.append(ahead[clause.name])
            else:
                clauses.append(clause.judge(case)[0] if isinstance(clause, GroupClause) else clause.verdict(case))
        return Judgement(answer=all_of(one.verdict for one in clauses), clauses=tuple(clauses), named=named)

    def label(self, change: Change, setting: Setting) -> str | None:
        """Return the label that this match means in `change`: `{{ label }}`, and the pair that is compared.

        The gained one that it names (of several the first, else `production`, else the first by name), else any.
        """
        named = _meant(self.gained, change.labels_gained)
        if named is None and any(group.names_gains for group in self.groups):
            named = self.decide(change, setting).named
        return named or self._unnamed(change)

    def _unnamed(self, change: Change) -> str | None:
        """Return the label that is meant where no gained one is named."""
        lost = (*change.labels_removed, *change.labels_lost)
        return _any_label(change.labels_gained) or _meant(self.lost, lost) or _any_label(lost)

    def _defaults(self, change: Change) -> Iterable[ClauseVerdict]:
        if not self.any_type and change.type != PROMPT_VERSION:
            yield verdict("type", PROMPT_VERSION, change.type, "no")
        if change.quiet and not (self.quiet or (self.names_latest and moves_latest(change))):
            yield verdict("quiet", False, True, "no")
        if change.half and not (self.names_losses or change.quiet):
            told = "the losing half of a move, told with the version that gained the label"
            yield verdict("labels_lost", "named in the match", told, "no")


def moves_latest(change: Change) -> bool:
    return LATEST in change.labels_gained or LATEST in change.labels_lost


def _meant(patterns: Iterable[Pattern], labels: Sequence[str]) -> str | None:
    """Return the label that the first pattern with any means. A glob never means `latest`."""
    for pattern in patterns:
        try:
            found = [label for label in labels if pattern.matches(label) and (pattern.literal or label != LATEST)]
        except SlowPattern:
            continue  # its clause answers `error`
        if found:
            return PREFERRED_LABEL if PREFERRED_LABEL in found else found[0]
    return None


def _any_label(labels: Sequence[str]) -> str | None:
    if PREFERRED_LABEL in labels:
        return PREFERRED_LABEL
    others = [label for label in labels if label != LATEST]
    return next(iter((*others, *labels)), None)
