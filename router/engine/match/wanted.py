"""What clauses on strings, sets and numbers want, as rules write it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeGuard

from msgspec import Struct

from router.domain.json import Json, JsonObject
from router.engine.ledger import LATEST
from router.engine.match.pattern import (
    SECONDS,
    Pattern,
    PatternError,
    Test,
    compile_pattern,
    compile_regex,
    every,
    some,
)
from router.engine.suggest import suggestion

Path: TypeAlias = tuple[str | int, ...]
Fault: TypeAlias = Callable[[Path, str], None]
"""Is told what is wrong, and where below the match."""


class Strings(Struct, frozen=True, kw_only=True):
    """One of `plain` (any text if there are none) and none of `excluded`."""

    plain: tuple[Pattern, ...] = ()
    excluded: tuple[Pattern, ...] = ()

    def accept(self, names: Sequence[str]) -> bool:
        """Return whether one of `names` (ways to name the same thing) is wanted and none excluded.

        Raises SlowPattern.
        """
        if not self.excluded:
            return not self.plain or _fits(self.plain, names)
        return every((lambda: not self.plain or _fits(self.plain, names), lambda: not _fits(self.excluded, names)))


class Sets(Struct, frozen=True, kw_only=True):
    """One of `any`, all of `all`, none of `none`. In sets of `labels` no glob means `latest`, only its name does."""

    any: tuple[Pattern, ...] = ()
    all: tuple[Pattern, ...] = ()
    none: tuple[Pattern, ...] = ()
    labels: bool = False

    def accept(self, members: Sequence[str]) -> bool:
        """Raises SlowPattern."""
        others = [member for member in members if member != LATEST] if self.labels else members

        def held(pattern: Pattern) -> bool:
            return pattern.source in members if pattern.literal else _fits((pattern,), others)

        return every(
            (
                lambda: not self.any or some(partial(held, pattern) for pattern in self.any),
                lambda: every(partial(held, pattern) for pattern in self.all),
                lambda: not some(partial(held, pattern) for pattern in self.none),
            )
        )

    def names(self, literal: str) -> bool:
        """Return whether a pattern says exactly this name."""
        return any(p.literal and p.source == literal for p in (*self.any, *self.all, *self.none))


class Numbers(Struct, frozen=True):
    """Every bound holds; each is (operator, number)."""

    bounds: tuple[tuple[str, float], ...]

    def accept(self, number: float) -> bool:
        return all(COMPARE[operator](number, bound) for operator, bound in self.bounds)


COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "eq": lambda got, wanted: got == wanted,
    "ne": lambda got, wanted: got != wanted,
    "gt": lambda got, wanted: got > wanted,
    "gte": lambda got, wanted: got >= wanted,
    "lt": lambda got, wanted: got < wanted,
    "lte": lambda got, wanted: got <= wanted,
}
SET_KEYS: Final = ("any", "all", "none")
TEXT_KEYS: Final = ("regex", "prefix", "suffix", "contains")


def compile_strings(
    value: Json, path: Path, fault: Fault, *, ignore_case: bool = False, choices: Sequence[str] = ()
) -> Strings:
    """Compile `"a"`, `["a", "!b"]` or `{ regex | prefix, suffix, contains, ignore_case }`.

    A pattern that fits none of `choices`, where there are any, is a typo that would disable the rule in silence.
    """

    def checked(at: Path, pattern: Pattern | None) -> tuple[Pattern, ...]:
        if pattern is not None and choices and not any(map(pattern.matches, choices)):
            fault(at, f'"{pattern.source}" is none of {", ".join(choices)}{suggestion(pattern.source, choices)}')
        return (pattern,) if pattern else ()

    if isinstance(value, Mapping):
        return Strings(plain=checked(path, _text_table(value, path, fault, ignore_case)))
    plain: tuple[Pattern, ...] = ()
    excluded: tuple[Pattern, ...] = ()
    for at, source in sources(value, path, fault):
        if source.startswith("!"):
            excluded += checked(at, _pattern(source[1:], at, fault, ignore_case))
        else:
            plain += checked(at, _pattern(source, at, fault, ignore_case))
    return Strings(plain=plain, excluded=excluded)


def compile_sets(value: Json, path: Path, fault: Fault, *, labels: bool = False) -> Sets:
    """Compile `"a"`, `["a", "b*"]` or `{ any = […], all = […], none = […] }`."""
    if not isinstance(value, Mapping):
        return Sets(any=_patterns(value, path, fault), labels=labels)
    check_keys(value, SET_KEYS, path, fault, "a set")
    found = {key: _patterns(value[key], (*path, key), fault) for key in SET_KEYS if key in value}
    return Sets(**found, labels=labels)


def compile_numbers(value: Json, path: Path, fault: Fault) -> Numbers:
    """Compile `3` or `{ gte = 3, lt = 7 }`."""
    if isinstance(value, Mapping):
        check_keys(value, tuple(COMPARE), path, fault, "a number")
    bounds: list[tuple[str, float]] = []
    for at, operator, bound in (
        [((*path, key), key, value[key]) for key in COMPARE if key in value]
        if isinstance(value, Mapping)
        else [(path, "eq", value)]
    ):
        if is_number(bound):
            bounds.append((operator, bound))
        else:
            fault(at, f"expected a number or a table such as {{ gte = 3 }}, got {kind(bound)}")
    return Numbers(tuple(bounds))


def check_keys(table: JsonObject, known: Sequence[str], path: Path, fault: Fault, what: str) -> None:
    takes = f"; {what} takes {', '.join(known)}"
    for key in table:
        if key not in known:
            fault((*path, key), f"unknown key{suggestion(key, known) or takes}")
    if not table:
        fault(path, f"an empty table{takes}")


def is_number(value: Json) -> TypeGuard[int | float]:
    """Booleans are no numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind(value: Json) -> str:
    """Return what a value is, for people."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a table"


def sources(value: Json, path: Path, fault: Fault) -> list[tuple[Path, str]]:
    """Return the strings of `"a"` or `["a", "b"]`, each with its path."""
    if isinstance(value, str):
        return [(path, value)]
    if not isinstance(value, list):
        fault(path, f"expected a string or a list of strings, got {kind(value)}")
        return []
    if not value:
        fault(path, "an empty list; leave the clause out to match anything")
    found: list[tuple[Path, str]] = []
    for index, source in enumerate(value):
        if isinstance(source, str):
            found.append(((*path, index), source))
        else:
            fault((*path, index), f"expected a string, got {kind(source)}")
    return found


def _pattern(source: str, at: Path, fault: Fault, ignore_case: bool = False) -> Pattern | None:
    try:
        return compile_pattern(source, ignore_case=ignore_case)
    except PatternError as error:
        fault(at, str(error))
        return None


def _patterns(value: Json, path: Path, fault: Fault) -> tuple[Pattern, ...]:
    patterns: list[Pattern] = []
    for at, source in sources(value, path, fault):
        if source.startswith("!"):
            fault(at, f'sets have no "!": write {{ none = ["{source[1:]}"] }}')
        elif pattern := _pattern(source, at, fault):
            patterns.append(pattern)
    return tuple(patterns)


def _text_table(table: JsonObject, path: Path, fault: Fault, ignore_case: bool) -> Pattern:
    """Return `{ regex | prefix, suffix, contains, ignore_case }` as one pattern: all that is given must hold."""
    check_keys(table, (*TEXT_KEYS, "ignore_case"), path, fault, "a string")
    fold = table.get("ignore_case", ignore_case)
    if not isinstance(fold, bool):
        fault((*path, "ignore_case"), f"expected true or false, got {kind(fold)}")
        fold = False
    if table and not table.keys() & set(TEXT_KEYS):
        fault(path, f"nothing to compare with; write {', '.join(TEXT_KEYS)}")
    tests: list[Test] = []
    for key in TEXT_KEYS:
        wanted = table.get(key)
        if isinstance(wanted, str):
            try:
                tests.append(_text_test(key, wanted, fold))
            except PatternError as error:
                fault((*path, key), str(error))
        elif key in table:
            fault((*path, key), f"expected a string, got {kind(wanted)}")
    prefix = table.get("prefix")
    return Pattern(
        source=", ".join(f"{key} {wanted}" for key, wanted in table.items()),
        matches=lambda text: every(partial(test, text) for test in tests),
        literal=False,
        prefix=prefix if isinstance(prefix, str) and not fold else None,
    )


def _text_test(key: str, wanted: str, fold: bool) -> Test:
    """Raises PatternError."""
    if key == "regex":
        fits = compile_regex(wanted, ignore_case=fold)
        return lambda text: fits(text, SECONDS)
    part = wanted.casefold() if fold else wanted

    def test(text: str) -> bool:
        text = text.casefold() if fold else text
        match key:
            case "prefix":
                return text.startswith(part)
            case "suffix":
                return text.endswith(part)
            case _:
                return part in text

    return test


def _fits(patterns: Iterable[Pattern], texts: Collection[str]) -> bool:
    """Return whether one pattern fits one text. Raises SlowPattern if none does and one did not finish."""
    return some(partial(pattern.matches, text) for pattern in patterns for text in texts)
