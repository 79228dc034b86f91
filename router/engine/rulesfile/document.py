"""One TOML file: what it says, and where everything in it stands."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import tomli

from router.domain.json import Json, JsonObject
from router.domain.problem import Place, Problem, RulesError
from router.engine.rulesfile.positions import Line, Path, Positions, has

MAX_BYTES: Final = 50_000_000
MAX_DEPTH: Final = 100
LARGE: Final = 256 * 1024
"""Characters from which on a file is read in Python: tomli is compiled and three times as fast, but whoever waits for
the interpreter's lock, as the event loop does, waits until it has read all."""

BYTE_ORDER_MARK: Final = "\ufeff"
"""Some editors begin a file with it."""


class Document:
    """A parsed file. `data` is what it says; positions are worked out when somebody first asks for one."""

    def __init__(self, file: str, text: str, data: JsonObject) -> None:
        self.file = file
        self.data = data
        self._positions = Positions(text, data)

    def __contains__(self, path: Path) -> bool:
        return has(self.data, path)

    def place(self, path: Path) -> Place:
        """Return where `path` stands, else where the nearest thing around it does, else the file's beginning."""
        return Place(self.file, *(self._positions.of(path) or (1, 1)))

    def parts(self) -> list[tuple[str, str]]:
        """Return the file in parts: what stands before the first header, as "", and every table by its first name."""
        return self._positions.parts()

    def table(self, path: Path) -> str | None:
        """Return the lines of a table as they are written; None: it has no header."""
        return self._positions.table(path)


def parse(file: str, text: str) -> Document:
    """Return the document. Raises RulesError: not TOML, larger than 50 MB, or nested deeper than 100."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise refusal(Place(file), "larger than 50 MB; nobody wrote that by hand")
    try:
        data = _loads(text)
    except tomli.TOMLDecodeError as error:
        raise refusal(Place(file, error.lineno, error.colno), f"not TOML: {error.msg}") from error
    except RecursionError as error:
        raise refusal(Place(file), _TOO_DEEP) from error
    if too_deep(data):
        raise refusal(Place(file), _TOO_DEEP)
    return Document(file, text, data)


def _loads(text: str) -> JsonObject:
    """Return what a TOML text says. Raises TOMLDecodeError of tomli, or RecursionError."""
    if len(text) > LARGE:
        with suppress(tomllib.TOMLDecodeError):  # tomli will say why, or knows a newer TOML
            return tomllib.loads(text)
    return tomli.loads(text)


_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH}"


def refusal(place: Place, what: str) -> RulesError:
    return RulesError((Problem(place, "", what),))


def too_deep(value: Json) -> bool:
    """Tell whether tables and lists stand in each other more than 100 deep; safe for any depth."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: Json) -> Sequence[Json]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else ()


def in_order(problems: Iterable[Problem], files: Sequence[str]) -> tuple[Problem, ...]:
    """Return each problem once (what several tables inherit is met several times), file by file."""
    order = {file: number for number, file in enumerate(files)}
    return tuple(sorted(set(problems), key=lambda problem: (order.get(problem.place.file, 0), problem)))


def dotted(path: Path) -> str:
    """Return `rules[2].match.author` for ("rules", 2, "match", "author")."""
    text = ""
    for step in path:
        if not isinstance(step, Line):
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
