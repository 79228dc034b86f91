"""JSON values as TOML, as far as it has them: there is no null."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from router.domain.json import Json

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def value(of: Json) -> str:
    """Return a value on one line; it holds no null."""
    match of:
        case str():
            return msgspec.json.encode(of).decode().replace("\x7f", "\\u007f")
        case bool() | int() | float():
            return msgspec.json.encode(of).decode()
        case Mapping():
            return f"{{ {', '.join(f'{key(name)} = {value(one)}' for name, one in of.items())} }}" if of else "{}"
        case None:
            raise ValueError("TOML has no null")
        case _:
            return f"[{', '.join(map(value, of))}]"


def key(name: str) -> str:
    return name if _BARE.fullmatch(name) else value(name)


def text(of: bytes) -> str:
    """Return JSON, as it is written, as a text of several lines."""
    written = msgspec.json.format(of, indent=2).decode().replace("\x7f", "\\u007f")
    if "'''" in written:
        written = written.replace("'", "\\u0027")
    return f"'''\n{written}'''"


def without_nulls(of: Json) -> Json:
    """Return what TOML can say of a value, a part of it: lists that hold a null somewhere go with their key."""
    if isinstance(of, Mapping):
        return {name: without_nulls(one) for name, one in of.items() if _can_be_said(one)}
    return of


def _can_be_said(of: Json) -> bool:
    return of is not None and not (isinstance(of, list | tuple) and any(map(_holds_null, of)))


def _holds_null(of: Json) -> bool:
    if isinstance(of, Mapping):
        return any(map(_holds_null, of.values()))
    return of is None or (isinstance(of, list | tuple) and any(map(_holds_null, of)))
