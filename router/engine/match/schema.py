"""The JSON Schema of a match: every clause with what it is for, and how it is written."""

from collections.abc import Mapping, Sequence
from typing import Final

from router.domain.json import Json, JsonObject
from router.engine.match.compile import CLAUSES
from router.engine.match.facts import CHOICES, NUMBERS, SETS, STRINGS
from router.engine.match.wanted import COMPARE, SET_KEYS, TEXT_KEYS
from router.engine.rulesfile.kinds import A_STRING, STRING_LIST

CLAUSE_ABOUT: Final[Mapping[str, str]] = {
    "type": 'The kind of event ("prompt-version"); "*": all kinds.',
    "source": "The source that the event came to.",
    "action": "What was done to the version.",
    "project": "The id of the Langfuse project.",
    "origin": "How the router learnt of it.",
    "prompt": "The prompt's name; `*` stays in a folder, `**` does not.",
    "prompt_type": "What the prompt is.",
    "author": "The user's name or e-mail address, either; ignores case.",
    "commit_message": 'The version\'s commit message; "" if there is none.',
    "text": "The prompt as one text; a chat as paragraphs `role: content`.",
    "labels": "Labels that the version has now.",
    "tags": "Tags that the prompt has now.",
    "labels_gained": "Labels that the version gained.",
    "labels_lost": "Labels that the version lost.",
    "labels_removed": "Labels that were lost and that no version holds now.",
    "tags_gained": "Tags that the prompt gained.",
    "tags_lost": "Tags that the prompt lost.",
    "variables_gained": "{{names}} in the text that the version replaced had not.",
    "variables_lost": "{{names}} in the version replaced that the text has no more.",
    "version": "The version's number.",
    "moved_from": "The number of the version that held the gained label before.",
    "versions_left": "How many versions remain after a deletion.",
    "rollback": "true: the gained label came from a higher version.",
    "content_changed": "true: the text differs from that of the version replaced.",
    "config_changed": "true: the config differs from that of the version replaced.",
    "assumed": "false: only what the router saw itself.",
    "quiet": "true: changes in which nothing can be seen, too.",
    "during": "Names of [times]: the event arrived in one of them.",
    "where": "What a JSONPath finds in the body; all entries must hold.",
    "when": "A Jinja expression over what templates can name.",
    "any": "At least one of these holds: matches, or names of [matches].",
    "all": "All of these hold: matches, or names of [matches].",
    "none": "None of these holds: matches, or names of [matches].",
}

_TEXT: Final[JsonObject] = {"type": "string"}
_BOOL: Final[JsonObject] = {"type": "boolean"}
_NUMBER: Final[JsonObject] = {"type": "number"}
_VALUE: Final[JsonObject] = {}
_VALUES: Final[JsonObject] = {"type": "array", "minItems": 1}
_ORDERED: Final[JsonObject] = {"type": ["number", "string"]}
_NAMES: Final[JsonObject] = {"anyOf": [A_STRING, STRING_LIST]}


def _table(properties: Mapping[str, Json], required: Sequence[str] = ()) -> JsonObject:
    closed: JsonObject = {"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": False}
    return {**closed, "required": list(required)} if required else closed


_TEXTS: Final[JsonObject] = {"type": "array", "items": _TEXT, "minItems": 1}
_STRINGS: Final[JsonObject] = {
    # "" is who or what is absent
    "anyOf": [_TEXT, _TEXTS, _table({**dict.fromkeys(TEXT_KEYS, _TEXT), "ignore_case": _BOOL})]
}
_SETS: Final[JsonObject] = {"anyOf": [A_STRING, STRING_LIST, _table(dict.fromkeys(SET_KEYS, _NAMES))]}
_NUMBERS: Final[JsonObject] = {"anyOf": [_NUMBER, _table(dict.fromkeys(COMPARE, _NUMBER))]}
_GROUP: Final[JsonObject] = {
    "type": "array",
    "items": {"anyOf": [A_STRING, {"$ref": "#/$defs/match"}]},
    "minItems": 1,
}
_OPERATORS: Final[Mapping[str, JsonObject]] = {
    "equals": _VALUE,
    "not_equals": _VALUE,
    "in": _VALUES,
    "not_in": _VALUES,
    "gt": _ORDERED,
    "gte": _ORDERED,
    "lt": _ORDERED,
    "lte": _ORDERED,
    "contains": _VALUE,
    "regex": _TEXT,
    "exists": _BOOL,
    "changed": _BOOL,
}
_WHERE: Final[JsonObject] = {
    "type": "array",
    "items": _table({"path": {"type": "string", "pattern": r"^\$"}, **_OPERATORS}, ["path"]),
    "minItems": 1,
}


def match_schema() -> JsonObject:
    """Return the schema of a match; matches in it refer to it as `#/$defs/match`."""
    properties = {name: {"description": CLAUSE_ABOUT[name], **_clause(name)} for name in CLAUSES}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _clause(name: str) -> JsonObject:
    match name:
        case _ if name in CHOICES:
            return {**_STRINGS, "examples": list(CHOICES[name])}
        case _ if name in STRINGS:
            return _STRINGS
        case _ if name in SETS:
            return _SETS
        case _ if name in NUMBERS:
            return _NUMBERS
        case "during":
            return _NAMES
        case "where":
            return _WHERE
        case "when":
            return _TEXT
        case "any" | "all" | "none":
            return _GROUP
        case _:
            return _BOOL
