"""The JSON Schema of a match: every clause with what it is for, and how it is written."""

from collections.abc import Mapping, Sequence
from typing import Final

from router.domain.json import Json, JsonObject
from router.engine.match.compile import CLAUSES
from router.engine.match.facts import NUMBERS, SETS, STRINGS
from router.engine.rulesfile.kinds import A_STRING, STRING_LIST, described

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

CLAUSE_EXAMPLES: Final[Mapping[str, tuple[Json, ...]]] = {
    "type": ("monitor-alert", "project-notification", "router.*", "*"),
    "source": ("prod",),
    "action": ("created", ["created", "updated"], "deleted"),
    "project": ("cl0a1b2c3",),
    "origin": ("webhook", ["webhook", "reconcile"]),
    "prompt": ("checkout/**", ["support/*", "!support/internal"], {"prefix": "team-"}),
    "prompt_type": ("chat",),
    "author": ("ann@example.com", ["Ann", "Bob"], {"suffix": "@example.com"}),
    "commit_message": ("", {"contains": "hotfix", "ignore_case": True}),
    "text": ({"contains": "{{customer}}"}, {"regex": "(?s).*ignore previous.*"}),
    "labels": ("production", {"all": ["production"], "none": ["frozen"]}),
    "tags": ("billing", ["billing", "legal"]),
    "labels_gained": ("production", ["production", "staging"], "*"),
    "labels_lost": ("production",),
    "labels_removed": ("production",),
    "tags_gained": ("*", "reviewed"),
    "tags_lost": ("reviewed",),
    "variables_gained": ("*",),
    "variables_lost": ("customer",),
    "version": (1, {"gte": 10}),
    "moved_from": ({"lt": 3},),
    "versions_left": (0,),
    "rollback": (True, False),
    "content_changed": (True,),
    "config_changed": (True,),
    "assumed": (False,),
    "quiet": (True,),
    "during": ("office", ["office"]),
    "where": ([{"path": "$.prompt.config.temperature", "gt": 1}], [{"path": "$.prompt.config.model", "changed": True}]),
    "when": ("prompt.version % 10 == 0",),
    "any": ([{"labels_gained": "production"}, {"tags_gained": "urgent"}],),
    "all": (["release-managers", {"labels_gained": "production"}],),
    "none": (["release-managers"],),
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


_TEXT_TABLE: Final[Mapping[str, Json]] = {
    "regex": described("A regular expression that fits the whole.", _TEXT, "v[0-9]+"),
    "prefix": described("What it begins with.", _TEXT, "team-"),
    "suffix": described("What it ends with.", _TEXT, "-draft"),
    "contains": described("What is in it.", _TEXT, "hotfix"),
    "ignore_case": described("true: upper and lower case are the same.", _BOOL, True),
}
_SET_TABLE: Final[Mapping[str, Json]] = {
    "any": described("One of these is among them.", _NAMES, ["production", "staging"]),
    "all": described("All of these are among them.", _NAMES, ["production", "latest"]),
    "none": described("None of these is among them.", _NAMES, ["frozen"]),
}
_NUMBER_TABLE: Final[Mapping[str, Json]] = {
    "eq": described("Equal to.", _NUMBER, 3),
    "ne": described("Not equal to.", _NUMBER, 1),
    "gt": described("Greater than.", _NUMBER, 2),
    "gte": described("At least.", _NUMBER, 3),
    "lt": described("Less than.", _NUMBER, 10),
    "lte": described("At most.", _NUMBER, 9),
}
_STRINGS: Final[JsonObject] = {
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}, _table(_TEXT_TABLE)]  # "": no commit message
}
_SETS: Final[JsonObject] = {"anyOf": [A_STRING, STRING_LIST, _table(_SET_TABLE)]}
_NUMBERS: Final[JsonObject] = {"anyOf": [_NUMBER, _table(_NUMBER_TABLE)]}
_GROUP: Final[JsonObject] = {
    "type": "array",
    "items": {"anyOf": [A_STRING, {"$ref": "#/$defs/match"}]},
    "minItems": 1,
}
_OPERATORS: Final[Mapping[str, JsonObject]] = {
    "equals": described("It is this; 1 and 1.0 are equal.", _VALUE, "gpt-4.1", 1),
    "not_equals": described("It is something else.", _VALUE, "gpt-4.1"),
    "in": described("It is one of these.", _VALUES, ["gpt-4.1", "gpt-4.1-mini"]),
    "not_in": described("It is none of these.", _VALUES, ["gpt-3.5-turbo"]),
    "gt": described("It is greater.", _ORDERED, 1),
    "gte": described("It is greater or equal.", _ORDERED, 1),
    "lt": described("It is less.", _ORDERED, 1),
    "lte": described("It is less or equal.", _ORDERED, 1),
    "contains": described("The text, list or table has this in it.", _VALUE, "tool"),
    "regex": described("The whole of the text fits.", _TEXT, "gpt-.*"),
    "exists": described("Whether there is anything.", _BOOL, True),
    "changed": described("Whether it differs from the version replaced.", _BOOL, True),
}
_PATH: Final = described(
    "A JSONPath into the body.", {"type": "string", "pattern": r"^\$"}, "$.prompt.config.model", "$.payload.severity"
)
WHERE: Final[JsonObject] = {
    "type": "array",
    "items": _table({"path": _PATH, **_OPERATORS}, ["path"]),
    "minItems": 1,
}


def match_schema() -> JsonObject:
    """Return the schema of a match; matches in it refer to it as `#/$defs/match`, to `WHERE` as `#/$defs/where`."""
    properties = {name: described(CLAUSE_ABOUT[name], _clause(name), *CLAUSE_EXAMPLES[name]) for name in CLAUSES}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _clause(name: str) -> JsonObject:
    match name:
        case _ if name in STRINGS:
            return _STRINGS
        case _ if name in SETS:
            return _SETS
        case _ if name in NUMBERS:
            return _NUMBERS
        case "during":
            return _NAMES
        case "where":
            return {"$ref": "#/$defs/where"}
        case "when":
            return _TEXT
        case "any" | "all" | "none":
            return _GROUP
        case _:
            return _BOOL
