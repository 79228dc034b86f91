"""Reads actions: what each uses, and the files that it names put in."""

from collections.abc import Mapping
from typing import cast

from router.domain.destination import DefaultTree
from router.domain.json import Json, JsonObject
from router.engine.rulesfile.merged import LONGEST_CHAIN, laid_over
from router.engine.rulesfile.positions import Path
from router.engine.rulesfile.reader import Reader, shown
from router.engine.rulesfile.spec import (
    ACTION_KEYS,
    ANY_ACTION,
)
from router.engine.suggest import suggestion

_EVERY_KEY = (*ANY_ACTION, *dict.fromkeys(key for keys in ACTION_KEYS.values() for key in sorted(keys)))


class ActionReader:
    """Reads the actions of one file; a named one that many rules use is read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._own: dict[Path, JsonObject] = {}

    def named(self) -> dict[str, JsonObject]:
        """Return the named actions whole: laid over what they use."""
        reader = self._reader
        tables: dict[str, JsonObject] = {}
        for name, table in reader.table(("actions",)).items():
            path: Path = ("actions", name)
            reader.check_name(path, name)
            if not isinstance(table, Mapping):
                reader.fault(path, f"expected a table, got {shown(table)}")
                continue
            reader.unknown(path, table, _EVERY_KEY)
            tables[name] = self.whole(path)
        return tables

    def whole(self, path: Path) -> JsonObject:
        """Return the action at `path` laid over what it uses, files put in: as if all of it were written there."""
        reader = self._reader
        lineage = reader.merged.lineage(path)
        table = self._read(lineage[-1])
        for one in reversed(lineage[:-1]):
            table = laid_over(table, self._read(one))
        self._check_end(path, lineage)
        return table

    def _read(self, path: Path) -> JsonObject:
        """Return what is written at `path` itself, files put in."""
        if path not in self._own:
            self._own[path] = {
                key: cast("Json", self._reader.contents((*path, key), key, cast("DefaultTree", value)))
                for key, value in self._reader.merged.table(path).items()
                if key != "use"
            }
        return self._own[path]

    def _check_end(self, path: Path, lineage: list[Path]) -> None:
        """Report a `use` that leads nowhere."""
        reader = self._reader
        last = reader.merged.table(lineage[-1]).get("use")
        where = (*lineage[-1], "use")
        if last is None:
            return
        known = reader.table(("actions",))
        if not isinstance(last, str):
            reader.fault(where, f"expected an action's name, got {shown(last)}")
        elif last not in known:
            reader.fault(where, f'no action "{last}"{suggestion(last, known)}')
        elif ("actions", last) not in lineage:
            reader.fault((*path, "use"), f"goes on through more than {LONGEST_CHAIN} actions")
        elif path[0] == "actions":
            names = [str(name) for _, name in lineage]
            reader.fault((*path, "use"), f"goes round in a circle: {' → '.join((*names, last))}")
