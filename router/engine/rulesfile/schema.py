"""The JSON Schema of the rules file, for editors that complete and check TOML.

Made from the tables that the reader uses and the clauses that the matcher knows. It knows less than `check`: names,
templates and what other files say are beyond it.
"""

from collections.abc import Iterable
from typing import Final, cast

from router.domain.json import Json, JsonObject
from router.domain.message import DestinationType
from router.engine.match.schema import WHERE, match_schema
from router.engine.rulesfile.kinds import A_STRING, OPEN, STRING_LIST, described
from router.engine.rulesfile.spec import (
    ACTION_EXAMPLES,
    ACTIONS,
    ANY_ACTION,
    API,
    DESTINATION_TYPES,
    DESTINATIONS,
    RULE,
    SERVER,
    SOURCE,
    STORE,
    TIMES,
    TOP,
    Key,
    Keys,
    limits_of,
)

_FROM_OUTSIDE: Final[JsonObject] = {"type": "string", "pattern": r"\$\{"}


def json_schema() -> JsonObject:
    """Return the schema (draft 2020-12) of a rules file; files that it includes fit as well."""
    parts: dict[str, Json] = {
        "include": described("More files with destinations and rules.", STRING_LIST, ["rules.d/*.toml", "team.toml"]),
        "server": described("Where it listens; needs a restart to change.", _table("server", SERVER), {"port": 8787}),
        "store": described(
            "Where it remembers; needs a restart to change.", _table("store", STORE), {"url": "sqlite:///router.db"}
        ),
        "sources": _named(
            "Langfuse webhooks: [sources.prod] is POST /webhooks/prod.",
            "source",
            {"prod": {"secret": "${LANGFUSE_WEBHOOK_SECRET}"}},
        ),
        "destinations": _named(
            "Where messages go.", "destination", {"team": {"type": "slack", "webhook_url": "${SLACK_WEBHOOK_URL}"}}
        ),
        "vars": described(
            "Plain values for templates, not secret.", OPEN, {"channel": {"checkout": "#checkout", "search": "#search"}}
        ),
        "matches": _named(
            "Matches with names, for `any`, `all` and `none`.",
            "match",
            {"release-managers": {"author": ["ann@example.com", "bob@example.com"]}},
        ),
        "times": _named(
            "Times of the week with names, for `during`.",
            "times",
            {"office": {"zone": "Europe/Berlin", "days": ["mon-fri"], "hours": ["09:00-18:00"]}},
        ),
        "actions": _named("Actions with a name, for `use`.", "action", {"announce": {"to": "prompt-team"}}),
        "rules": described(
            "What is told, and to whom.",
            {"type": "array", "items": {"$ref": "#/$defs/rule"}},
            [{"name": "production-promoted", "match": {"labels_gained": "production"}, "actions": [{"to": "team"}]}],
        ),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The rules file of langfuse-router",
        "type": "object",
        "properties": {name: parts[name] for name in TOP},
        "additionalProperties": False,
        "$defs": {
            "source": _source(),
            "destination": _destination(),
            "times": _table("times", TIMES),
            "rule": _rule(),
            "match": match_schema(),
            "where": WHERE,
            "action": _action(),
        },
    }


def _named(text: str, kind: str, example: Json) -> JsonObject:
    return described(
        text,
        {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z0-9_.-]+$"},
            "additionalProperties": {"$ref": f"#/$defs/{kind}"},
        },
        example,
    )


def _object(properties: JsonObject, required: Iterable[str]) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _table(kind: str, keys: Keys) -> JsonObject:
    return _object(
        {name: _value(kind, key) for name, key in keys.items()},
        (name for name, key in keys.items() if key.required),
    )


def _source() -> JsonObject:
    source = _table("source", SOURCE)
    api = described(
        "Langfuse's public API: for what was before, and for what was missed.",
        _table("api", API),
        {
            "host": "https://cloud.langfuse.com",
            "public_key": "${LANGFUSE_PUBLIC_KEY}",
            "secret_key": "${LANGFUSE_SECRET_KEY}",
        },
    )
    return {**source, "properties": {**cast("JsonObject", source["properties"]), "api": api}}


def _value(kind: str, key: Key) -> JsonObject:
    """Return how a key's value is written. Outside of rules `${…}` may stand for what is no text, too."""
    schema = key.kind.schema
    if kind not in ("rule", "times") and not key.kind.text:
        schema = {"anyOf": [schema, _FROM_OUTSIDE]}
    return described(key.about, schema, *(key.examples or key.kind.examples))


def _destination() -> JsonObject:
    """Return one table for each type; one that extends another may have the keys of any, and lack all of them."""
    types = {type: _type_keys(type) for type in DESTINATION_TYPES}
    alternatives: list[Json] = [
        _object(
            {"type": described("Where messages go.", {"const": type}, type), **keys},
            ("type", *(name for name, key in DESTINATIONS[type].items() if key.required)),
        )
        for type, keys in types.items()
    ]
    heir: dict[str, Json] = {
        "type": described("Where messages go.", {"enum": list(DESTINATION_TYPES)}, *DESTINATION_TYPES),
        "extends": described("Another destination: all of its keys, and the ones here win.", A_STRING, "prompt-team"),
    }
    for keys in types.values():
        heir |= keys
    return {"anyOf": [*alternatives, _object(heir, ("extends",))]}


def _type_keys(type: DestinationType) -> dict[str, Json]:
    own = {**DESTINATIONS[type], **limits_of(type)}
    return {
        **{name: _value(type, key) for name, key in own.items()},
        **{name: described(text, schema, *ACTION_EXAMPLES[name]) for name, (text, schema) in ACTIONS[type].items()},
    }


def _rule() -> JsonObject:
    keys = {name: _value("rule", key) for name, key in RULE.items()}
    match, actions = RULE["match"], keys["actions"]
    keys["match"] = described(match.about, {"$ref": "#/$defs/match"}, *match.examples)
    keys["actions"] = {**actions, "items": {"$ref": "#/$defs/action"}}
    return _object(keys, (name for name, key in RULE.items() if key.required))


def _action() -> JsonObject:
    """Return one table for the actions of all types, also those with a name, which may leave out `to`.

    Which type `to` means is known to `check` alone.
    """
    abouts: dict[str, list[str]] = {name: [text] for name, (text, _) in ANY_ACTION.items()}
    schemas: dict[str, JsonObject] = {name: schema for name, (_, schema) in ANY_ACTION.items()}
    for type in DESTINATION_TYPES:
        for name, (text, schema) in ACTIONS[type].items():
            abouts.setdefault(name, []).append(f"{type}: {text}")
            schemas.setdefault(name, schema)
    keys = {name: described(" ".join(abouts[name]), schema, *ACTION_EXAMPLES[name]) for name, schema in schemas.items()}
    return _object(keys, ())
