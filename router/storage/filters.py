"""How filters and cursors become conditions."""

from datetime import datetime

from sqlalchemy import Column, ColumnElement

from router.domain.problem import RouterError
from router.storage.clock import to_ms


class NoCursor(RouterError):
    """What was given as a cursor is none of this list's."""


def equal(*pairs: tuple[Column[str], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in pairs if value is not None]


def named(column: ColumnElement[str], wanted: str | None) -> list[ColumnElement[bool]]:
    """Match a name; with `*` in it, which stands for any characters, a pattern that ignores case."""
    if wanted is None:
        return []
    if "*" not in wanted:
        return [column == wanted]
    pattern = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return [column.ilike(pattern, escape="\\")]


def within(column: Column[int], since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    lower = [] if since is None else [column >= to_ms(since)]
    upper = [] if until is None else [column < to_ms(until)]
    return [*lower, *upper]


def before(column: Column[int], cursor: str | None) -> list[ColumnElement[bool]]:
    """Match what a list shows after `cursor`, the newest first. Raises NoCursor."""
    return [] if cursor is None else [column < number_of(cursor)]


def number_of(cursor: str) -> int:
    """Raises NoCursor."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise NoCursor(f"{cursor!r} is no cursor of this list")
    return int(cursor)
