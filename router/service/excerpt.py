"""The lines of a rules file around what is wrong in it, without what may be a secret."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

from msgspec import Struct

from router.domain.problem import Problem
from router.domain.text import MASK

AROUND: Final = 2
MOST: Final = 20
LONGEST: Final = 200

_HEADER: Final = re.compile(r"\s*\[\[?\s*([A-Za-z_]+)[^\[\]]*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(r"(\s*[\w.\"'-]+\s*=\s*)(.*)")
_PLAIN: Final = frozenset({"rules", "actions", "matches", "times", "vars"})
"""The tables in which no secret may stand; elsewhere only keys are shown."""


class Line(Struct, frozen=True, kw_only=True):
    """`here`: the fault is in this one."""

    number: int
    text: str
    here: bool


class Excerpt(Struct, frozen=True):
    """A fault with the lines around it; none if it is about a whole file, or the file is not there."""

    problem: Problem
    lines: tuple[Line, ...]


def excerpts(problems: Iterable[Problem], read: Callable[[str], str]) -> tuple[Excerpt, ...]:
    """Return the first 20 problems, each in its place, as the files say now."""
    files: dict[str, list[str]] = {}
    found = []
    for problem in islice(problems, MOST):
        file = problem.place.file
        if problem.place.line and file not in files:
            files[file] = []
            with suppress(OSError, ValueError):
                files[file] = list(_without_secrets(read(file).splitlines()))
        found.append(Excerpt(problem, tuple(_around(files.get(file, []), problem.place.line))))
    return tuple(found)


def _around(lines: list[str], line: int) -> Iterator[Line]:
    for number in range(max(1, line - AROUND), min(len(lines), line + AROUND) + 1):
        yield Line(number=number, text=lines[number - 1][:LONGEST], here=number == line)


def _without_secrets(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines; of those that are not surely in a plain table only the keys."""
    plain = False
    for line in lines:
        if header := _HEADER.fullmatch(line):
            plain = header[1] in _PLAIN
            yield line
        elif plain or not line.strip():
            yield line
        elif key := _KEY.fullmatch(line):
            yield f"{key[1]}{MASK}"
        else:
            yield MASK
