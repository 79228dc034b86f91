"""`${NAME}`, `${NAME:-default}`, `${file:/run/secrets/x}` and `$$` in the strings of a rules file."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Final, Protocol
from urllib.parse import quote

from msgspec import Struct

from router.domain.text import MASK, Text

HOLE: Final = "${"
_TOKEN: Final = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Outside(Protocol):
    """The world that a rules file may refer to."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    def read(self, path: str) -> str:
        """Return the text of a file. Raises OSError, or UnicodeDecodeError if it is not UTF-8."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """Return the files that fit, sorted, without hidden ones."""
        ...


class Placeholder(Text):
    """Stands for a text with a missing variable in it, as it is written: nothing about its value can be checked."""

    __slots__ = ()


class Expansion(Struct, frozen=True, kw_only=True):
    """What became of a string: `str` if nothing came from outside.

    `missing`: what it asks for that is not there. `malformed`: what it asks for that means nothing.
    """

    value: str | Text
    missing: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()


class Absent(Exception):
    """What a `${…}` asks for is not there; the text says so."""


def expand(raw: str, outside: Outside, *, file: str, userinfo: bool = False) -> Expansion:
    """Return `raw` with every `${…}` replaced; what came in is masked.

    `file` is where `raw` stands: relative paths of `${file:…}` start beside it. `userinfo`: before the `@` of a URL
    what comes in is percent-encoded, so that a password may hold `@`, `/` or `#`.
    """
    value, shown, missing, malformed = "", "", [], []
    start, holes = 0, 0
    for token in _TOKEN.finditer(raw):
        literal = raw[start : token.start()]
        value, shown, start = value + literal, shown + literal, token.end()
        if token[0] == "$$":
            value, shown = value + "$", shown + "$"
            continue
        holes += 1
        try:
            came = _fetch(token[1], outside, file)
        except Absent as error:
            missing.append(str(error))
        except ValueError as error:
            malformed.append(str(error))
        else:
            encode = userinfo and _in_userinfo(value, raw[token.end() :])
            value, shown = value + (quote(came, safe="") if encode else came), shown + MASK
    if missing or malformed:
        return Expansion(value=Placeholder(raw), missing=tuple(missing), malformed=tuple(malformed))
    text = value + raw[start:]
    return Expansion(value=Text(text, shown + raw[start:]) if holes else text)


def beside(file: str, name: str) -> str:
    """Return the path of a file that `file` calls `name`."""
    return str(PurePath(file).parent / name)


def why(error: Exception) -> str:
    """Return why a file could not be read, for people."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "its name is no file's name"


def _in_userinfo(before: str, after: str) -> bool:
    """Tell whether a place in a URL, between these two, belongs to `user:password@`."""
    _, scheme_ended, authority = before.partition("://")
    return bool(scheme_ended) and "/" not in authority and "@" in after


def _fetch(asked: str | None, outside: Outside, file: str) -> str:
    """Return what `${asked}` stands for. Raises Absent, or ValueError if it stands for nothing."""
    if asked is None:
        raise ValueError("`${` without `}`; write `$$` for a dollar sign")
    if asked.startswith("file:"):
        return _contents(asked.removeprefix("file:"), outside, file)
    name = _NAME.fullmatch(asked)
    if name is None:
        raise ValueError("expected ${NAME}, ${NAME:-default} or ${file:PATH}; write `$$` for a dollar sign")
    return _variable(name[1], name[2], outside.environment.get)


def _variable(name: str, default: str | None, get: Callable[[str], str | None]) -> str:
    value = get(name) or default
    if value is None:
        # an empty secret would let everybody sign
        raise Absent(f"environment variable {name} is {'not set' if get(name) is None else 'empty'}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Absent(f"environment variable {name} is not UTF-8 text") from error
    return value


def _contents(name: str, outside: Outside, file: str) -> str:
    try:
        text = outside.read(beside(file, name))
    except (OSError, ValueError) as error:
        raise Absent(f"file {name} cannot be read: {why(error)}") from error
    text = text.rstrip("\r\n")  # editors and `echo` end a file with a newline that nobody means
    if not text:
        raise Absent(f"file {name} is empty")
    return text
