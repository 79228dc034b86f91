"""Files whose contents stand in a rules file: a template text, or a JSON or TOML tree of them."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import Final

import msgspec
import tomli
from msgspec import Struct

from router.domain.json import Json
from router.domain.problem import Place
from router.engine.rulesfile.document import MAX_BYTES, too_deep
from router.engine.rulesfile.positions import Line, Path, Positions
from router.engine.template import MAX_OUTPUT

_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]++')
_BYTE: Final = re.compile(r" \(byte (\d+)\)")


class Inserted(Struct, frozen=True):
    """What a file holds, and where: `find` returns line and column of a path in it."""

    file: str
    data: Json
    find: Callable[[Path], tuple[int, int] | None]

    def place(self, path: Path) -> Place:
        return Place(self.file, *(self.find(path) or (1, 1)))


class Broken(ValueError):
    """The file does not hold what it should; the text says why, `line` and `column` where (0: as a whole)."""

    def __init__(self, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.line = line
        self.column = column


def text_of(file: str, text: str) -> Inserted:
    """Return a template text. Raises Broken."""
    if len(text) > MAX_OUTPUT:
        raise Broken(f"larger than {MAX_OUTPUT // 2**20} MiB, which no message may be")
    return Inserted(file, text, lambda path: (path[0], 1) if path and isinstance(path[0], Line) else None)


def tree_of(file: str, text: str) -> Inserted:
    """Return the tree in a JSON or TOML file. Raises Broken."""
    if len(text) > MAX_BYTES:
        raise Broken("larger than 50 MB")
    match PurePath(file).suffix:
        case ".json":
            tree, find = _json(text)
        case ".toml":
            tree, find = _toml(text)
        case _:
            raise Broken("expected a .json or .toml file")
    return Inserted(file, tree, find)


def _toml(text: str) -> tuple[Json, Callable[[Path], tuple[int, int] | None]]:
    try:
        tree = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise Broken(f"not TOML: {error.msg}", error.lineno, error.colno) from error
    except RecursionError as error:
        raise Broken("nested too deeply") from error
    _check_depth(tree)
    return tree, Positions(text, tree).of


def _json(text: str) -> tuple[Json, Callable[[Path], tuple[int, int] | None]]:
    try:
        tree: Json = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        what, at = str(error), _BYTE.search(str(error))
        before = text.encode()[: int(at[1])].decode(errors="replace") if at else text  # it ends too early
        raise Broken(f"not JSON: {_BYTE.sub('', what)}", *_end_of(before)) from error
    except RecursionError as error:
        raise Broken("nested too deeply") from error
    _check_depth(tree)

    def find(path: Path) -> tuple[int, int] | None:
        starts = dict(_json_starts(_JSON_TOKEN.finditer(text), ()))
        nearest = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in starts), None)
        return None if nearest is None else _end_of(text[: starts[nearest]])

    return tree, find


def _check_depth(tree: Json) -> None:
    if too_deep(tree):
        raise Broken("nested too deeply")


def _end_of(text: str) -> tuple[int, int]:
    """Return line and column of what comes after `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _json_starts(tokens: Iterator[re.Match[str]], path: Path) -> Iterator[tuple[Path, int]]:
    """Yield every path of a valid JSON text and where it begins: keys at their names, items at their values."""
    opening = next(tokens)
    if path and isinstance(path[-1], int):
        yield path, opening.start()
    if opening[0] == "{":
        for key in tokens:
            if key[0] == "}":
                return
            if key[0] == ",":
                continue
            name: str = json.loads(key[0])
            yield (*path, name), key.start()
            next(tokens)  # the colon
            yield from _json_starts(tokens, (*path, name))
    elif opening[0] == "[":
        yield from _json_items(tokens, path)


def _json_items(tokens: Iterator[re.Match[str]], path: Path) -> Iterator[tuple[Path, int]]:
    index = 0
    for token in tokens:
        if token[0] == "]":
            return
        if token[0] != ",":
            yield from _json_starts(chain((token,), tokens), (*path, index))
            index += 1
