"""Lists and tables that are bound as one value: a statement stays the same, whatever their length.

An IN (…) of as many parameters as there are values would be written, parsed and planned anew for each length.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnClause,
    ColumnElement,
    Dialect,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from router.storage.tables import storable

T = TypeVar("T")


# ---- a list


def among(column: ColumnElement[T], name: str) -> ColumnElement[bool]:
    """Is the column's value in the list that is bound under that name?"""
    return _Among(column, bindparam(name, type_=_List(column.type)))


class _List(TypeDecorator[Sequence[Any]]):
    """An array, or JSON where there are none."""

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


@compiles(_Among, "sqlite")
def _sqlite_among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 -- of statements of ours


@compiles(_Among, "postgresql")
def _postgresql_among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY({values})"


# ---- a table


def given(**columns: type[str] | type[int]) -> TableValuedAlias:
    """Return a table of rows that come with the execution (`rows_given`): one statement for any number of them."""
    typed: list[ColumnClause[Any]] = [
        column(name, Text if type_ is str else BigInteger) for name, type_ in columns.items()
    ]
    return _Rows(bindparam("given", type_=Text), *typed).table_valued(*typed, name="given")


def rows_given(rows: Iterable[Sequence[object]]) -> dict[str, str]:
    """Return the parameter of a statement that has a `given` table: its rows."""
    return {"given": msgspec.json.encode([[storable(value) for value in row] for row in rows]).decode()}


class _Rows(FunctionElement[Any]):
    """A table whose rows are one parameter, a list of lists in JSON; after it the columns."""

    inherit_cache = True


@compiles(_Rows, "sqlite")
def _sqlite_rows(element: _Rows, compiler: SQLCompiler, **_: Any) -> str:
    rows, *columns = element.clauses
    listed = ", ".join(f"json_extract(value, '$[{place}]') AS {one.name}" for place, one in enumerate(columns))
    return f"(SELECT {listed} FROM json_each({compiler.process(rows)}))"  # noqa: S608


@compiles(_Rows, "postgresql")
def _postgresql_rows(element: _Rows, compiler: SQLCompiler, **_: Any) -> str:
    rows, *columns = element.clauses
    listed = ", ".join(f"CAST(value ->> {place} AS {one.type}) AS {one.name}" for place, one in enumerate(columns))
    return f"(SELECT {listed} FROM json_array_elements(CAST({compiler.process(rows)} AS json)))"  # noqa: S608
