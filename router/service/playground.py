"""Rules on trial: what somebody types, laid beside the sources and destinations of the file in force.

Whoever types must not see more than the console shows. So what is typed has to be a whole TOML text of its own, what it
leaves out (`[server]`, `[store]`, `[sources]`, `[destinations]`) is put after it unseen, `${…}` may stand only where
the file in force has the very same, and no file can be read but those that the rules in force are made of.
"""

import errno
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Final

from router.domain.json import Json, JsonObject
from router.domain.problem import Problem, RulesError
from router.engine import toml
from router.engine.rulesfile import Outside, RulesFile
from router.engine.rulesfile.document import Document, dotted, parse
from router.engine.rulesfile.expand import HOLE, beside
from router.engine.rulesfile.positions import Path, at, has

LONGEST: Final = 256 * 1024
"""Characters of rules that can be tried."""

PLAIN: Final = frozenset({"vars", "matches", "times", "actions", "rules"})
"""The tables that people may see and change."""

_SECRET_FILE: Final = re.compile(r"\$\{file:([^}]*)\}")


def opening(file: RulesFile, rule: int | None) -> str:
    """Return the plain tables of the main file as they are written; of rules only number `rule`, if there is one.

    Of a large file no other rule is there. What stands before the first header (`rules = [{ … }]`) gets one.
    """
    main = file.merged.main
    headed = main.parts()[1:]
    head = _head(main)
    begin = [main.parts()[0][1]] if head.keys() <= {"include"} else [*_include(head), *_tables(head, PLAIN)]
    plain = [*begin, *(text for name, text in headed if name in PLAIN)]
    one = None if rule is None else _rule(file, rule)
    if one is None and sum(map(len, plain)) <= LONGEST // 2:
        return _joined(plain)
    others = PLAIN - {"rules"}
    return _joined([*_tables(head, others), *(text for name, text in headed if name in others), one or ""])


def _rule(file: RulesFile, rule: int) -> str:
    document, own = file.merged.rules[rule]
    return file.written(rule) or "\n".join(_lines("[[rules]]", at(document.data, ("rules", own))))


def _head(document: Document) -> JsonObject:
    """Return what stands before the first header."""
    return parse(document.file, document.parts()[0][1]).data


def _include(head: JsonObject) -> list[str]:
    return [f"include = {toml.value(head['include'])}"] if "include" in head else []


def _tables(head: JsonObject, names: Collection[str]) -> Iterator[str]:
    """Yield those tables that stand before the first header, each with one: so they can stand anywhere."""
    for name, value in head.items():
        if name in names:
            headers = [(f"[[{name}]]", one) for one in value] if isinstance(value, list) else [(f"[{name}]", value)]
            for header, table in headers:
                yield "\n".join(_lines(header, table))


def _lines(header: str, table: Json) -> Iterator[str]:
    yield header
    for key, value in table.items() if isinstance(table, Mapping) else ():
        yield f"{toml.key(key)} = {toml.value(value)}"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


class Trial:
    """The outside of rules on trial: the file at `path` says `text`, and what that leaves out of the file in force.

    A text with `[sources]` is a whole file and leaves nothing out. Raises RulesError if `text` is no TOML (nothing that
    is put after it may become part of it), or asks for something from outside that the file in force does not.
    """

    def __init__(self, file: RulesFile, text: str, outside: Outside) -> None:
        main = file.merged.main
        typed = parse(main.file, text)
        hidden = [] if "sources" in typed.data else list(_hidden(main))
        documents = {document.file for document in file.merged.documents}
        secret_files = {beside(main.file, name) for name in _secret_files(file)}
        _refuse_what_is_new(typed, main, secret_files)
        self.environment: Mapping[str, str] = outside.environment
        self._outside = outside
        self._once = {main.file: "\n".join([text, *hidden])}
        self._once_from_disk = set(_included(main.file, typed.data.get("include"), documents - {main.file}))
        self._files = (set(file.files) - documents) | secret_files

    def read(self, path: str) -> str:
        if path in self._once:
            return self._once.pop(path)
        if path in self._once_from_disk:
            self._once_from_disk.remove(path)
        elif path not in self._files:
            raise PermissionError(errno.EACCES, "only files that the rules in force use can be tried")
        return self._outside.read(path)

    def glob(self, pattern: str) -> list[str]:
        return sorted(path for path in self._once_from_disk if _fits(path, pattern))


def _hidden(main: Document) -> Iterator[str]:
    """Yield what people may not see, as it can stand after any other text."""
    head = _head(main)
    yield from _tables(head, head.keys() - PLAIN - {"include"})
    yield from (part for name, part in main.parts()[1:] if name not in PLAIN)


def _secret_files(file: RulesFile) -> Iterator[str]:
    for document in file.merged.documents:
        for _, value in _strings((), document.data):
            yield from _SECRET_FILE.findall(value)


def _refuse_what_is_new(typed: Document, main: Document, secret_files: set[str]) -> None:
    """Raise RulesError if something typed would bring in what is outside and does not stand so in the file in force."""
    problems = [
        Problem(typed.place(path), dotted(path), "nothing may come in from outside here that the file in force has not")
        for path, value in _strings((), typed.data)
        if (HOLE in value or beside(main.file, value) in secret_files)
        and not (has(main.data, path) and at(main.data, path) == value)
    ]
    if problems:
        raise RulesError(tuple(problems))


def _strings(path: Path, value: Json) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, inner in value.items():
                yield from _strings((*path, key), inner)
        case list():
            for index, inner in enumerate(value):
                yield from _strings((*path, index), inner)


def _included(main: str, patterns: object, documents: Collection[str]) -> Iterator[str]:
    """Yield those of the documents that `include` names: no typed pattern looks around on the disk."""
    for pattern in patterns if isinstance(patterns, list) else ():
        path = beside(main, str(pattern))
        yield from (document for document in documents if _fits(document, path))


def _fits(path: str, pattern: str) -> bool:
    """Tell whether `pattern` finds the file at `path`."""
    parts, wanted = PurePath(path).parts, PurePath(pattern).parts
    return path == pattern or (len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)))
