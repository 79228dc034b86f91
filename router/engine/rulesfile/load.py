"""From the text of a rules file, and of those it includes, to typed values; every fault is told at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from router.domain.destination import AnyDestination
from router.domain.event import ROUTER_SOURCE
from router.domain.json import Json, JsonObject
from router.domain.problem import Place, Problem
from router.domain.source import Api, Source
from router.engine.defaults import revealed
from router.engine.rulesfile.actions import ActionReader
from router.engine.rulesfile.destinations import read_destinations
from router.engine.rulesfile.document import dotted, in_order, parse, refusal
from router.engine.rulesfile.expand import Outside, why
from router.engine.rulesfile.gather import gather
from router.engine.rulesfile.merged import Merged
from router.engine.rulesfile.positions import Path
from router.engine.rulesfile.reader import MissingIs, Reader, shown
from router.engine.rulesfile.spec import (
    API,
    RULE,
    SERVER,
    SOURCE,
    STORE,
    TIMES,
    Keys,
    RuleSpec,
    Server,
    StoreSettings,
)
from router.engine.times import Times

Settings = TypeVar("Settings", Server, StoreSettings)


class RulesFile(Struct, frozen=True, kw_only=True):
    """What a rules file and the files it includes say.

    `vars` are plain, their `${…}` replaced. `matches` and the rules' matches are as written; actions are whole: laid
    over those that they use, the files that they name put in. `noticed`: what is no fault, but worth a look.
    `files`: every file that was read, the main one first.

    With `problems` it cannot be put in force: they say what could not be read and is left out here. `complete`: all
    destinations and named actions are there all the same, so that a name of none is a fault of its own.
    """

    path: str
    server: Server
    store: StoreSettings
    sources: dict[str, Source]
    destinations: dict[str, AnyDestination]
    vars: dict[str, Json]
    matches: dict[str, JsonObject]
    times: dict[str, Times]
    actions: dict[str, JsonObject]
    rules: tuple[RuleSpec, ...]
    noticed: tuple[tuple[Path, str], ...]
    problems: tuple[Problem, ...]
    complete: bool
    files: tuple[str, ...]
    merged: Merged
    said: JsonObject

    def place(self, *path: str | int) -> Place:
        """Return where `path` (indexes over all files) is written, or the nearest thing around it."""
        return self.merged.place(path)

    def written(self, rule: int) -> str | None:
        """Return a rule's lines as they are written; None: it is no `[[rules]]` of its own."""
        document, own = self.merged.rules[rule]
        return document.table(("rules", own))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was noticed, each with its place; looking for that takes time in a large file."""
        return self.in_order(self.problem(path, what) for path, what in self.noticed)

    def problem(self, path: Path, what: str) -> Problem:
        """Return what is wrong at `path`, told where that is written: what an action uses stands in the other one."""
        origin = self.merged.origin(path)
        return Problem(self.merged.place(origin), dotted(origin), what)

    def in_order(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return each problem once, file by file."""
        return in_order(problems, self.files)

    def canonical(self) -> bytes:
        """Return the rules as JSON, the same for whatever order of keys; secret-free, and before any `${…}`."""
        return msgspec.json.encode(self.said, order="deterministic")


def read_rules(path: str, outside: Outside, *, missing: MissingIs) -> RulesFile:
    """Return what the file at `path` says, and what is wrong with it. Raises RulesError if it is no TOML file.

    `missing`: whether a `${…}` that cannot be had is a fault, or a warning with a placeholder in its place.
    """
    try:
        text = outside.read(path)
    except (OSError, ValueError) as error:
        nothing_yet = path == "rules.toml" and isinstance(error, FileNotFoundError)
        hint = "; `langfuse-router init` writes a first one" if nothing_yet else ""
        raise refusal(Place(path), f"cannot be read: {why(error)}{hint}") from error
    return _read(Reader(parse(path, text), outside, missing))


def _read(reader: Reader) -> RulesFile:
    gather(reader)
    gathered = not reader.problems
    server = _settings(reader, "server", SERVER, Server)
    store = _settings(reader, "store", STORE, StoreSettings)
    sources = _sources(reader)
    destinations = read_destinations(reader)
    vars = cast("dict[str, Json]", revealed(reader.tree(("vars",), reader.table(("vars",)), replaced=True)))
    matches = dict(_tables(reader, "matches"))
    times = {name: _times(reader, name, table) for name, table in _tables(reader, "times")}
    named = ActionReader(reader)
    actions = named.named()
    rules = _rules(reader, named)
    return RulesFile(
        path=reader.merged.main.file,
        server=server,
        store=store,
        sources=sources,
        destinations=destinations,
        vars=vars,
        matches=matches,
        times=times,
        actions=actions,
        rules=rules,
        noticed=tuple(reader.warnings),
        problems=in_order(reader.problems, reader.files),
        complete=gathered
        and destinations.keys() == reader.merged.destinations.keys()
        and not any(problem.path.endswith(".use") for problem in reader.problems),
        files=tuple(reader.files),
        merged=reader.merged,
        said={
            "vars": reader.table(("vars",)),
            "matches": matches,
            "times": reader.table(("times",)),
            "rules": [{**reader.merged.rule(rule.index), "actions": rule.actions} for rule in rules],
        },
    )


