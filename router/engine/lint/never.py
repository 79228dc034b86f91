"""Rules that can never match, because their clauses exclude each other."""

import math
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from msgspec import Struct

from router.domain.event import ACTIONS, MONITOR_ALERT, PROJECT_NOTIFICATION, PROMPT_VERSION, ROUTER_SOURCE
from router.engine.ledger import LATEST
from router.engine.lint.terms import Alternative, Term, alternatives, every_fact
from router.engine.match.facts import BOOLS, CHOICES, NUMBERS, SETS, STRINGS
from router.engine.match.pattern import Pattern, SlowPattern
from router.engine.match.wanted import Numbers, Sets, Strings
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile
from router.engine.rulesfile.positions import Path
from router.engine.suggest import suggestion
from router.engine.trial import TROUBLES

KNOWN_TYPES: Final = (PROMPT_VERSION, MONITOR_ALERT, PROJECT_NOTIFICATION, *TROUBLES)
_OF_ANY_EVENT: Final = frozenset({"type", "source", "project", "origin", "author"})
_REPLACES: Final = ("variables_gained", "variables_lost", "content_changed", "config_changed")
_LABEL_CHANGES: Final = ("labels_gained", "labels_lost", "labels_removed")


def never_matching(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield the rules none of whose ways to match can come about, with why the first cannot."""
    sources = (*file.sources, ROUTER_SOURCE)
    for rule in ruleset.rules:
        path: Path = ("rules", rule.index, "match")
        first, *others = (contradiction(one, sources) for one in alternatives(rule.match, path))
        if first and all(others):
            yield first


def mistyped(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield the sources that do not exist, and the types that look like a known one."""
    for rule in ruleset.rules:
        for term in every_fact(rule.match, ("rules", rule.index, "match")):
            for name in _literals(term):
                if term.name == "source" and name not in file.sources and name != ROUTER_SOURCE:
                    yield term.path, f'there is no source "{name}"{suggestion(name, file.sources)}'
                if term.name == "type" and name not in KNOWN_TYPES and (hint := suggestion(name, KNOWN_TYPES)):
                    yield term.path, f'no type of event is known as "{name}"{hint}'


def _literals(term: Term) -> list[str]:
    wants = term.clause.wants
    return [one.source for one in (*wants.plain, *wants.excluded) if one.literal] if isinstance(wants, Strings) else []


def contradiction(one: Alternative, sources: Iterable[str]) -> tuple[Path, str] | None:
    """Return where and why these terms cannot all hold; None: nothing speaks against it."""
    return (
        _one_fact(one, sources)
        or _one_type(one)
        or _one_action(one)
        or _labels_held(one)
        or _quiet(one)
        or _order_of_numbers(one)
    )


def _told(term: Term, why: str) -> tuple[Path, str]:
    return term.path, f"the rule can never match: {why}; change one of them"


# ---- clauses on the same fact


def _one_fact(one: Alternative, sources: Iterable[str]) -> tuple[Path, str] | None:
    for name in dict.fromkeys(term.name for term in one.terms):
        terms = one.on(name)
        if name in STRINGS:
            possible = _possible_strings(name, terms, sources)
            if possible is not None and not possible:
                return _told(terms[-1], f"no value of `{name}` satisfies all that is said about it")
        elif name in SETS:
            if why := _excluded([term.clause.wants for term in terms]):
                return _told(terms[-1], f"`{name}` wants {why} and excludes it")
        elif name in NUMBERS:
            low, high = _bounds(name, terms)
            if low > high:
                return _told(terms[-1], f"no number satisfies all that is said about `{name}`")
        elif name in BOOLS and len({term.clause.wants for term in terms}) > 1:
            return _told(terms[-1], f"`{name}` is wanted both true and false")
    return None


def _possible_strings(name: str, terms: list[Term], sources: Iterable[str]) -> list[str] | None:
    """Return the values that satisfy all terms; None: they cannot be listed."""
    if name == "author":
        return None  # two clauses may mean the name and the address of one person
    wanted = [term.clause.wants for term in terms if isinstance(term.clause.wants, Strings)]
    lists = [[pattern.source for pattern in wants.plain] for wants in wanted if wants.plain and _all_exact(wants.plain)]
    if known := sources if name == "source" else CHOICES.get(name):
        lists = [list(known)]
    return [text for text in lists[0] if all(_accepts(wants, text) for wants in wanted)] if lists else None


def _all_exact(patterns: Iterable[Pattern]) -> bool:
    return all(pattern.literal and pattern.prefix is not None for pattern in patterns)


def _accepts(wants: Strings, text: str) -> bool:
    try:
        return wants.accept((text,))
    except SlowPattern:
        return True


def may_be(one: Alternative, name: str, text: str) -> bool:
    """Tell whether the terms on strings allow that one."""
    wanted = (term.clause.wants for term in one.on(name))
    return all(_accepts(wants, text) for wants in wanted if isinstance(wants, Strings))


def _excluded(wanted: Iterable[object]) -> str | None:
    """Return a name that sets want and exclude."""
    sets = [wants for wants in wanted if isinstance(wants, Sets)]
    none = [pattern for wants in sets for pattern in wants.none]
    labels = any(wants.labels for wants in sets)

    def excluded(pattern: Pattern) -> bool:
        return any(_covers(other, pattern, labels=labels) for other in none)

    for wants in sets:
        for pattern in wants.all:
            if excluded(pattern):
                return f'"{pattern.source}"'
        if wants.any and all(map(excluded, wants.any)):
            return " or ".join(f'"{pattern.source}"' for pattern in wants.any)
    return None


def _covers(other: Pattern, pattern: Pattern, *, labels: bool) -> bool:
    """Tell whether `other` means all that `pattern` means."""
    if other.source == pattern.source:
        return True
    if not pattern.literal or (labels and pattern.source == LATEST):
        return False
    try:
        return other.matches(pattern.source)
    except SlowPattern:
        return False


def _bounds(name: str, terms: Iterable[Term]) -> tuple[float, float]:
    """Return the least and greatest whole number that all terms allow. Versions count from 1."""
    low, high, others = 0.0 if name == "versions_left" else 1.0, math.inf, set()
    for term in terms:
        for operator, bound in term.clause.wants.bounds if isinstance(term.clause.wants, Numbers) else ():
            match operator:
                case "eq":
                    low, high = max(low, math.ceil(bound)), min(high, math.floor(bound))
                case "gte" | "gt":
                    low = max(low, math.floor(bound) + 1 if operator == "gt" else math.ceil(bound))
                case "lte" | "lt":
                    high = min(high, math.ceil(bound) - 1 if operator == "lt" else math.floor(bound))
                case _:
                    others.add(bound)
    while low in others and low <= high:
        low += 1
    return low, high


# ---- clauses on different facts


def _one_type(one: Alternative) -> tuple[Path, str] | None:
    """Events of other types say nothing about versions."""
    if may_be(one, "type", PROMPT_VERSION):
        return None
    for term in one.terms:
        if term.name not in _OF_ANY_EVENT and term.clause.wants is not False:
            return _told(term, f"`type` leaves out {PROMPT_VERSION}, and only those have `{term.name}`")
    return None


class _Limit(Struct, frozen=True):
    """To which actions a term limits a match, and why."""

    term: Term
    actions: frozenset[str]
    why: str


def _one_action(one: Alternative) -> tuple[Path, str] | None:
    limits = [limit for term in one.terms for limit in [_limit(term)] if limit]
    for first, second in combinations(limits, 2):
        if not first.actions & second.actions:
            return _told(second.term, f"{first.why}, but {second.why}")
    if limits and not frozenset(ACTIONS).intersection(*(limit.actions for limit in limits)):
        return _told(limits[-1].term, "; ".join(dict.fromkeys(limit.why for limit in limits)))
    return None


def _limit(term: Term) -> _Limit | None:
    """Return to which actions a term limits a match; None: to none in particular."""
    name, wants = term.name, term.clause.wants
    match wants:
        case Strings() if name == "action":
            actions = frozenset(action for action in ACTIONS if _accepts(wants, action))
            return _Limit(term, actions, f"`action` says {' or '.join(sorted(actions))}")
        case True if name in ("quiet", "assumed"):
            return _Limit(term, frozenset({"updated"}), f"only an updated version is {name}")
        case True if name == "rollback":
            return _Limit(term, frozenset({"updated"}), "only an updated version can be rolled back to")
        case True | Sets() if name in _REPLACES:
            return _Limit(term, frozenset({"created", "updated"}), f"a deletion has no `{name}`")
        case Numbers() if name == "versions_left":
            return _Limit(term, frozenset({"deleted"}), "only a deletion has `versions_left`")
        case Numbers() if name == "moved_from":
            return _Limit(term, frozenset({"created", "updated"}), "a deletion moves no label")
        case Sets() if _demands(wants) and name in ("labels_lost", "labels_removed"):
            return _Limit(term, frozenset({"updated", "deleted"}), "a version just created has lost no label")
        case Sets() if _demands(wants) and name in ("labels_gained", "tags_gained", "tags_lost"):
            return _Limit(term, frozenset({"created", "updated"}), f"a deletion has no `{name}`")
        case _:
            return None


def _demands(wants: Sets) -> bool:
    return bool(wants.any or wants.all)


def _required(one: Alternative, name: str) -> list[tuple[Term, str]]:
    """Return the names that a set must have."""
    found: list[tuple[Term, str]] = []
    for term in one.on(name):
        if isinstance(wants := term.clause.wants, Sets):
            patterns = (*wants.all, *(wants.any if len(wants.any) == 1 else ()))
            found += [(term, pattern.source) for pattern in patterns if pattern.literal]
    return found


def _labels_held(one: Alternative) -> tuple[Path, str] | None:
    """A label that was gained is held, one that was lost is not."""
    gained = _required(one, "labels_gained")
    deleted = may_be(one, "action", "deleted")
    lost = [*_required(one, "labels_lost"), *_required(one, "labels_removed")]
    names = {label for _, label in gained}
    for term, label in lost:
        if label in names:
            return _told(term, f'a version cannot gain and lose "{label}" at once')
        if not deleted and label in {held for _, held in _required(one, "labels")}:
            return _told(term, f'`labels` wants "{label}", which the version has just lost')
    for term in one.on("labels"):
        wants = term.clause.wants
        for pattern in wants.none if isinstance(wants, Sets) else ():
            if pattern.literal and pattern.source in names:
                return _told(term, f'`labels` excludes "{pattern.source}", which the version has just gained')
    return None


def _quiet(one: Alternative) -> tuple[Path, str] | None:
    """In a quiet change nothing is to be seen but, perhaps, that `latest` moved."""
    if not any(term.clause.wants is True for term in one.on("quiet")):
        return None
    for term in one.terms:
        wants = term.clause.wants
        if not isinstance(wants, Sets) or not _demands(wants):
            continue
        latest = all(pattern.source == LATEST for pattern in wants.all) and (not wants.any or wants.names(LATEST))
        if term.name in ("tags_gained", "tags_lost") or (term.name in _LABEL_CHANGES and not latest):
            return _told(term, f'`quiet` is wanted, and a quiet change has no `{term.name}` but "latest"')
    return None


def _order_of_numbers(one: Alternative) -> tuple[Path, str] | None:
    """A label that is rolled back comes from a higher version."""
    rollback = one.on("rollback")
    if not any(term.clause.wants is True for term in rollback):
        return None
    least, _ = _bounds("version", one.on("version"))
    _, greatest = _bounds("moved_from", one.on("moved_from"))
    if greatest <= least:
        return _told(rollback[-1], "what is rolled back comes from a higher version, which `moved_from` excludes")
    return None
