"""Patterns on strings and sets of strings, as match clauses write them."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import regex
from msgspec import Struct
from wcmatch import glob

from router.domain.json import Json
from router.engine.ledger import LATEST

REGEX_SECONDS = 0.05
"""How long one regular expression may work on one text. Longer: the clause answers `error`."""

GLOB_LENGTH = 1000

_GLOB_FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX
_MAGIC = frozenset("*?[")

Test: TypeAlias = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern cannot be compiled. The text says why, for the author of the rule."""


class SlowPattern(Exception):
    """A regular expression did not finish in time."""


class Pattern(Struct, frozen=True):
    """One pattern: a literal or a glob. `*` stays within one `/` segment, `**` crosses them."""

    source: str
    matches: Test
    literal: bool


class Strings(Struct, frozen=True, kw_only=True):
    """What a string clause wants: one of `plain` (any text if there are none) and none of `excluded`."""

    plain: tuple[Pattern, ...] = ()
    excluded: tuple[Pattern, ...] = ()
    also: tuple[Test, ...] = ()

    def accept(self, candidates: Sequence[str]) -> bool:
        """Return whether one of `candidates` (ways to name the same thing) is wanted and none is excluded.

        Raises SlowPattern.
        """
        if any(pattern.matches(text) for pattern in self.excluded for text in candidates):
            return False
        if self.also and not any(all(test(text) for test in self.also) for text in candidates):
            return False
        return not self.plain or any(pattern.matches(text) for pattern in self.plain for text in candidates)


class Sets(Struct, frozen=True, kw_only=True):
    """What a set clause wants: one of `any`, all of `all`, none of `none`."""

    any: tuple[Pattern, ...] = ()
    all: tuple[Pattern, ...] = ()
    none: tuple[Pattern, ...] = ()

    def accept(self, members: Iterable[str]) -> bool:
        members = tuple(members)
        return (
            (not self.any or any(named(pattern, members) for pattern in self.any))
            and all(named(pattern, members) for pattern in self.all)
            and not any(named(pattern, members) for pattern in self.none)
        )

    def names(self, literal: str) -> bool:
        """Return whether a pattern says exactly this name."""
        return any(p.literal and p.source == literal for p in (*self.any, *self.all, *self.none))


def named(pattern: Pattern, members: Iterable[str]) -> list[str]:
    """Return the members that `pattern` means. A glob never means `latest`, only its name does."""
    return [m for m in members if pattern.matches(m) and (pattern.literal or m != LATEST)]


def compile_pattern(source: str, *, ignore_case: bool = False) -> Pattern:
    """Raises PatternError."""
    if not _MAGIC & set(source):
        if ignore_case:
            folded = source.casefold()
            return Pattern(source, lambda text: text.casefold() == folded, True)
        return Pattern(source, source.__eq__, True)
    if len(source) > GLOB_LENGTH:
        raise PatternError(f"a glob of {len(source)} characters; at most {GLOB_LENGTH} are allowed")
    flags = _GLOB_FLAGS | (glob.IGNORECASE if ignore_case else glob.CASE)
    try:
        compiled = [regex.compile(part) for part in glob.translate(source, flags=flags)[0]]
    except regex.error as error:
        raise PatternError(f"not a glob: {error}") from error
    return Pattern(source, lambda text: any(_search(expression, text) for expression in compiled), False)


def compile_strings(value: Json, *, ignore_case: bool = False) -> Strings:
    """Compile `"a"`, `["a", "!b"]` or `{ regex | prefix, suffix, contains, ignore_case }`. Raises PatternError."""
    if isinstance(value, dict):
        return _compile_string_table(value, ignore_case)
    sources = _sources(value)
    return Strings(
        plain=tuple(compile_pattern(s, ignore_case=ignore_case) for s in sources if not s.startswith("!")),
        excluded=tuple(compile_pattern(s[1:], ignore_case=ignore_case) for s in sources if s.startswith("!")),
    )


def compile_sets(value: Json) -> Sets:
    """Compile `"a"`, `["a", "b*"]` or `{ any = […], all = […], none = […] }`. Raises PatternError."""
    if not isinstance(value, dict):
        return Sets(any=_patterns(value))
    if unknown := sorted(value.keys() - {"any", "all", "none"}):
        raise PatternError(f"unknown key `{unknown[0]}`; a set takes `any`, `all` and `none`")
    if not value:
        raise PatternError("an empty table; write `any`, `all` or `none`")
    return Sets(**{key: _patterns(part) for key, part in value.items()})


def _patterns(value: Json) -> tuple[Pattern, ...]:
    sources = _sources(value)
    for source in sources:
        if source.startswith("!"):
            raise PatternError(f'sets have no "!": write {{ none = ["{source[1:]}"] }}')
    return tuple(map(compile_pattern, sources))


def _sources(value: Json) -> list[str]:
    sources = [value] if isinstance(value, str) else value
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise PatternError(f"expected a string or a list of strings, got {_kind(value)}")
    if not sources:
        raise PatternError("an empty list never matches; leave the clause out to match anything")
    return [str(source) for source in sources]


def _compile_string_table(table: dict[str, Json], ignore_case: bool) -> Strings:
    known = {"regex", "prefix", "suffix", "contains", "ignore_case"}
    if unknown := sorted(table.keys() - known):
        raise PatternError(f"unknown key `{unknown[0]}`; a string takes {', '.join(sorted(known))}")
    fold = table.get("ignore_case", ignore_case)
    if not isinstance(fold, bool):
        raise PatternError("`ignore_case` is true or false")
    texts = {key: value for key, value in table.items() if key != "ignore_case"}
    if not texts:
        raise PatternError("nothing to compare with; write `regex`, `prefix`, `suffix` or `contains`")
    tests: list[Test] = []
    for key, value in texts.items():
        if not isinstance(value, str):
            raise PatternError(f"`{key}` is a string, got {_kind(value)}")
        tests.append(_compile_regex(value, fold) if key == "regex" else _text_test(key, value, fold))
    return Strings(also=tuple(tests))


def _text_test(key: str, wanted: str, fold: bool) -> Test:
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


def _compile_regex(source: str, fold: bool) -> Test:
    try:
        expression = regex.compile(source, regex.IGNORECASE if fold else 0)
    except regex.error as error:
        raise PatternError(f"not a regular expression: {error}") from error

    def test(text: str) -> bool:
        try:
            return expression.fullmatch(text, timeout=REGEX_SECONDS) is not None
        except TimeoutError as error:
            raise SlowPattern(f"the regular expression took longer than {REGEX_SECONDS * 1000:.0f} ms") from error

    return test


def _search(expression: "regex.Pattern[str]", text: str) -> bool:
    try:
        return expression.match(text, timeout=REGEX_SECONDS) is not None
    except TimeoutError as error:
        raise SlowPattern(f"the glob took longer than {REGEX_SECONDS * 1000:.0f} ms") from error


def _kind(value: Json) -> str:
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
