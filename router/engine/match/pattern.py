"""Patterns on texts: literals, globs and regular expressions, each within its time."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, TypeAlias

import regex
from msgspec import Struct
from wcmatch import glob

from router.engine.deadline import at_most

SECONDS: Final = 0.05
"""How long one pattern may work on one text. Longer: the clause answers `error`."""

LENGTH: Final = 1_000
"""Characters of a pattern, regular expression or path. Nobody reads longer ones."""

_GLOB_FLAGS: Final = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX
_MAGIC: Final = re.compile(r"[*?\[]")
_PREFIX: Final = re.compile(r"[^*?\[\\]*")
_CLASS: Final = re.compile(r"\[[^\]]*\]")
_BRACES: Final = re.compile(r"\{[^{}]*,[^{}]*\}")
_REGEX_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,\d*)?\}|.", re.DOTALL)

EXPANSION: Final = 100_000
"""So many steps a regular expression may have once `{n}` is written out, which the library does: a{1000000} takes
270 MB, and ((a{9}){9}){9} multiplies."""

Test: TypeAlias = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern cannot be compiled. The text says why, for the author of the rule."""


class SlowPattern(Exception):
    """A pattern did not finish in time. The text says so."""


class Pattern(Struct, frozen=True):
    """One pattern. `prefix`: what every text that fits begins with; None: any text may fit.

    A `literal` fits its own name only (and other cases of it if `prefix` is None).
    """

    source: str
    matches: Test
    literal: bool
    prefix: str | None


def some(tests: Iterable[Callable[[], bool]]) -> bool:
    """Return whether one test holds. Raises SlowPattern if none does and one did not finish."""
    slow = None
    for test in tests:
        try:
            if test():
                return True
        except SlowPattern as error:
            slow = error
    if slow:
        raise slow
    return False


def every(tests: Iterable[Callable[[], bool]]) -> bool:
    """Return whether all tests hold. Raises SlowPattern if none fails and one did not finish."""
    slow = None
    for test in tests:
        try:
            if not test():
                return False
        except SlowPattern as error:
            slow = error
    if slow:
        raise slow
    return True


@lru_cache(maxsize=65_536)
def compile_pattern(source: str, *, ignore_case: bool = False) -> Pattern:
    """Compile a literal or a glob: `*` and `?` stay within one `/` segment, `**` crosses them. Raises PatternError."""
    _check_length("a pattern", source)
    if _BRACES.search(_CLASS.sub("", source)):
        raise PatternError('braces stand for themselves: write a list of patterns (or "[{]" for the character)')
    if _MAGIC.search(source):
        return _compile_glob(source, ignore_case)
    if ignore_case:
        folded = source.casefold()
        return Pattern(source, lambda text: text.casefold() == folded, True, None)
    return Pattern(source, source.__eq__, True, source)


@lru_cache(maxsize=65_536)
def compile_regex(source: str, *, ignore_case: bool = False) -> Callable[[str, float], bool]:
    """Return a test whether the whole of a text fits, within so many seconds (else SlowPattern).

    Raises PatternError.
    """
    _check_length("a regular expression", source)
    if _written_out(source) > EXPANSION:
        raise PatternError(f"a regular expression whose repeats multiply to more than {EXPANSION:,}")
    try:
        expression = regex.compile(source, regex.IGNORECASE if ignore_case else 0)
    except regex.error as error:
        raise PatternError(f"not a regular expression: {error}") from error
    except RecursionError as error:
        raise PatternError("a regular expression that is nested too deeply") from error
    return lambda text, seconds: _fits(expression, text, seconds, "regular expression")


def _written_out(source: str) -> int:
    """Return about how many steps a regular expression has when every `{n}` is written out."""
    groups, last = [0], 0
    for token in _REGEX_TOKEN.finditer(source):
        match token[0]:
            case "(":
                groups.append(0)
            case ")" if len(groups) > 1:
                last = groups.pop()
                groups[-1] += last
            case _ if token[1]:
                more = last * (int(token[1]) - 1)
                last += more
                groups[-1] += more
            case _:
                last = 1
                groups[-1] += 1
    return sum(groups)


def _compile_glob(source: str, ignore_case: bool) -> Pattern:
    found = _PREFIX.match(source)
    assert found is not None, "it may be empty"
    prefix = found[0]
    if ignore_case:
        return Pattern(source, _glob_test(source, glob.IGNORECASE), False, None)
    match source[len(prefix) :]:
        case "**" if not prefix or prefix.endswith("/"):  # by far the most globs, and the fastest
            return Pattern(source, lambda text: text.startswith(prefix), False, prefix)
        case _:
            test = _glob_test(source, glob.CASE)
            return Pattern(source, lambda text: text.startswith(prefix) and test(text), False, prefix)


def _glob_test(source: str, flags: int) -> Test:
    try:
        expressions = [regex.compile(part) for part in glob.translate(source, flags=_GLOB_FLAGS | flags)[0]]
    except regex.error as error:
        raise PatternError(f"not a glob: {error}") from error
    return lambda text: any(_fits(expression, text, SECONDS, "glob") for expression in expressions)


def _fits(expression: "regex.Pattern[str]", text: str, seconds: float, kind: str) -> bool:
    try:
        return expression.fullmatch(text, timeout=at_most(seconds)) is not None
    except TimeoutError as error:
        raise SlowPattern(f"the {kind} took longer than {SECONDS * 1000:.0f} ms") from error


def _check_length(what: str, source: str) -> None:
    if len(source) > LENGTH:
        raise PatternError(f"{what} of {len(source):,} characters; at most {LENGTH:,} are allowed")
