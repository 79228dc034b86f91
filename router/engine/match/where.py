"""Items of `where`: what the nodes hold that a JSONPath finds, in an event's body or in a destination's answer."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from router.domain.json import Json, JsonObject, equal
from router.domain.routing import ClauseAnswer
from router.engine.deadline import at_most
from router.engine.match.path import JsonPath, PathError, compile_path
from router.engine.match.pattern import SECONDS, PatternError, SlowPattern, compile_regex
from router.engine.match.verdict import yes_or_no
from router.engine.match.wanted import COMPARE, Fault, Path, is_number, kind
from router.engine.suggest import suggestion


class Unlike(Exception):
    """Two values have no order. The text says which."""


class Item(Struct, frozen=True, kw_only=True):
    """One entry of `where`: it holds if one node that `path` finds passes all that is asked.

    `tests` are (operator, value); `fits` tests a text within so many seconds. `exists`, `changed` None: not asked.
    """

    written: JsonObject
    path: JsonPath
    tests: tuple[tuple[str, Json], ...] = ()
    fits: Callable[[str, float], bool] | None = None
    exists: bool | None = None
    changed: bool | None = None

    def answer(self, body: Json, before: Json = None) -> tuple[ClauseAnswer, Json]:
        """Return the answer, and what was found. `before`: the same of the version replaced; None: there is none."""
        try:
            if self.changed is None:
                nodes = self.path.nodes(body)
                return yes_or_no(not nodes if self.exists is False else self._any(nodes)), nodes
            if before is None:
                return "no", "no version was replaced"
            old, new = self.path.placed(before), self.path.placed(body)
            return yes_or_no(self._compared(old, new)), {"before": list(old.values()), "now": list(new.values())}
        except (PathError, SlowPattern, Unlike) as error:
            return "error", str(error)

    def _compared(self, old: Mapping[str, Json], new: Mapping[str, Json]) -> bool:
        if self.changed and not self.tests and self.fits is None and old.keys() - new.keys():
            return True
        same = {place for place, node in new.items() if place in old and equal(old[place], node)}
        return self._any(node for place, node in new.items() if (place not in same) is self.changed)

    def _any(self, nodes: Iterable[Json]) -> bool:
        """Return whether one node passes. Raises Unlike or SlowPattern if none does and one could not be decided."""
        unlike = None
        until = time.monotonic() + at_most(SECONDS)
        for node in nodes:
            try:
                if self._passes(node, until):
                    return True
            except Unlike as error:
                unlike = error
        if unlike:
            raise unlike
        return False

    def _passes(self, node: Json, until: float) -> bool:
        if not all(OPERATORS[operator](node, wanted) for operator, wanted in self.tests):
            return False
        return self.fits is None or (isinstance(node, str) and self.fits(node, max(until - time.monotonic(), 0.001)))


def _ordered(operator: str) -> Callable[[Json, Json], bool]:
    compare: Callable[..., bool] = COMPARE[operator]

    def test(node: Json, wanted: Json) -> bool:
        numbers = is_number(node) and is_number(wanted)
        if not numbers and not (isinstance(node, str) and isinstance(wanted, str)):
            raise Unlike(f"{kind(node)} and {kind(wanted)} have no order")
        return compare(node, wanted)

    return test


def _contains(node: Json, wanted: Json) -> bool:
    match node:
        case str() | dict():
            return isinstance(wanted, str) and wanted in node
        case list():
            return any(equal(item, wanted) for item in node)
        case _:
            return False


def _is_in(node: Json, wanted: Json) -> bool:
    assert isinstance(wanted, list), "checked when it was loaded"
    return any(equal(node, item) for item in wanted)


OPERATORS: Final[Mapping[str, Callable[[Json, Json], bool]]] = {
    "equals": equal,
    "not_equals": lambda node, wanted: not equal(node, wanted),
    "in": _is_in,
    "not_in": lambda node, wanted: not _is_in(node, wanted),
    "gt": _ordered("gt"),
    "gte": _ordered("gte"),
    "lt": _ordered("lt"),
    "lte": _ordered("lte"),
    "contains": _contains,
}
ITEM_KEYS: Final = ("path", *OPERATORS, "regex", "exists", "changed")
_OPERATORS: Final = f"; there are {', '.join(ITEM_KEYS[1:])}"


def compile_where(value: Json, path: Path, fault: Fault) -> tuple[Item, ...]:
    """Compile `[{ path = "$.prompt.config.model", equals = "x" }, …]`."""
    if not isinstance(value, list) or not value:
        fault(path, 'expected a list of tables such as [{ path = "$.prompt.config.model", equals = "gpt-5" }]')
        return ()
    items = [_compile_item(table, (*path, index), fault) for index, table in enumerate(value)]
    return tuple(item for item in items if item)


def _compile_item(table: Json, at: Path, fault: Fault) -> Item | None:
    if not isinstance(table, Mapping):
        fault(at, f"expected a table with `path` and an operator, got {kind(table)}")
        return None
    for key, wanted in table.items():
        if key not in ITEM_KEYS:
            fault((*at, key), f"unknown operator{suggestion(key, ITEM_KEYS) or _OPERATORS}")
        elif expected := _unfit(key, wanted):
            fault((*at, key), f"expected {expected}, got {kind(wanted)}")
            return None
    if not table.keys() - {"path"}:
        fault(at, f"an operator is missing{_OPERATORS}")
    if table.get("exists") is False and len(table) > 2:
        fault((*at, "exists"), "`exists = false` stands alone: there is no node of which more could be asked")
    try:
        fits = compile_regex(str(table["regex"])) if "regex" in table else None
    except PatternError as error:
        fault((*at, "regex"), str(error))
        fits = None
    if "path" not in table:
        fault(at, "`path` is missing: a JSONPath such as $.prompt.config.model")
        return None
    try:
        path = compile_path(str(table["path"]))
    except PatternError as error:
        fault((*at, "path"), str(error))
        return None
    return Item(
        written=table,
        path=path,
        tests=tuple((key, wanted) for key, wanted in table.items() if key in OPERATORS),
        fits=fits,
        exists=_flag(table, "exists"),
        changed=_flag(table, "changed"),
    )


def _unfit(key: str, wanted: Json) -> str | None:
    """Return what was expected for an operator, if it is not this."""
    match key:
        case "path" | "regex":
            return None if isinstance(wanted, str) else "a string"
        case "exists" | "changed":
            return None if isinstance(wanted, bool) else "true or false"
        case "in" | "not_in":
            return None if isinstance(wanted, list) and wanted else "a list of values"
        case "gt" | "gte" | "lt" | "lte":
            return None if is_number(wanted) or isinstance(wanted, str) else "a number or a string"
        case _:
            return None


def _flag(table: JsonObject, key: str) -> bool | None:
    flag = table.get(key)
    return flag if isinstance(flag, bool) else None
