"""Rules on trial: what somebody types, laid beside the sources and destinations of the file in force.

Whoever types must not see more than the console shows. So what is typed has to be a whole TOML text of its own, what it
does not hold (`[server]`, `[store]`, `[sources]`, `[destinations]`) is put after it unseen, and nothing comes in from
outside: of the environment only what `[vars]` in force names and shows anyway, of files only those that the rules in
force are made of, and as what they are there.
"""

import errno
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from router.engine.rulesfile import Outside, RulesFile
from router.engine.rulesfile.document import Document, parse
from router.engine.rulesfile.expand import beside

LONGEST: Final = 256 * 1024
"""Characters of rules that can be tried."""

PLAIN: Final = frozenset({"vars", "matches", "times", "actions", "rules"})
"""The tables that people may see and change."""

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def opening(file: RulesFile, rule: int | None) -> str:
    """Return the plain tables of the main file as they are written; of rules only number `rule`, if there is one.

    Of a large file no other rule is there.
    """
    parts = file.merged.main.parts()
    begin = parts[0][1] if _only_includes(file.merged.main) else ""
    plain = [begin, *(text for name, text in parts[1:] if name in PLAIN)]
    one = None if rule is None else file.written(rule)
    if one is None and sum(map(len, plain)) <= LONGEST // 2:
        return _joined(plain)
    return _joined([*(text for name, text in parts[1:] if name in PLAIN - {"rules"}), one or ""])


def _only_includes(document: Document) -> bool:
    """Tell whether what stands before the first header may be seen."""
    headed = {name for name, _ in document.parts()[1:]}
    return document.data.keys() - headed <= {"include"}


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


class Trial:
    """The outside of rules on trial: the file at `path` says `text`, and the hidden tables of the file in force.

    Raises RulesError if `text` is no TOML: nothing that is put after it may become part of it.
    """

    def __init__(self, file: RulesFile, text: str, outside: Outside) -> None:
        main = file.merged.main
        typed = parse(main.file, text).data
        hidden = [part for name, part in main.parts()[1:] if name not in PLAIN]
        documents = {document.file for document in file.merged.documents}
        self._outside = outside
        self._once = {main.file: "\n".join([text, *hidden])}
        self._once_from_disk = _included(main.file, typed.get("include"), outside) & (documents - {main.file})
        self._files = set(file.files) - documents
        names = _VARIABLE.findall(msgspec.json.encode(file.said["vars"]).decode())
        self.environment: Mapping[str, str] = {
            name: outside.environment[name] for name in names if name in outside.environment
        }

    def read(self, path: str) -> str:
        if path in self._once:
            return self._once.pop(path)
        if path in self._once_from_disk:
            self._once_from_disk.remove(path)
        elif path not in self._files:
            raise PermissionError(errno.EACCES, "only files that the rules in force use can be tried")
        return self._outside.read(path)

    def glob(self, pattern: str) -> list[str]:
        return [path for path in self._outside.glob(pattern) if path in self._once_from_disk]


def _included(main: str, patterns: object, outside: Outside) -> set[str]:
    """Return the files that `include` names."""
    found: set[str] = set()
    for pattern in patterns if isinstance(patterns, list) else ():
        path = beside(main, str(pattern))
        found |= set(outside.glob(path)) if any(sign in path for sign in "*?[") else {path}
    return found
