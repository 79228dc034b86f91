"""The JSON Schema of the rules file: what a real TOML linter makes of it, and that it says what the reader does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import msgspec
import pytest
from msgspec import Struct

from router.domain.json import Json, JsonObject
from router.domain.message import DestinationType
from router.engine.match import CLAUSES
from router.engine.match.schema import CLAUSE_ABOUT
from router.engine.match.where import ITEM_KEYS
from router.engine.rulesfile import ACTION_KEYS, read_rules
from router.engine.rulesfile.destinations import ONE_OF, TOGETHER
from router.engine.rulesfile.schema import json_schema
from router.engine.rulesfile.spec import ACTION_EXAMPLES, DESTINATION_TYPES
from router.service.outside import Disk
from router.service.rulebook import load

TOMBI = Path(sys.executable).with_name("tombi")
EXAMPLE = Path(__file__).parent.parent / "rules.example.toml"


class Start(Struct):
    line: int


class Range(Struct):
    start: Start


class Diagnostic(Struct):
    message: str
    range: Range


def lint(directory: Path, text: str) -> list[str]:
    """Return what tombi says to a rules file, warnings included, as `line: message`."""
    (directory / "schema.json").write_text(json.dumps(json_schema()))
    (directory / "tombi.toml").write_text('[[schemas]]\npath = "schema.json"\ninclude = ["rules.toml"]\n')
    (directory / "rules.toml").write_text(text)
    found = directory / "found.json"
    options = ["--offline", "--no-cache", "--diagnostics-format", "json", "--diagnostics-file", found.name]
    subprocess.run([TOMBI, "lint", *options, "rules.toml"], cwd=directory, capture_output=True, timeout=60, check=False)
    return [
        f"{one.range.start.line}: {one.message}"
        for one in msgspec.json.decode(found.read_bytes(), type=list[Diagnostic])
    ]


def test_the_example_is_fine(tmp_path: Path) -> None:
    assert lint(tmp_path, EXAMPLE.read_text()) == []


def test_values_from_outside_and_every_way_to_write_a_value_are_fine(tmp_path: Path) -> None:
    text = """
include = ["rules.d/*.toml"]
[server]
port = "${PORT:-8787}"
max_body = 1024
[sources.prod]
secret = ["${A}", "${B}"]
tolerance = "off"
plain_signature = "${PLAIN:-false}"
[destinations.ci]
type = "github"
repository = "acme/prompts"
token = "${GITHUB_TOKEN}"
timeout = "${TIMEOUT:-5s}"
[destinations.ci-search]
extends = "ci"
repository = "acme/search"
[destinations.api]
type = "http"
url = "https://example.com"
json = { file = "body.json" }
expect = { status = [200, 409] }
[vars]
anything = [{ goes = 1 }]
[matches.managers]
author = ["ann@example.com"]
[times.office]
zone = "Europe/Berlin"
days = ["mon-fri", "sun"]
hours = ["09:00-18:00", "22:00-07:00"]
[times.night]
hours = "20:00-24:00"
[[rules]]
name = "r"
group = "prompt"
throttle = "10m"
fallback = true
[rules.match]
author = { prefix = "ann", ignore_case = true }
commit_message = ["", "wip*"]
labels = { any = ["a"], none = "b" }
version = { gte = 3 }
during = ["office", "night"]
when = "prompt.version > 3"
where = [{ path = "$.prompt.config.model", in = ["a", 1, true] }, { path = "$.a", changed = true, gt = 1 }]
any = ["managers", { all = [{ none = ["managers"] }], action = "created" }]
[[rules.actions]]
to = ["api", "ci"]
text = { file = "t.txt" }
blocks = [{ type = "divider" }]
[[rules]]
name = "weekly"
collect = { cron = "0 9 * * 1", zone = "Europe/Berlin" }
actions = [{ to = "api" }]
[[rules]]
name = "soon"
collect = "1m"
actions = [{ to = "api" }]
"""
    assert lint(tmp_path, text) == []


def test_each_mistake_is_found_in_its_line(tmp_path: Path) -> None:
    text = """[server]
