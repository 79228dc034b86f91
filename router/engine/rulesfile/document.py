"""One TOML file, and where everything in it stands.

tomli judges the syntax and gives the values; tree-sitter only gives positions. Its grammar is that of TOML 1.0, so
it stumbles over some of 1.1; what it cannot place stands where the nearest thing around it stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeAlias

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from router.domain.json import Json, JsonObject
from router.domain.problem import Place, Problem, RulesError

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES: Final = 50_000_000
MAX_DEPTH: Final = 100

_TOML = Language(tree_sitter_toml.language())


class Document:
    """A parsed file. `data` is what it says; positions are worked out when somebody first asks for one."""

    def __init__(self, file: str, text: str, data: JsonObject) -> None:
        self.file = file
        self.data = data
        self._text = text

    def __contains__(self, path: Path) -> bool:
        return _has(self.data, path)

    def place(self, path: Path) -> Place:
        """Return where `path` stands, else where the nearest thing around it does, else the file."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._places:
                return self._places[path[:end]]
        return Place(self.file)

    @cached_property
    def _places(self) -> dict[Path, Place]:
        lines = self._text.encode().split(b"\n")
        places: dict[Path, Place] = {}
        for path, node in _walk(Parser(_TOML).parse(self._text.encode()).root_node, self.data):
            line = lines[node.start_point.row]
            column = len(line[: node.start_point.column].decode(errors="replace"))
            places.setdefault(path, Place(self.file, node.start_point.row + 1, column + 1))
        return places


def parse(file: str, text: str) -> Document:
    """Return the document. Raises RulesError: not TOML, larger than 50 MB, or nested deeper than 100."""
    text = text.removeprefix("\ufeff")  # some editors begin a file with a byte order mark
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise refusal(Place(file), "larger than 50 MB; nobody wrote that by hand")
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise refusal(Place(file, error.lineno, error.colno), f"not TOML: {error.msg}") from error
    except RecursionError as error:
        raise refusal(Place(file), _TOO_DEEP) from error
    if too_deep(data):
        raise refusal(Place(file), _TOO_DEEP)
    return Document(file, text, data)


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


def dotted(path: Path) -> str:
    """Return `rules[2].match.author` for ("rules", 2, "match", "author")."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _has(value: Json, path: Path) -> bool:
    for step in path:
        if isinstance(value, Mapping) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return False
    return True


def _at(value: Json, path: Path) -> Json:
    for step in path:
        value = value[step]  # type: ignore[index]  # only called where `_has` said yes
    return value


def _walk(root: Node, data: JsonObject) -> Iterator[tuple[Path, Node]]:
    """Yield every path of the file that is also in `data`, with the node that names it.

    Where the grammar gave up on a part of the file, an array can come out shorter than it is. Its items are then
    not placed at all: no position is better than another item's.
    """
    counts: dict[Path, int] = {}
    found: list[tuple[Path, Node]] = []
    for node in root.named_children:
        match node.type:
            case "pair":
                found += _pair((), node)
            case "table" | "table_array_element":
                header, *pairs = node.named_children
                path = _resolve(_key(header), counts)
                if node.type == "table_array_element":
                    counts[path] = counts.get(path, 0) + 1
                    path = (*path, counts[path] - 1)
                found += [(path[: end + 1], node) for end in range(len(path))]
                for pair in pairs:
                    found += _pair(path, pair)
    broken = {path for path, count in counts.items() if _length(data, path) != count}
    for path, node in found:
        if _has(data, path) and not any(path[:end] in broken for end in range(len(path))):
            yield path, node


def _length(data: JsonObject, path: Path) -> int:
    value = _at(data, path) if _has(data, path) else None
    return len(value) if isinstance(value, list) else -1


def _resolve(keys: tuple[str, ...], counts: Mapping[Path, int]) -> Path:
    """Return where a header leads: through an array of tables into its last item, except at the very end."""
    path: Path = ()
    for key in keys:
        if path in counts:
            path = (*path, counts[path] - 1)
        path = (*path, key)
    return path


def _pair(above: Path, node: Node) -> Iterator[tuple[Path, Node]]:
    if node.type != "pair" or len(node.named_children) < 2:
        return
    key, value = node.named_children[:2]
    names = _key(key)
    parts = _parts(key)
    for end, name in enumerate(parts, start=1):
        yield (*above, *names[:end]), name
    yield from _value((*above, *names), value)


def _value(path: Path, node: Node) -> Iterator[tuple[Path, Node]]:
    match node.type:
        case "inline_table":
            for pair in node.named_children:
                yield from _pair(path, pair)
        case "array":
            items = [item for item in node.named_children if item.type != "comment"]
            if any(item.type == "ERROR" for item in items):
                return
            for index, item in enumerate(items):
                yield (*path, index), item
                yield from _value((*path, index), item)


def _parts(key: Node) -> list[Node]:
    """Return the nodes of a dotted key's names, in order (the grammar nests them to the left)."""
    parts: list[Node] = []
    while key.type == "dotted_key":
        key, last = key.named_children
        parts.insert(0, last)
    return [key, *parts]


def _key(node: Node) -> tuple[str, ...]:
    """Return the names in a key; tomli reads the quoted ones."""
    names: list[str] = []
    for part in _parts(node):
        text = (part.text or b"").decode()
        names += [text] if part.type == "bare_key" else tomli.loads(f"{text} = 0")
    return tuple(names)
