"""The filters of ours, and bounded forms of Jinja's that could make something huge."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Undefined
from markupsafe import Markup

from router.engine.difference import differ
from router.engine.template.budget import TemplateError, check_length, spend
from router.engine.template.escape import escape_slack, shown

WIDEST: Final = 200


def diff(old: object, new: object) -> str:
    """A unified diff of two texts."""
    return differ(shown(old), shown(new)).text


def slack_link(url: object, text: object) -> Markup:
    """`<url|text>` in Slack's markup; without a good http(s) URL only the text."""
    address, label = shown(url), escape_slack(shown(text)).replace("\n", " ")
    if urlsplit(address).scheme not in ("http", "https") or set(address) & set("<>|\n "):
        return Markup(label)  # noqa: S704
    return Markup(f"<{escape_slack(address)}|{label}>")  # noqa: S704


def truncate_bytes(text: object, size: int) -> str:
    """At most `size` bytes of UTF-8, never half a character; `…` where something was cut."""
    raw = shown(text).encode()
    if len(raw) <= size:
        return raw.decode()
    return raw[: max(0, size - len("…".encode()))].decode(errors="ignore") + "…"


def b64encode(text: object) -> str:
    return base64.b64encode(shown(text).encode()).decode()


def sha256(text: object) -> str:
    return hashlib.sha256(shown(text).encode()).hexdigest()


def format_datetime(time: object, format: str = "%Y-%m-%d %H:%M:%S", zone: str = "UTC") -> str:
    """A time (ISO 8601) in the words of strftime, in a zone such as Europe/Berlin; null is empty."""
    if time is None:
        return ""
    try:
        moment = time if isinstance(time, datetime) else datetime.fromisoformat(shown(time))
        return moment.astimezone(ZoneInfo(zone) if zone != "UTC" else UTC).strftime(format)
    except (ValueError, KeyError, OSError) as error:
        raise TemplateError(f"datetime: {error}") from error


def to_json(value: object, indent: int = 0) -> str:
    """JSON; `indent` makes it readable."""
    compact = msgspec.json.encode(native(value))
    return (msgspec.json.format(compact, indent=min(indent, 8)) if indent else compact).decode()


def native(value: object) -> Any:
    """Return a template's value as JSON. Raises TemplateError for what is none."""
    match value:
        case Markup():
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {shown(key): native(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset() | range():
            return [native(inner) for inner in _counted(value)]
    if isinstance(value, Undefined):
        str(value)  # a strict one raises its own words, an absent one is null
        return None
    if hasattr(value, "__next__"):  # filters such as map and select make generators
        return [native(inner) for inner in _counted(value)]
    raise TemplateError(f"{type(value).__name__} is no value of JSON")


def join(values: Iterable[object], d: object = "", attribute: str | None = None) -> str:
    """Jinja's join, of plain text."""
    parts = [shown(value[attribute] if attribute and isinstance(value, dict) else value) for value in _counted(values)]
    separator = shown(d)
    check_length(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def replace(text: object, old: object, new: object, count: int | None = None) -> str:
    source, wanted, other = shown(text), shown(old), shown(new)
    found = source.count(wanted) if count is None else min(count, source.count(wanted))
    check_length(len(source) + found * len(other))
    return source.replace(wanted, other, -1 if count is None else count)


def indent(text: object, width: int | str = 4, first: bool = False) -> str:
    prefix = " " * min(width, WIDEST) if isinstance(width, int) else width[:WIDEST]
    lines = shown(text).splitlines()
    check_length(sum(map(len, lines)) + len(lines) * (len(prefix) + 1))
    return "\n".join(prefix + line if line and (first or number) else line for number, line in enumerate(lines))


def as_list(values: Iterable[object]) -> list[object]:
    return list(_counted(values))


def _counted(values: Any) -> Iterable[Any]:
    for value in values:
        spend()
        yield value


OURS: Final[dict[str, Callable[..., Any]]] = {
    "diff": diff,
    "slack_link": slack_link,
    "truncate_bytes": truncate_bytes,
    "b64encode": b64encode,
    "sha256": sha256,
    "datetime": format_datetime,
    "json": to_json,
    "tojson": to_json,
    "join": join,
    "replace": replace,
    "indent": indent,
    "list": as_list,
}

FROM_JINJA: Final[Sequence[str]] = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items",
    "last", "length", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "safe", "select",
    "selectattr", "sort", "string", "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode",
    "wordcount",
)  # fmt: skip
"""Allowed as they are: they make nothing that is larger than what they are given, and need no luck."""
