"""Reads values out of tables, and keeps what is wrong with them and where."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec

from router.domain.destination import DefaultTree
from router.domain.json import Json, JsonObject
from router.domain.problem import Place, Problem
from router.domain.text import Text
from router.engine.rulesfile.document import BYTE_ORDER_MARK, Document, dotted
from router.engine.rulesfile.expand import HOLE, Outside, Placeholder, beside, expand, why
from router.engine.rulesfile.inserted import Broken, text_of, tree_of
from router.engine.rulesfile.kinds import Kind, Unfit
from router.engine.rulesfile.merged import Merged
from router.engine.rulesfile.positions import Line, Path
from router.engine.rulesfile.spec import TEXT_FILES, TREE_FILES, Key, Keys
from router.engine.suggest import suggestion

MissingIs: TypeAlias = Literal["error", "placeholder"]

WRITTEN_OUT: Final = "a secret written in the file; take it from outside with ${NAME} or ${file:PATH}"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


class Reader:
    """One reading of a rules file: `problems` and `warnings` gather on the way."""

    def __init__(self, main: Document, outside: Outside, missing: MissingIs) -> None:
        self.merged = Merged(main)
        self.outside = outside
        self.files = [main.file]
        self.problems: list[Problem] = []
        self.warnings: list[tuple[Path, str]] = []
        self._missing: MissingIs = missing
        self._texts: dict[str, str] = {}

    def fault(self, path: Path, what: str) -> None:
        path = self.merged.origin(path)
        self.problems.append(Problem(self.merged.place(path), dotted(path), what))

    def fault_in(self, document: Document, path: Path, what: str) -> None:
        """Note a fault in what did not make it into the merged view."""
        self.problems.append(Problem(document.place(path), dotted(path), what))

    def warn(self, path: Path, what: str) -> None:
        self.warnings.append((path, what))

    def table(self, path: tuple[str]) -> JsonObject:
        """Return a top-level table of the main file; empty if there is none."""
        table = self.merged.main.data.get(path[0], {})
        if isinstance(table, Mapping):
            return table
        self.fault(path, f"expected a table [{path[0]}], got {shown(table)}")
        return {}

    def unknown(self, path: Path, table: Mapping[str, object], known: Sequence[str]) -> None:
        """Report the keys that this table cannot have."""
        for key in table:
            if key not in known:
                self.fault((*path, key), f"unknown key{suggestion(key, known)}")

    def fields(self, path: Path, table: Mapping[str, Json], keys: Keys, *, replaced: bool = True) -> dict[str, Any]:
        """Return the values of those `keys` that stand in `table` and can be read, by the name of their field."""
        fields: dict[str, Any] = {}
        for name, key in keys.items():
            if name not in table:
                if key.required:
                    self.fault(path, f"`{name}` is missing{_hint(key)}")
                continue
            before = len(self.problems)
            value = self.tree((*path, name), table[name], replaced=replaced, userinfo=key.kind.userinfo)
            if len(self.problems) > before or (_holds_placeholder(value) and not key.kind.text):
                continue
            try:
                fields[key.field or name] = key.kind.read(value)
            except Unfit as error:
                where = (*path, name) if error.at is None else (*path, name, error.at)
                self.fault(where, str(error) or f"expected {key.kind.wanted}, got {_got(key.kind, value)}")
                continue
            if _is_literal_secret(table[name], fields[key.field or name]):
                self.warn((*path, name), WRITTEN_OUT)
        return fields

    def tree(self, path: Path, value: object, *, replaced: bool, userinfo: bool = False) -> DefaultTree:
        """Return `value`, as TOML has it, with every `${…}` replaced, or refused where none may stand."""
        match value:
            case str():
                return self._string(path, value, userinfo=userinfo) if replaced else self._plain_string(path, value)
            case Mapping():
                return {
                    key: self.tree((*path, key), inner, replaced=replaced, userinfo=userinfo)
                    for key, inner in value.items()
                }
            case list():
                return [
                    self.tree((*path, index), inner, replaced=replaced, userinfo=userinfo)
                    for index, inner in enumerate(value)
                ]
            case date() | time():
                self.fault(path, "a date or time has no place here; write it as a string")
            case float() if not math.isfinite(value):
                self.fault(path, "expected a finite number")
            case int() if not -(2**63) <= value < 2**63:
                self.fault(path, "expected a number of at most 64 bits")
        return cast("DefaultTree", value)

    def _string(self, path: Path, raw: str, *, userinfo: bool) -> str | Text:
        file = self.merged.document(path).file
        expansion = expand(raw, self.outside, file=file, userinfo=userinfo)
        for what in expansion.malformed:
            self.fault(path, what)
        for what in expansion.missing:
            if self._missing == "error":
                self.fault(path, what)
            else:
                self.warn(path, what)
        return expansion.value

    def _plain_string(self, path: Path, raw: str) -> str:
        if HOLE in raw:
            self.fault(
                (*path, Line(raw[: raw.index(HOLE)].count("\n") + 1)),
                "`${` has no place here: put the value into [vars], or into the destination if it is secret "
                "(for the characters themselves write {{ '$' }}{)",
            )
        return raw

    def check_name(self, path: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            self.fault(path, "a name has letters, digits, `-`, `_` and `.` only")

    def contents(self, path: Path, key: str, value: DefaultTree) -> DefaultTree:
        """Return what the file of `{ file = "…" }` holds; every other value as it is."""
        if key in ("dispatch", "commit") and isinstance(value, dict):
            return {name: self.contents((*path, name), name, inner) for name, inner in value.items()}
        if key not in TEXT_FILES | TREE_FILES or not isinstance(value, dict) or value.keys() != {"file"}:
            return value
        name = value["file"]
        if not isinstance(name, str) or not name:
            self.fault((*path, "file"), f"expected a file's name, got {shown(name)}")
            return value
        file = beside(self.merged.document(path).file, name)
        read = text_of if key in TEXT_FILES else tree_of
        try:
            inserted = read(file, self._read(file))
        except Broken as error:
            if error.line:
                self.problems.append(Problem(Place(file, error.line, error.column), dotted(path), str(error)))
            else:
                self.fault((*path, "file"), f"{name}: {error}")
            return value
        except (OSError, ValueError) as error:
            self.fault((*path, "file"), f"{name} cannot be read: {why(error)}")
            return value
        self.merged.inserted[path] = inserted
        return self.tree(path, inserted.data, replaced=False)

    def _read(self, file: str) -> str:
        """Return the text of a file; many rules may name the same one."""
        if file not in self._texts:
            self._texts[file] = self.outside.read(file).removeprefix(BYTE_ORDER_MARK)
            self.files.append(file)
        return self._texts[file]


def _holds_placeholder(value: DefaultTree) -> bool:
    return isinstance(value, Placeholder) or (isinstance(value, list) and any(map(_holds_placeholder, value)))


def _is_literal_secret(raw: Json, read: object) -> bool:
    """Tell whether something that the file itself spells out turned out to be secret."""
    raws = raw if isinstance(raw, list) else [raw]
    texts = read if isinstance(read, tuple) else (read,)
    return any(
        isinstance(text, Text) and text.is_secret and HOLE not in str(written)
        for written, text in zip(raws, texts, strict=False)
    )


def _hint(key: Key) -> str:
    return f": {key.about[0].lower()}{key.about[1:].rstrip('.')}"


def _got(kind: Kind, value: DefaultTree) -> str:
    if kind.secret or isinstance(value, Text):
        return "something else"
    return shown(value)


def shown(value: object) -> str:
    """Return a value of the file for a message: short, and without what came from outside."""
    match value:
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case Text():
            return str(value)
        case _:
            text = msgspec.json.encode(value).decode()
            return text if len(text) <= 40 else f"{text[:40]}…"
