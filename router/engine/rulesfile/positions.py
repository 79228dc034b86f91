"""Where everything in a TOML file stands.

tree-sitter only gives positions, tomli judges the syntax. The grammar is that of TOML 1.0, so it stumbles over some of
1.1; what it cannot place stands where the nearest thing around it stands. Nothing is worked out before it is asked
for: a file of 10,000 rules with one fault costs little more than its parsing.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser, Point

from router.domain.json import Json, JsonObject

Path: TypeAlias = tuple[str | int, ...]


class Line(int):
    """The last step of a path that leads into a text: a line of it, from 1. It shows in the place, not in the path."""


_TOML: Final = Language(tree_sitter_toml.language())
_CHUNK: Final = 64 * 1024
"""Bytes that are parsed at a time. The parser holds the interpreter's lock, and asks us for more without it."""


class _Entry(NamedTuple):
    """One key of a table or item of a list: the node that names it, and the one that holds its value."""

    name: Node
    value: Node | None


class Positions:
    """The places of one file. `data` is what it says: only what is in there has a place.

    Where the grammar gave up on a part of the file, an array can come out shorter than it is. Its items are then not
    placed at all: no position is better than another item's.
    """

    def __init__(self, text: str, data: JsonObject) -> None:
        self._bytes = text.encode()
        self._data = data
        self._inside: dict[int, dict[Path, _Entry]] = {}

    def of(self, path: Path) -> tuple[int, int] | None:
        """Return line and column, from 1, of what is at `path`, else of the nearest thing around it."""
        for end in range(len(path), 0, -1):
            if node := self._node(path[:end]):
                row, column = node.start_point
                start = node.start_byte - column
                return row + 1, len(self._bytes[start : node.start_byte].decode(errors="replace")) + 1
        return None

    def _node(self, path: Path) -> Node | None:
        if not has(self._data, path) or any(path[:end] in self._broken for end in range(len(path))):
            return None
        first, tables = self._headers
        below = (self._below(tables[path[:end]], path[end:]) for end in range(len(path)) if path[:end] in tables)
        found = [node for node in (first.get(path), *below) if node]
        return min(found, key=lambda node: node.start_byte, default=None)

    def _below(self, node: Node, path: Path) -> Node | None:
        entries = self._entries(node)
        for end in range(len(path), 0, -1):
            if entry := entries.get(path[:end]):
                if end == len(path):
                    return entry.name
                return self._below(entry.value, path[end:]) if entry.value else None
        return None

    def _entries(self, node: Node) -> dict[Path, _Entry]:
        """Return what stands in a table or list, by the names of its (perhaps dotted) key or by its number."""
        if node.id not in self._inside:
            self._inside[node.id] = _items(node) if node.type == "array" else self._pairs(node)
        return self._inside[node.id]

    def _pairs(self, table: Node) -> dict[Path, _Entry]:
        entries: dict[Path, _Entry] = {}
        for pair in table.named_children:
            if pair.type != "pair" or len(pair.named_children) < 2:
                continue
            key, value = pair.named_children[:2]
            names = self._key(key)
            for end, part in enumerate(_parts(key), start=1):
                entries.setdefault(names[:end], _Entry(part, value if end == len(names) else None))
        return entries

    def _key(self, node: Node) -> tuple[str, ...]:
        """Return the names in a key; tomli reads the quoted ones."""
        names: list[str] = []
        for part in _parts(node):
            text = self._bytes[part.start_byte : part.end_byte].decode()
            names += [text] if part.type == "bare_key" else tomli.loads(f"{text} = 0")
        return tuple(names)

    @cached_property
    def _tree(self) -> Node:
        def read(start: int, _: Point) -> bytes:
            return self._bytes[start : start + _CHUNK]

        self._parsed = Parser(_TOML).parse(read)  # kept, its nodes do not live without it
        return self._parsed.root_node

    @cached_property
    def _headers(self) -> tuple[dict[Path, Node], dict[Path, Node]]:
        """Return the first header that leads through each path, and the table that holds what stands there."""
        first: dict[Path, Node] = {}
        tables: dict[Path, Node] = {(): self._tree}
        counts: dict[Path, int] = {}
        for node in self._tree.named_children:
            if node.type not in ("table", "table_array_element"):
                continue
            path = _resolve(self._key(node.named_children[0]), counts)
            if node.type == "table_array_element":
                counts[path] = counts.get(path, 0) + 1
                path = (*path, counts[path] - 1)
            tables[path] = node
            for end in range(1, len(path) + 1):
                first.setdefault(path[:end], node)
        self._counts = counts
        return first, tables

    @cached_property
    def _broken(self) -> frozenset[Path]:
        assert self._headers
        return frozenset(path for path, count in self._counts.items() if _length(self._data, path) != count)


def has(value: object, path: Path) -> bool:
    """Tell whether `path` leads to something in `value`."""
    for step in path:
        if isinstance(value, Mapping) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return False
    return True


def at(value: Json, path: Path) -> Json:
    """Return what `path` leads to; only to be called where `has` said yes."""
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def _length(data: JsonObject, path: Path) -> int:
    value = at(data, path) if has(data, path) else None
    return len(value) if isinstance(value, list) else -1


def _resolve(keys: tuple[str, ...], counts: Mapping[Path, int]) -> Path:
    """Return where a header leads: through an array of tables into its last item, except at the very end."""
    path: Path = ()
    for key in keys:
        if path in counts:
            path = (*path, counts[path] - 1)
        path = (*path, key)
    return path


def _items(array: Node) -> dict[Path, _Entry]:
    items = [item for item in array.named_children if item.type != "comment"]
    if any(item.type == "ERROR" for item in items):
        return {}
    return {(index,): _Entry(item, item) for index, item in enumerate(items)}


def _parts(key: Node) -> Sequence[Node]:
    """Return the nodes of a dotted key's names, in order (the grammar nests them to the left)."""
    parts: list[Node] = []
    while key.type == "dotted_key":
        key, last = key.named_children
        parts.insert(0, last)
    return [key, *parts]
