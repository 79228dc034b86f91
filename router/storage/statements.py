"""The few statements that every piece of the store needs, one form for both databases.

Rows go into the database many at a time and beside SQLAlchemy, which takes longer over the values of one row than the
database over storing it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection, Table

from router.storage.tables import storable

T = TypeVar("T")
Row: TypeAlias = Mapping[str, object]

_MOST_VALUES: Final = 500
"""Databases limit how many values a statement may name."""

_MOST_ROWS: Final = 64
"""Of one statement of SQLite's."""


def add_new(connection: Connection, table: Table, rows: Sequence[Row], *told: str) -> list[Sequence[Any]]:
    """Insert `rows`, all of the same columns, passing over those that any unique constraint knows already.

    Return those columns that are to be `told` of the new ones.
    """
    returning = f" RETURNING {', '.join(told)}" if told else ""
    return _insert(connection, table, rows, f"ON CONFLICT DO NOTHING{returning}")


def put(connection: Connection, table: Table, rows: Sequence[Row], *, kept: str | None = None) -> None:
    """Insert `rows`, each with all its columns, replacing those of the same primary key.

    `kept`: a column that stays as it is where the new row has none. What is equal is not written: it may be big.
    """
    if rows:
        _insert(connection, table, rows, _replacing(table, tuple(rows[0]), kept))


def batched(values: Iterable[T], most: int = _MOST_VALUES) -> Iterator[list[T]]:
    """Cut `values` into portions of `most`, by default so many as one IN (…) can name."""
    rest = iter(values)
    while portion := list(islice(rest, most)):
        yield portion


def _insert(connection: Connection, table: Table, rows: Sequence[Row], ending: str) -> list[Sequence[Any]]:
    """Insert `rows`; return what the statement with that ending returns."""
    found: list[Sequence[Any]] = []
    inserts = _by_json if connection.dialect.name == "postgresql" else _by_values
    for statement, parameters in inserts(table, rows, ending):
        told = connection.exec_driver_sql(statement, parameters)
        found += told.all() if told.returns_rows else ()
    return found


def _by_json(table: Table, rows: Sequence[Row], ending: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield statements for PostgreSQL. Rows are one parameter: nothing to adapt, and prepared once for any number."""
    for some in batched(rows):
        yield _from_json(table, tuple(some[0]), ending), (_json(some),)


def _by_values(table: Table, rows: Sequence[Row], ending: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield statements for SQLite, for powers of two of rows: so few different ones stay prepared."""
    start = 0
    while start < len(rows):
        count = min(_MOST_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        columns = tuple(rows[start])
        values = tuple([storable(row[name]) for row in rows[start : start + count] for name in columns])
        yield _from_values(table, columns, ending, count), values
        start += count


@cache
def _from_values(table: Table, columns: tuple[str, ...], ending: str, count: int) -> str:
    row = f"({', '.join('?' for _ in columns)})"
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {', '.join([row] * count)} {ending}"  # noqa: S608


@cache
def _from_json(table: Table, columns: tuple[str, ...], ending: str) -> str:
    typed = ", ".join(f"{name} {table.c[name].type}" for name in columns)
    listed = ", ".join(columns)
    return f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM json_to_recordset(%s) AS given ({typed}) {ending}"  # noqa: S608


@cache
def _replacing(table: Table, columns: tuple[str, ...], kept: str | None) -> str:
    keys = [column.name for column in table.primary_key]
    new = {name: f"excluded.{name}" for name in columns if name not in keys}
    if kept is not None:
        here = f"{table.name}.{kept}"
        new[kept] = f"coalesce(nullif(excluded.{kept}, {here}), {here})"
    replaced = ", ".join(f"{name} = {value}" for name, value in new.items())
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {replaced}"


def _json(rows: Sequence[Row]) -> str:
    text = msgspec.json.encode(rows).decode()
    if r"\u0000" not in text:
        return text
    return msgspec.json.encode([{name: storable(value) for name, value in row.items()} for row in rows]).decode()
