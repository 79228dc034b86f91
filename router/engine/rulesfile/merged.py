"""Several files seen as one, without forgetting where everything is written."""

from collections.abc import Mapping, Sequence
from typing import cast

from router.domain.json import Json, JsonObject
from router.domain.problem import Place
from router.engine.rulesfile.document import Document
from router.engine.rulesfile.positions import Path


class Merged:
    """The main file with those it includes: rules count on, destinations stand side by side."""

    def __init__(self, main: Document) -> None:
        self.documents = [main]
        self.rules: list[tuple[Document, int]] = []
        self.destinations: dict[str, Document] = {}

    @property
    def main(self) -> Document:
        return self.documents[0]

    def origin(self, path: Path) -> Path:
        """Return where `path` is written: what a destination inherits stands in the one that it extends."""
        if len(path) > 2 and path[0] == "destinations":
            for name in self.ancestry(str(path[1])):
                inherited = ("destinations", name, *path[2:])
                if inherited in self.destinations[name]:
                    return inherited
        return path

    def place(self, path: Path) -> Place:
        document, local = self._written(self.origin(path))
        return document.place(local)

    def document(self, path: Path) -> Document:
        """Return the file in which `path` is written."""
        return self._written(self.origin(path))[0]

    def _written(self, path: Path) -> tuple[Document, Path]:
        match path:
            case ("rules", int(index), *below) if index < len(self.rules):
                document, own = self.rules[index]
                return document, ("rules", own, *below)
            case ("destinations", str(name), *_) if name in self.destinations:
                return self.destinations[name], path
            case _:
                return self.main, path

    def rule(self, index: int) -> JsonObject:
        """Return a rule as it is written."""
        document, own = self.rules[index]
        return cast("Sequence[JsonObject]", document.data["rules"])[own]

    def destination(self, name: str) -> JsonObject:
        """Return a destination as it is written."""
        return cast("Mapping[str, JsonObject]", self.destinations[name].data["destinations"])[name]

    def ancestry(self, name: str) -> list[str]:
        """Return the destination, the one that it extends, and so on; ends before a circle or an unknown name."""
        names: list[str] = []
        following: Json = name
        while isinstance(following, str) and following in self.destinations and following not in names:
            names.append(following)
            following = self.destination(following).get("extends")
        return names


def laid_over(under: JsonObject, over: JsonObject) -> JsonObject:
    """Return `over` laid over `under`: tables merge at every depth, everything else is replaced whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
