"""Gathers the files of a ruleset: the main one, and what it includes."""

from collections.abc import Mapping
from pathlib import PurePath

from router.domain.json import Json
from router.domain.problem import RulesError
from router.engine.rulesfile.document import Document, parse
from router.engine.rulesfile.expand import beside, why
from router.engine.rulesfile.positions import Path
from router.engine.rulesfile.reader import Reader, shown
from router.engine.rulesfile.spec import INCLUDED, NOT_EXPANDED, TOP
from router.engine.suggest import suggestion


def gather(reader: Reader) -> None:
    """Take the main file and those it includes into the merged view."""
    main = reader.merged.main
    reader.unknown((), main.data, TOP)
    _plain_tables(reader, main)
    _gather(reader, main)
    for document in _included(reader):
        reader.merged.documents.append(document)
        _only_parts(reader, document)
        _gather(reader, document)


def _included(reader: Reader) -> list[Document]:
    documents: list[Document] = []
    for file, path in _files(reader).items():
        reader.files.append(file)
        try:
            documents.append(parse(file, reader.outside.read(file)))
        except RulesError as error:
            reader.problems += error.problems
        except (OSError, ValueError) as error:
            reader.fault(path, f"{file} cannot be read: {why(error)}")
    return documents


def _files(reader: Reader) -> dict[str, Path]:
    """Return the files to include, each once, with the entry that names it."""
    main = reader.merged.main
    patterns = main.data.get("include", [])
    if not isinstance(patterns, list):
        reader.fault(("include",), 'expected a list of files such as ["rules.d/*.toml"]')
        return {}
    files: dict[str, Path] = {}
    for index, pattern in enumerate(patterns):
        path: Path = ("include", index)
        if not isinstance(pattern, str) or not pattern:
            reader.fault(path, f'expected a file or a pattern such as "rules.d/*.toml", got {shown(pattern)}')
            continue
        for file in _named(reader, path, beside(main.file, pattern)):
            files.setdefault(file, path)
    return files


def _named(reader: Reader, path: Path, pattern: str) -> list[str]:
    """Return the files that an entry of `include` names. A pattern may well fit nothing, or the main file."""
    main = PurePath(reader.merged.main.file)
    if not any(sign in pattern for sign in "*?["):
        if PurePath(pattern) == main:
            reader.fault(path, "includes itself")
            return []
        return [pattern]
    try:
        return [file for file in reader.outside.glob(pattern) if PurePath(file) != main]
    except ValueError:
        reader.fault(path, "not a pattern for files; `**` stands for whole folders only, as in rules.d/**/*.toml")
        return []


def _only_parts(reader: Reader, document: Document) -> None:
    for key in document.data:
        if key not in INCLUDED:
            known = key in TOP
            what = "only in the main file" if known else f"unknown key{suggestion(key, INCLUDED)}"
            reader.fault_in(document, (key,), f"{what}; an included file holds destinations and rules")


def _gather(reader: Reader, document: Document) -> None:
    """Take a file's destinations and rules into the merged view."""
    destinations = document.data.get("destinations", {})
    if isinstance(destinations, Mapping):
        for name, table in destinations.items():
            _gather_destination(reader, document, name, table)
    else:
        reader.fault_in(document, ("destinations",), f"expected tables [destinations.NAME], got {shown(destinations)}")
    rules = document.data.get("rules", [])
    if not isinstance(rules, list):
        reader.fault_in(document, ("rules",), "expected [[rules]], one for each rule")
        return
    for own, rule in enumerate(rules):
        if isinstance(rule, Mapping):
            reader.merged.rules.append((document, own))
        else:
            reader.fault_in(document, ("rules", own), f"expected a table, got {shown(rule)}")


def _gather_destination(reader: Reader, document: Document, name: str, table: Json) -> None:
    path = ("destinations", name)
    if not isinstance(table, Mapping):
        reader.fault_in(document, path, f"expected a table, got {shown(table)}")
    elif first := reader.merged.destinations.get(name):
        reader.fault_in(document, path, f"the name is taken by {first.place(path)}")
    else:
        reader.merged.destinations[name] = document


def _plain_tables(reader: Reader, document: Document) -> None:
    """Refuse `${` where nothing is replaced. Rules are looked at one by one, under their merged index."""
    for key in NOT_EXPANDED:
        if key != "rules" and key in document.data:
            reader.tree((key,), document.data[key], replaced=False)
