"""Which rules can match a change, found without asking every rule.

A match needs things: that the change has one of some keys, such as ("prompt", "checkout/cart") or ("labels_gained",
"production"). A change without any of these keys is answered no, whatever the rest of the match says: no beats error.
Each rule is kept under the keys of the need that the fewest rules share.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from router.domain.change import Change
from router.domain.event import PROMPT_VERSION
from router.engine.ledger import LATEST
from router.engine.match.clause import FactClause
from router.engine.match.facts import CHOICES, SETS, STRINGS
from router.engine.match.pattern import Pattern, SlowPattern
from router.engine.match.tree import Clause, GroupClause, Match, moves_latest
from router.engine.match.wanted import Sets, Strings

Key: TypeAlias = tuple[str, str]
Need: TypeAlias = frozenset[Key]

_STRINGS: Final = ("prompt", "source", "project", "type", "action", "origin")
_SETS: Final = ("labels_gained", "labels_lost", "labels_removed", "tags_gained", "tags_lost", "labels", "tags")
_BEGINS: Final = " begins"
"""With this after its name the key of a string says how it begins."""
_SOME: Final = "*"
"""As a key of a set: it is not empty, `latest` aside where it is one of labels."""
_LOUD: Final[Key] = ("quiet", "no")
_LATEST: Final[Key] = ("quiet", "only latest moved")
_WHOLE: Final[Key] = ("half", "no")
_MOST_TELLING: Final = ("prompt", "prompt begins", *_SETS, *_STRINGS[1:])
"""Which need of several stands for a match in an `any`: there nobody counts."""


class Index:
    """The rules by what they need; rules go by their place in the ruleset."""

    def __init__(self, matches: Iterable[Match]) -> None:
        known: dict[Need, Need] = {}
        needs = [{known.setdefault(need, need) for need in _needs_of(match)} for match in matches]
        shared = Counter(key for several in needs for need in several for key in need)
        rarity = {need: sum(shared[key] for key in need) for need in known}
        self._always: list[int] = []
        self._under: dict[Key, list[tuple[int, tuple[Need, ...]]]] = {}
        for place, several in enumerate(needs):
            if not several:
                self._always.append(place)
                continue
            best, *others = sorted(several, key=rarity.__getitem__)
            for key in best:
                self._under.setdefault(key, []).append((place, tuple(others)))
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for kind, value in shared:
            lengths[kind].add(len(value))
        self._strings = [
            (name, STRINGS[name], name + _BEGINS, sorted(lengths[name + _BEGINS]))
            for name in _STRINGS
            if lengths.keys() & {name, name + _BEGINS}
        ]
        self._sets = [(name, SETS[name], name.startswith("labels")) for name in _SETS if name in lengths]

    def candidates(self, change: Change) -> list[int]:
        """Return the places of all rules that can answer yes or error, in order."""
        keys = self._keys(change)
        found = set(self._always)
        for key in keys:
            for place, others in self._under.get(key, ()):
                for need in others:
                    if need.isdisjoint(keys):
                        break
                else:
                    found.add(place)
        return sorted(found)

    def _keys(self, change: Change) -> set[Key]:
        keys: set[Key] = set()
        if not change.quiet:
            keys.add(_LOUD)
        elif moves_latest(change):
            keys.add(_LATEST)
        if change.quiet or not change.half:
            keys.add(_WHOLE)
        for name, look, begins, lengths in self._strings:
            text = look(change, None)
            if isinstance(text, str):
                keys.add((name, text))
                for length in lengths:
                    if length > len(text):
                        break
                    keys.add((begins, text[:length]))
        for name, look, labels in self._sets:
            members = look(change, None)
            if isinstance(members, tuple) and members:
                for member in members:
                    keys.add((name, member))
                if not labels or members != (LATEST,):
                    keys.add((name, _SOME))
        return keys


def _needs_of(match: Match) -> Iterator[Need]:
    """Yield what the outermost match needs, with its defaults."""
    if not match.any_type:
        yield frozenset({("type", PROMPT_VERSION)})
    if not match.quiet:
        yield frozenset({_LOUD, _LATEST} if match.names_latest else {_LOUD})
    if not match.names_losses:
        yield frozenset({_WHOLE})
    yield from _needs(match)


def _needs(match: Match) -> Iterator[Need]:
    for clause in match.clauses:
        yield from _clause_needs(clause)


def _clause_needs(clause: Clause) -> Iterator[Need]:
    match clause:
        case GroupClause(name="all"):
            for member in clause.members:
                yield from _needs(member.match)
        case GroupClause(name="any"):
            needs = [min(_needs(member.match), key=_telling, default=None) for member in clause.members]
            if None not in needs:
                yield frozenset[Key]().union(*filter(None, needs))
        case FactClause(wants=Strings() as strings) if clause.name in _STRINGS:
            yield from _string_needs(clause.name, strings)
        case FactClause(wants=Sets() as sets) if clause.name in _SETS:
            if sets.any:
                yield frozenset(_member_key(clause.name, pattern) for pattern in sets.any)
            for pattern in sets.all:
                yield frozenset({_member_key(clause.name, pattern)})
        case _:
            return


def _string_needs(name: str, strings: Strings) -> Iterator[Need]:
    if name in CHOICES:
        yield frozenset((name, choice) for choice in CHOICES[name] if _may_accept(strings, choice))
    elif strings.plain and all(pattern.prefix for pattern in strings.plain):
        yield frozenset(
            (name if pattern.literal else name + _BEGINS, pattern.prefix or "") for pattern in strings.plain
        )


def _may_accept(strings: Strings, choice: str) -> bool:
    try:
        return strings.accept((choice,))
    except SlowPattern:
        return True


def _member_key(name: str, pattern: Pattern) -> Key:
    return name, pattern.source if pattern.literal else _SOME


def _telling(need: Need) -> int:
    return max(_MOST_TELLING.index(name) if name in _MOST_TELLING else len(_MOST_TELLING) for name, _ in need)