prot = 1
port = 70000
[sources.prod]
settle = "2 s"
[destinations.a]
type = "http"
[destinations.b]
type = "slak"
[destinations.c]
extends = "a"
timeout = 5
[destinations.d]
type = "log"
colour = "red"
[[rules]]
name = "x"
collect = { corn = "0 9 * * 1" }
match = { labels_gaind = "production" }
actions = [{ to = "a", txt = "b" }]
[[rules]]
name = "y"
match = { any = [{ none = [{ labels_gaind = "x" }] }], where = [{ path = "prompt" }], during = 5 }
[times.x]
days = ["funday"]
hours = ["9-18"]
zones = "UTC"
"""
    found = lint(tmp_path, text)
    for expected in (
        '2: "prot" is not allowed',
        "3: the value must be ≤ 65535, but found 70000",
        '4: "secret" is required',
        '6: "url" is required',
        '15: "colour" is not allowed',
        '18: "corn" is not allowed',
        '19: "labels_gaind" is not allowed',
        '20: "txt" is not allowed',
        '21: "actions" is required',
        '23: "labels_gaind" is not allowed',
        '27: "zones" is not allowed',
    ):
        assert expected in found
    assert {line for line, *_ in (one.split(":") for one in found)} >= {"5", "9", "12", "23", "25", "26"}


def table(*steps: str) -> JsonObject:
    schema: object = json_schema()
    for step in steps:
        schema = cast("Mapping[str, object]", schema)[step]
    return cast("JsonObject", schema)


def destination(type: str) -> JsonObject:
    """Return the properties of the table for this type of destination; "": for one that extends another."""
    alternatives = cast("list[JsonObject]", table("$defs", "destination")["anyOf"])
    index = [*DESTINATION_TYPES, ""].index(type)
    return cast("JsonObject", alternatives[index]["properties"])


TABLES = {
    "[server]": table("properties", "server", "properties"),
    "[store]": table("properties", "store", "properties"),
    "[sources.x]": table("$defs", "source", "properties"),
    "[sources.x.api]": table("$defs", "source", "properties", "api", "properties"),
    "[[rules]]": table("$defs", "rule", "properties"),
    "[times.x]": table("$defs", "times", "properties"),
    **{f'[destinations.x]\ntype = "{type}"': destination(type) for type in DESTINATION_TYPES},
}


@pytest.mark.parametrize("head", TABLES)
def test_the_reader_knows_exactly_the_keys_of_the_schema(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = [key for key in TABLES[head] if key != "type"]
    Path("rules.toml").write_text("\n".join([head, *(f"{key} = 1979-05-27" for key in [*keys, "unheard_of"])]))
    problems = read_rules("rules.toml", Disk({}), missing="error").problems
    refused = [one.path for one in problems if one.what.startswith(("unknown key", "not supported yet"))]
    assert len(refused) == 1
    assert refused[0].endswith(".unheard_of")
    wrong = [one.path for one in problems if "a date or time has no place here" in one.what]
    assert {path.rpartition(".")[2] for path in wrong} == set(keys)


@pytest.mark.parametrize("type", DESTINATION_TYPES)
def test_action_keys_stand_in_actions_and_in_destinations_of_their_type(type: str) -> None:
    now = {key for name, keys in ACTION_KEYS.items() if name == type for key in keys}
    assert now <= table("$defs", "action", "properties").keys()
    assert now <= destination(type).keys()
    assert destination(type).keys() <= destination("").keys()


def test_every_clause_is_explained() -> None:
    assert set(CLAUSE_ABOUT) == set(CLAUSES)
    assert table("$defs", "match", "properties").keys() == set(CLAUSES)


def test_every_operator_of_where_is_offered() -> None:
    items = cast("JsonObject", table("$defs", "where")["items"])
    assert cast("JsonObject", items["properties"]).keys() == set(ITEM_KEYS)


def every_key(schema: object, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Yield every key of every table, at any depth, with what the schema says of it."""
    if isinstance(schema, list):
        for inner in schema:
            yield from every_key(inner, path)
    if not isinstance(schema, dict):
        return
    for name, key in schema.get("properties", {}).items():
        yield f"{path}.{name}".lstrip("."), key
    for step, inner in schema.items():
        if step != "examples":
            yield from every_key(inner, path if step in ("properties", "anyOf", "$defs") else f"{path}.{step}")


def test_every_key_has_a_description_and_examples() -> None:
    keys = list(every_key(json_schema()))
    assert len(keys) > 150
    assert not [path for path, key in keys if not key.get("description") or not key.get("examples")]


