"""Webhook bodies without what people wrote and who they are; what rules decide on is as it was, as far as that goes.

The same thing gets the same name everywhere: a line that two versions share, a variable, a person. So a move is still a
move, a diff still has as many lines, and a variable is still new.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from router.domain.event import PROMPT_VERSION
from router.domain.json import Json, JsonObject

_VARIABLE: Final = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_WORDS: Final = frozenset(
    {"type", "action", "apiVersion", "severity", "eventType", "view", "window", "column", "operator", "disabled"}
)
"""Keys whose values are Langfuse's own words, not somebody's."""

PROJECT: Final = "the project's id"
FOLDER: Final = "the prompt's folders"
NAME: Final = "the prompt's name"


def config_key(name: str) -> str:
    return f"config.{name}"


def optional(bodies: list[JsonObject]) -> list[str]:
    """Return what bodies hold besides texts and people that can be hidden, too: rules may well ask for it."""
    prompts = [prompt for body in bodies if isinstance(prompt := body.get("prompt"), Mapping)]
    if not prompts:
        return [PROJECT]
    configs = [config for prompt in prompts if isinstance(config := prompt.get("config"), Mapping)]
    return [PROJECT, NAME, FOLDER, *dict.fromkeys(config_key(str(name)) for config in configs for name in config)]


class Redaction:
    """One consistent renaming, for bodies that belong together.

    `hidden`: those of `optional` that it hides beside texts, people and ids.
    """

    def __init__(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._names: dict[str, dict[str, str]] = {}

    def body(self, of: JsonObject) -> JsonObject:
        known: dict[str, Callable[[Json], Json]] = {"id": self._id, "user": self._user}
        if of.get("type") == PROMPT_VERSION:
            known |= {"prompt": self._prompt} | dict.fromkeys(("type", "action", "apiVersion"), lambda value: value)
            return {name: known.get(name, self._other)(value) for name, value in of.items()}
        return {name: known[name](value) if name in known else self._words(name, value) for name, value in of.items()}

    def _words(self, name: str, value: Json) -> Json:
        """Hide the texts of what is about no prompt; what Langfuse itself calls things stays."""
        if isinstance(value, Mapping):
            return {key: self._words(key, one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._words(name, one) for one in value]
        if name == "projectId":
            return self._project(value)
        return value if name in _WORDS else self._other(value)

    def _prompt(self, of: Json) -> Json:
        if not isinstance(of, Mapping):
            return self._other(of)
        return {name: self._field(name, value) for name, value in of.items()}

    def _field(self, name: str, value: Json) -> Json:
        match name:
            case "version" | "labels" | "tags" | "type":
                return value
            case "id":
                return self._id(value)
            case "name":
                return self._prompt_name(value)
            case "projectId":
                return self._project(value)
            case "createdBy":
                return self._renamed("user", value)
            case "prompt" if isinstance(value, list):
                return [self._message(message) for message in value]
            case "config" if isinstance(value, Mapping):
                return {key: self._setting(key, one) for key, one in value.items()}
            case _:
                return self._other(value)

    def _prompt_name(self, name: Json) -> Json:
        if not isinstance(name, str):
            return name
        *folders, last = name.split("/")
        if FOLDER in self._hidden:
            folders = [str(self._renamed("folder", folder)) for folder in folders]
        return "/".join([*folders, str(self._renamed("prompt", last)) if NAME in self._hidden else last])

    def _setting(self, key: str, value: Json) -> Json:
        return self._other(value) if config_key(key) in self._hidden else value

    def _project(self, value: Json) -> Json:
        return self._renamed("project", value) if PROJECT in self._hidden else value

    def _user(self, of: Json) -> Json:
        if not isinstance(of, Mapping):
            return self._other(of)
        number = str(self._renamed("person", msgspec.json.encode(of, order="sorted").decode())).removeprefix("person-")
        known = {"name": f"Author {number}", "email": f"author-{number}@example.com"}
        return {name: None if value is None else known.get(name) or self._other(value) for name, value in of.items()}

    def _message(self, of: Json) -> Json:
        if not isinstance(of, Mapping):
            return self._other(of)
        if of.get("type") == "placeholder":
            return {key: self._variable(value) if key == "name" else value for key, value in of.items()}
        return {
            key: value if key == "type" or (key == "role" and value in _ROLES) else self._other(value)
            for key, value in of.items()
        }

    def _other(self, value: Json) -> Json:
        """Hide every text in a value, except times."""
        if isinstance(value, Mapping):
            return {key: self._other(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._other(one) for one in value]
        return self._text(value) if isinstance(value, str) and not _is_time(value) else value

    def _text(self, value: str) -> str:
        return "\n".join(map(self._line, value.split("\n")))

    def _line(self, line: str) -> str:
        if not line.strip():
            return ""
        variables = [f"{{{{{self._variable(name)}}}}}" for name in _VARIABLE.findall(line)]
        return " ".join([str(self._renamed("text", line)), *variables])

    def _variable(self, name: Json) -> Json:
        named = self._renamed("variable", name)
        return named.replace("-", "_") if isinstance(named, str) else named

    def _id(self, value: Json) -> Json:
        return self._renamed("id", value)

    def _renamed(self, kind: str, value: Json) -> Json:
        if not isinstance(value, str):
            return value
        names = self._names.setdefault(kind, {})
        return names.setdefault(value, f"{kind}-{len(names) + 1}")


def _is_time(text: str) -> bool:
    try:
        msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return False
    return True