def _settings(reader: Reader, name: str, keys: Keys, build: Callable[..., Settings]) -> Settings:
    table = reader.table((name,))
    reader.unknown((name,), table, tuple(keys))
    fields = reader.fields((name,), table, keys)
    if name == "server" and fields.get("admin_port") and fields["admin_port"] == fields.get("port", Server().port):
        reader.fault(("server", "admin_port"), "the same as `port`")
    if name == "store" and "spool" in fields and fields.get("url", StoreSettings().url).reveal().startswith("sqlite:"):
        reader.warn(("store", "spool"), "is used with PostgreSQL only: a SQLite store is on this machine anyway")
    return build(**fields)


def _sources(reader: Reader) -> dict[str, Source]:
    tables = reader.table(("sources",))
    if not tables:
        reader.fault(("sources",), "there is none: add [sources.NAME] with the `secret` of a Langfuse webhook")
    sources: dict[str, Source] = {}
    for name, table in tables.items():
        path = ("sources", name)
        reader.check_name(path, name)
        if name == ROUTER_SOURCE:
            reader.fault(path, f'"{name}" is the router\'s own source; choose another name')
        if not isinstance(table, Mapping):
            reader.fault(path, f"expected a table, got {shown(table)}")
            continue
        reader.unknown(path, table, (*SOURCE, "api"))
        fields = reader.fields(path, table, SOURCE)
        if "api" in table:
            fields["api"] = _api(reader, (*path, "api"), table["api"])
        if "secrets" in fields:
            sources[name] = Source(name=name, **fields)
    return sources


def _api(reader: Reader, path: Path, table: Json) -> Api | None:
    if not isinstance(table, Mapping):
        before = len(reader.problems)
        reader.tree(path, table, replaced=True)
        if len(reader.problems) == before:
            reader.fault(path, f"expected a table, got {shown(table)}")
        return None
    reader.unknown(path, table, tuple(API))
    fields = reader.fields(path, table, API)
    return Api(**fields) if fields.keys() >= {"host", "public_key", "secret_key"} else None


def _tables(reader: Reader, name: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the entries of `[matches]` or another table of tables."""
    for inner, table in reader.table((name,)).items():
        reader.check_name((name, inner), inner)
        if isinstance(table, Mapping):
            yield inner, table
        else:
            reader.fault((name, inner), f"expected a table, got {shown(table)}")


def _times(reader: Reader, name: str, table: JsonObject) -> Times:
    path = ("times", name)
    reader.unknown(path, table, tuple(TIMES))
    if not table:
        reader.fault(path, f"says nothing; give {', '.join(TIMES)}")
    return Times(**reader.fields(path, table, TIMES, replaced=False))


def _rules(reader: Reader, named: ActionReader) -> tuple[RuleSpec, ...]:
    if not reader.merged.rules:
        reader.fault(("rules",), "there is none: add [[rules]] with a `name`, a `match` and `actions`")
    rules = [_rule(reader, named, index) for index in range(len(reader.merged.rules))]
    first: dict[str, int] = {}
    for rule in rules:
        if rule.name and first.setdefault(rule.name, rule.index) != rule.index:
            taken = ("rules", first[rule.name], "name")
            what = f'"{rule.name}" is the name of {dotted(taken[:2])} too ({reader.merged.place(taken)})'
            reader.fault(("rules", rule.index, "name"), what)
    return tuple(rules)


def _rule(reader: Reader, named: ActionReader, index: int) -> RuleSpec:
    path: Path = ("rules", index)
    table = reader.merged.rule(index)
    reader.unknown(path, table, tuple(RULE))
    fields = reader.fields(path, table, RULE, replaced=False)
    actions = table.get("actions")
    if isinstance(actions, list):
        fields["actions"] = tuple(
            named.whole((*path, "actions", position)) if isinstance(action, Mapping) else {}
            for position, action in enumerate(actions)
        )
    if "throttle" in fields and "collect" in fields:
        reader.fault((*path, "collect"), "`throttle` and `collect` both hold back; a rule has one of them")
    if fields.get("group") == "prompt" and "collect" in fields:
        reader.warn((*path, "group"), "says nothing beside `collect`: what is gathered fires as one, of all prompts")
    # what is missing is a fault already; the rest is looked at all the same
    return RuleSpec(index=index, **{"name": "", "actions": (), **fields})