def as_toml(value: object) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {as_toml(inner)}" for key, inner in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


REQUIRED: dict[DestinationType, str] = {
    "slack": 'token = "${TOKEN}"\nchannel = "#prompts"',
    "http": 'url = "https://example.com"',
    "github": 'repository = "a/b"\ntoken = "${TOKEN}"',
    "email": 'smtp = "smtp://mail.example.com"\nfrom = "a@example.com"\nrecipients = ["a@example.com"]',
    "log": "",
    "apprise": 'url = "${URL}"',
}
"""What a destination of each type must say."""


def with_examples(keys: JsonObject) -> Iterator[tuple[str, int, Json]]:
    for name, key in keys.items():
        for number, example in enumerate(cast("list[Json]", cast("JsonObject", key)["examples"])):
            yield name, number, example


def first_example(keys: JsonObject, name: str) -> Json:
    return cast("list[Json]", cast("JsonObject", keys[name])["examples"])[0]


def examples() -> Iterator[str]:
    """Yield TOML in which every example of the schema stands in its place."""
    for name, number, example in with_examples(table("$defs", "source", "properties")):
        secret = "" if name == "secret" else 'secret = "${SECRET}"\n'
        yield f"[sources.{name}-{number}]\n{secret}{name} = {as_toml(example)}\n"
    for type, required in REQUIRED.items():
        keys = destination(type)
        for name, number, example in with_examples(keys):
            instead = TOGETHER[type][0] if name in TOGETHER.get(type, ()) else name
            said = {name, *(other for several in ONE_OF.get(type, ()) if instead in several for other in several)}
            more = "".join(f"{line}\n" for line in required.split("\n") if line.split(" =")[0] not in said)
            more += "".join(
                f"{other} = {as_toml(first_example(keys, other))}\n"
                for other in TOGETHER.get(type, ())
                if name in TOGETHER[type] and other != name
            )
            again = "" if name == "type" else f"{name} = {as_toml(example)}\n"
            yield f'[destinations.{type}-{name}-{number}]\ntype = "{type}"\n{more}{again}'
    for name, number, example in with_examples(table("$defs", "match", "properties")):
        yield f'[[rules]]\nname = "{name} {number}"\nactions = [{{ to = "log" }}]\n'
        yield f"match = {as_toml({name: example})}\n"
    for type in REQUIRED:
        for name in sorted(ACTION_KEYS[type]):
            for number, example in enumerate(ACTION_EXAMPLES[name]):
                action = as_toml({"to": type, name: example})
                yield f'[[rules]]\nname = "{type} {name} {number}"\nactions = [{action}]\n'
    for name, number, example in with_examples(table("$defs", "rule", "properties")):
        written = {"name": f"rule {name} {number}", "actions": [{"to": "log"}], name: example}
        yield "[[rules]]\n" + "".join(f"{one} = {as_toml(value)}\n" for one, value in written.items())
    for name in ("use", "to", "id", "if"):
        for number, example in enumerate(ACTION_EXAMPLES[name]):
            action = as_toml({"to": "log", name: example})
            yield f'[[rules]]\nname = "any {name} {number}"\nactions = [{action}]\n'


def test_every_example_is_fine_for_the_linter_and_for_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = """[sources.prod]
secret = "${SECRET}"
[vars.team]
checkout = "prompt-team"
[matches.release-managers]
author = "ann@example.com"
[times.office]
hours = ["09:00-18:00"]
[actions.announce]
to = "prompt-team"
[destinations.prompt-team]
type = "log"
[destinations.oncall]
type = "log"
[destinations.team]
type = "log"
"""
    head += "".join(f'[destinations.{type}]\ntype = "{type}"\n{required}\n' for type, required in REQUIRED.items())
    tables = re.split(r"(?m)^(?=\[)", head + "".join(examples()))
    # the linter wants those of one kind to stand together
    text = "".join(sorted(tables, key=lambda table: re.split(r"[.\n]", table)[0]))
    Path("templates").mkdir()
    for name, contents in {"promoted.txt": "{{ label }}", "body.json": "{}", "t.txt": "text"}.items():
        (Path("templates") / name).write_text(contents)
    assert lint(tmp_path, text) == []
    assert text.count("[[rules]]") > 80
    outside = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "https://x.example.com")
    load("rules.toml", Disk(outside), missing="placeholder")
