"""Where everything in a TOML file stands.

tree-sitter only gives positions, tomli judges the syntax. The grammar is that of TOML 1.0, so it stumbles over some of
1.1; what it cannot place stands where the nearest thing around it stands. Nothing is worked out before it is asked
for: a file of 10,000 rules with one fault costs little more than its parsing.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from router.domain.json import Json, JsonObject

Path: TypeAlias = tuple[str | int, ...]


class Line(int):
    """The last step of a path that leads into a text: a line of it, from 1. It shows in the place, not in the path."""


_TOML: Final = Language(tree_sitter_toml.language())
_HEADER: Final = re.compile(rb"^\[", re.MULTILINE)
_SEGMENT: Final = 64 * 1024
"""Bytes that are parsed at a time, or a little more: the parser holds the interpreter's lock until it is done."""


class _Entry(NamedTuple):
    """One key of a table or item of a list: the node that names it, and the one that holds its value."""

    name: Node
    value: Node | None


class _Segment:
    """A part of a file that begins with a header (or with the file), parsed. `start`: the byte at which it begins."""

    def __init__(self, text: bytes, start: int) -> None:
        self.start = start
        self._text = text
        self._tree = Parser(_TOML).parse(text)
        self._inside: dict[int, dict[Path, _Entry]] = {}

    @property
    def root(self) -> Node:
        return self._tree.root_node

    def below(self, node: Node, path: Path) -> int | None:
        """Return the byte of the file at which `path` begins, which starts in a table or list."""
        entries = self._entries(node)
        for end in range(len(path), 0, -1):
            if entry := entries.get(path[:end]):
                if end == len(path):
                    return self.start + entry.name.start_byte
                return self.below(entry.value, path[end:]) if entry.value else None
        return None

    def key(self, node: Node) -> tuple[str, ...]:
        """Return the names in a key; tomli reads the quoted ones."""
        names: list[str] = []
        for part in _parts(node):
            text = self._text[part.start_byte : part.end_byte].decode()
            names += [text] if part.type == "bare_key" else tomli.loads(f"{text} = 0")
        return tuple(names)

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
            names = self.key(key)
            for end, part in enumerate(_parts(key), start=1):
                entries.setdefault(names[:end], _Entry(part, value if end == len(names) else None))
        return entries


class Positions:
    """The places of one file. `data` is what it says: only what is in there has a place.

    Where the grammar gave up on a part of the file, an array can come out shorter than it is. Its items are then not
    placed at all: no position is better than another item's.
    """

    def __init__(self, text: str, data: JsonObject) -> None:
        self._bytes = text.encode()
        self._data = data

    def of(self, path: Path) -> tuple[int, int] | None:
        """Return line and column, from 1, of what is at `path`, else of the nearest thing around it."""
        for end in range(len(path), 0, -1):
            if (start := self._start(path[:end])) is not None:
                line = bisect_right(self._lines, start)
                before = self._bytes[self._lines[line - 1] : start]
                return line, len(before.decode(errors="replace")) + 1
        return None

    def table(self, path: Path) -> str | None:
        """Return the lines of the table at `path`, from its header to the next one of something else.

        Comments before that one are its own. None: the table has no header.
        """
        first, _, _ = self._headers
        if path not in first or path[:-1] in self._broken:
            return None
        start = first[path]
        ends = [begins for other, begins in first.items() if begins > start and other[: len(path)] != path]
        lines = self._bytes[start : min(ends, default=None)].decode(errors="replace").splitlines()
        while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
            lines.pop()
        return "\n".join(lines)

    def parts(self) -> list[tuple[str, str]]:
        """Return the text in parts: what stands before the first header, as "", and every table by its first name."""
        found = [("", 0)]
        for segment in self._segments:
            headed = (node for node in segment.root.named_children if node.type in ("table", "table_array_element"))
            found += [(segment.key(node.named_children[0])[0], segment.start + node.start_byte) for node in headed]
        ends = [start for _, start in found[1:]] + [len(self._bytes)]
        return [
            (name, self._bytes[start:end].decode(errors="replace"))
            for (name, start), end in zip(found, ends, strict=True)
        ]

    def _start(self, path: Path) -> int | None:
        """Return the byte at which `path` begins."""
        if not has(self._data, path) or any(path[:end] in self._broken for end in range(len(path))):
            return None
        first, tables, _ = self._headers
        above = ((*tables[path[:end]], path[end:]) for end in range(len(path)) if path[:end] in tables)
        found = [first.get(path), *(segment.below(node, below) for segment, node, below in above)]
        return min((start for start in found if start is not None), default=None)

    @cached_property
    def _lines(self) -> list[int]:
        """The bytes at which lines begin."""
        return [0, *(found.end() for found in re.finditer(b"\n", self._bytes))]

    @cached_property
    def _segments(self) -> list[_Segment]:
        """The file in parts; in one, if what looks like a header is something else, in a text for instance."""
        starts = [0]
        for header in _HEADER.finditer(self._bytes):
            if header.start() - starts[-1] > _SEGMENT:
                starts.append(header.start())
        ends = [*starts[1:], len(self._bytes)]
        segments = [_Segment(self._bytes[start:end], start) for start, end in zip(starts, ends, strict=True)]
        if len(segments) > 1 and any(segment.root.has_error for segment in segments):
            return [_Segment(self._bytes, 0)]
        return segments

    @cached_property
    def _headers(self) -> tuple[dict[Path, int], dict[Path, tuple[_Segment, Node]], dict[Path, int]]:
        """Return where the first header stands that leads through each path, the table that holds what stands there,
        and how many headers each array of tables has.
        """
        first: dict[Path, int] = {}
        tables: dict[Path, tuple[_Segment, Node]] = {(): (self._segments[0], self._segments[0].root)}
        counts: dict[Path, int] = {}
        for segment in self._segments:
            for node in segment.root.named_children:
                if node.type not in ("table", "table_array_element"):
                    continue
                path = _resolve(segment.key(node.named_children[0]), counts)
                if node.type == "table_array_element":
                    counts[path] = counts.get(path, 0) + 1
                    path = (*path, counts[path] - 1)
                tables[path] = segment, node
                for end in range(1, len(path) + 1):
                    first.setdefault(path[:end], segment.start + node.start_byte)
        return first, tables, counts

    @cached_property
    def _broken(self) -> frozenset[Path]:
        _, _, counts = self._headers
        return frozenset(path for path, count in counts.items() if _length(self._data, path) != count)


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
