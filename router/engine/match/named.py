"""`[matches]`: matches with names, which can name each other, but not in a circle."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import msgspec

from router.domain.json import Json, JsonObject
from router.engine.match.compile import Vocabulary, compile_match
from router.engine.match.tree import GROUPS
from router.engine.match.wanted import Path
from router.engine.times import Times


def compile_matches(
    tables: Mapping[str, JsonObject], times: Mapping[str, Times], vars: Mapping[str, Json]
) -> tuple[Vocabulary, list[tuple[Path, str]]]:
    """Return what rules can refer to, and every fault as (path, what), such as (("matches", "a", "any", 0), …)."""
    faults: list[tuple[Path, str]] = []
    named = {name: dict(_references(table)) for name, table in tables.items()}
    circles, order = _order({name: set(references.values()) for name, references in named.items()})
    for circle in circles:
        for name, following in pairwise(circle):
            at = next(path for path, reference in named[name].items() if reference == following)
            faults.append((("matches", name, *at), f"goes round in a circle: {' → '.join(_from(circle, name))}"))
    vocabulary = Vocabulary(broken=frozenset(name for circle in circles for name in circle), times=times, vars=vars)
    for name in order:
        match, found = compile_match(tables[name], vocabulary)
        faults += [(("matches", name, *path), what) for path, what in found]
        vocabulary = msgspec.structs.replace(vocabulary, matches={**vocabulary.matches, name: match})
    return vocabulary, faults


def _references(table: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the names of matches in a match, with where they stand."""
    if not isinstance(table, Mapping):
        return
    for group in GROUPS:
        members = table.get(group)
        for index, member in enumerate(members if isinstance(members, list) else ()):
            at = (*path, group, index)
            if isinstance(member, str):
                yield at, member
            else:
                yield from _references(member, at)


def _order(graph: dict[str, set[str]]) -> tuple[list[list[str]], list[str]]:
    """Return the circles, their first name again at the end, and all other names: what is named before who names it."""
    circles: list[list[str]] = []
    while True:
        try:
            return circles, [name for name in TopologicalSorter(graph).static_order() if name in graph]
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            circles.append(circle)
            graph = {name: names for name, names in graph.items() if name not in circle}


def _from(circle: list[str], name: str) -> list[str]:
    """Return the circle as it goes round from `name`."""
    start = circle.index(name)
    return [*circle[start:-1], *circle[:start], name]
