"""Several files seen as one, without forgetting where everything is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from router.domain.json import Json, JsonObject
from router.domain.problem import Place
from router.engine.rulesfile.document import Document
from router.engine.rulesfile.inserted import Inserted
from router.engine.rulesfile.positions import Line, Path, at, has

LONGEST_CHAIN: Final = 100
"""So many destinations may extend, and so many actions use, one another."""


class Merged:
    """The main file with those it includes: rules count on, destinations stand side by side.

    `inserted`: what stands at a path is the contents of a file of its own.
    """

    def __init__(self, main: Document) -> None:
        self.documents = [main]
        self.rules: list[tuple[Document, int]] = []
        self.destinations: dict[str, Document] = {}
        self.inserted: dict[Path, Inserted] = {}

    @property
    def main(self) -> Document:
        return self.documents[0]

    def origin(self, path: Path) -> Path:
        """Return where `path` is written: what a table inherits stands in the one that it extends or uses."""
        *above, last = path if path else ("",)
        if isinstance(last, Line):
            return (*self.origin(tuple(above)), last)
        tables = self.lineage(path)
        below = path[len(tables[0]) :] if tables else ()
        written = ((*table, *below) for table in tables if below and self._is_written((*table, *below)))
        return next(written, path)

    def place(self, path: Path) -> Place:
        path = self.origin(path)
        if found := self._inserted(path):
            inserted, below = found
            return inserted.place(below)
        document, local = self._written(path)
        return document.place(local)

    def document(self, path: Path) -> Document:
        """Return the file in which `path` is written."""
        return self._written(self.origin(path))[0]

    def lineage(self, path: Path) -> list[Path]:
        """Return the destination or action that `path` leads into, what it extends or uses, and so on."""
        match path:
            case ("destinations", str(name), *_):
                return [("destinations", name) for name in self.ancestry(name)] or [("destinations", name)]
            case ("actions", str(name), *_):
                return [("actions", name) for name in self.uses(name)] or [("actions", name)]
            case ("rules", int(index), "actions", int(position), *_):
                used = self.uses(self._use(("rules", index, "actions", position)))
                return [("rules", index, "actions", position), *(("actions", name) for name in used)]
            case _:
                return []

    def _is_written(self, path: Path) -> bool:
        if found := self._inserted(path):
            inserted, below = found
            return has(inserted.data, below)
        document, local = self._written(path)
        return local in document

    def _inserted(self, path: Path) -> tuple[Inserted, Path] | None:
        """Return the file whose contents `path` leads into, and the path in there."""
        for end in range(len(path), 1, -1):
            if path[:end] in self.inserted:
                return self.inserted[path[:end]], path[end:]
        return None

    def _written(self, path: Path) -> tuple[Document, Path]:
        match path:
            case ("rules", int(index), *below) if index < len(self.rules):
                document, own = self.rules[index]
                return document, ("rules", own, *below)
            case ("destinations", str(name), *_) if name in self.destinations:
                return self.destinations[name], path
            case _:
                return self.main, path

    def table(self, path: Path) -> JsonObject:
        """Return a rule, action or destination as it is written; empty if there is no such table."""
        document, local = self._written(path)
        value = at(document.data, local) if local in document else {}
        return value if isinstance(value, Mapping) else {}

    def rule(self, index: int) -> JsonObject:
        """Return a rule as it is written."""
        document, own = self.rules[index]
        return cast("Sequence[JsonObject]", document.data["rules"])[own]

    def destination(self, name: str) -> JsonObject:
        """Return a destination as it is written."""
        return cast("Mapping[str, JsonObject]", self.destinations[name].data["destinations"])[name]

    def ancestry(self, name: str) -> list[str]:
        """Return the destination, the one that it extends, and so on: as far as they are known and new."""
        return _chain(name, self.destinations, lambda name: self.destination(name).get("extends"))

    def uses(self, name: Json) -> list[str]:
        """Return the named action, the one that it uses, and so on: as far as they are known and new."""
        return _chain(name, self.table(("actions",)), lambda name: self._use(("actions", name)))

    def _use(self, path: Path) -> Json:
        return self.table(path).get("use")


def _chain(first: Json, known: Mapping[str, object], following: Callable[[str], Json]) -> list[str]:
    names: list[str] = []
    while isinstance(first, str) and first in known and first not in names and len(names) < LONGEST_CHAIN:
        names.append(first)
        first = following(first)
    return names


def laid_over(under: JsonObject, over: JsonObject) -> dict[str, Json]:
    """Return `over` laid over `under`: tables merge at every depth, everything else is replaced whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
