"""The few statements that every piece of the store needs, one form for both databases."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection, Table

# SQLite understands PostgreSQL's ON CONFLICT word for word, so this one construct serves both.
from sqlalchemy.dialects.postgresql import Insert, insert

T = TypeVar("T")
Row: TypeAlias = Mapping[str, object]

_MOST_VALUES: Final = 500
"""Databases limit how many values a statement may name."""


@cache  # making a statement costs more than executing it
def insert_new(table: Table) -> Insert:
    """INSERT that passes over rows which any unique constraint knows already."""
    return insert(table).on_conflict_do_nothing()


def add_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, passing over those that are there already."""
    if rows:
        connection.execute(insert_new(table), rows)


def put(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, each with all its columns, replacing those of the same primary key."""
    if not rows:
        return
    connection.execute(_put(table, tuple(rows[0])), rows)


@cache
def _put(table: Table, columns: tuple[str, ...]) -> Insert:
    keys = [column.name for column in table.primary_key]
    statement = insert(table)
    replaced = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


def batched(values: Iterable[T]) -> Iterator[list[T]]:
    """Cut `values` into portions that one IN (…) can name."""
    rest = iter(values)
    while portion := list(islice(rest, _MOST_VALUES)):
        yield portion
