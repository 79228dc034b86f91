"""The few statements that every piece of the store needs, one form for both databases."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Boolean, ColumnElement, Connection, Dialect, Table, Text, TypeDecorator, bindparam

# SQLite understands PostgreSQL's ON CONFLICT word for word, so this one construct serves both.
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

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


def batched(values: Iterable[T], most: int = _MOST_VALUES) -> Iterator[list[T]]:
    """Cut `values` into portions of `most`, by default so many as one IN (…) can name."""
    rest = iter(values)
    while portion := list(islice(rest, most)):
        yield portion


class _List(TypeDecorator[Sequence[Any]]):
    """A list as one value: an array, or JSON where there are none."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else msgspec.json.encode(value).decode()


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> "_Among":  # noqa: ARG002
        return self  # SQLAlchemy would ask whether it is 1, and SQLite's planner would not see through that


def among(column: ColumnElement[T], name: str) -> ColumnElement[bool]:
    """Is the column's value in the list that is bound under that name, however long? The statement stays the same,
    where one IN (…) would be written anew for each length.
    """
    return _Among(column, bindparam(name, type_=_List(column.type)))


@compiles(_Among, "sqlite")
def _sqlite_among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 -- of statements of ours


@compiles(_Among, "postgresql")
def _postgresql_among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY({values})"
