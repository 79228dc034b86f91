"""How what a template inserts is escaped, by channel. Literal text of the template is never touched."""

import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from jinja2 import Undefined
from markupsafe import Markup, escape

Channel: TypeAlias = Literal["slack", "html", "text", "path", "query", "header"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def escape_slack(text: str) -> str:
    """`<` begins links and mentions: https://api.slack.com/reference/surfaces/formatting#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


ESCAPES: Final[dict[Channel, Callable[[str], str]]] = {
    "slack": escape_slack,
    "html": lambda text: str(escape(text)),
    "text": lambda text: text,
    "path": lambda text: quote(text, safe=""),
    "query": lambda text: quote(text, safe=""),
    "header": _header,
}


def shown(value: object) -> str:
    """Return a value as text: null is empty, lists and tables are compact JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Undefined():
            return str(value)  # strict ones raise here
        case list() | tuple() | dict():
            return msgspec.json.encode(value, enc_hook=_absent).decode()
        case _:
            return str(value)


def _absent(value: object) -> object:
    if isinstance(value, Undefined):
        return None
    raise TypeError(f"{type(value).__name__} is no JSON")


def _inserter(channel: Channel) -> Callable[[object], Markup]:
    escaped = ESCAPES[channel]

    def insert(value: object) -> Markup:
        if isinstance(value, Markup):
            return value
        return Markup(escaped(shown(value)))  # noqa: S704  # escaped for its channel a moment ago

    return insert


INSERT: Final = {channel: _inserter(channel) for channel in ESCAPES}
"""What becomes of every value that a template of that channel inserts; `| safe` makes Markup, which stays."""
