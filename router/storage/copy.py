"""Moving a store to another database: every table, row by row as it is, in one transaction on the other side."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select

from router.storage.database import SCHEMA, open_database, schema_version, shown_url, unavailable
from router.storage.errors import StoreError
from router.storage.tables import metadata

ROWS_AT_ONCE: Final = 1_000


def copy_store(source: str, target: str, copied: Callable[[int, int], None]) -> dict[str, int]:
    """Copy all there is from one store's URL to another's, whose schema is made as needed. Return the rows by table.

    Neither may be served meanwhile: a SQLite file is locked, of PostgreSQL one moment is read. `copied` is called with
    how many rows of how many are there. Raises StoreError if the target holds something, or the counts differ in the
    end; nothing is left there then.
    """
    open_database(source).close()  # a file that is missing, or older, is not made by looking
    origin = open_database(source, serve=source.startswith("sqlite:"))
    try:
        with origin.read() as reading:
            _require_ours(reading, shown_url(source))
        goal = open_database(target, serve=target.startswith("sqlite:"), migrate=True)
    except BaseException:
        origin.close()
        raise
    try:
        with origin.read() as reading, unavailable(), goal.writes.begin() as writing:
            _require_empty(writing, shown_url(target))
            expected = {table.name: _count(reading, table) for table in metadata.sorted_tables}
            done = 0
            for table in metadata.sorted_tables:
                for rows in _portions(reading, table):
                    writing.execute(insert(table), rows)
                    done += len(rows)
                    copied(done, sum(expected.values()))
                _go_on_counting(writing, table)
            found = {table.name: _count(writing, table) for table in metadata.sorted_tables}
            if found != expected:
                differ = _differences(expected, found)
                raise StoreError(f"{shown_url(target)}: the counts differ after copying, nothing was kept: {differ}")
    finally:
        origin.close()
        goal.close()
    return expected


def _require_empty(connection: Connection, name: str) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise StoreError(f"{name}: holds a store already ({table.name}); copy into an empty one")


def _require_ours(connection: Connection, name: str) -> None:
    """A newer schema that only adds would be copied without what it adds."""
    found = schema_version(connection)
    if found != SCHEMA:
        raise StoreError(f"{name}: schema {found} is not this program's {SCHEMA}; copy with the program that made it")


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _portions(connection: Connection, table: Table) -> Iterator[Sequence[dict[str, object]]]:
    query = select(table).order_by(*table.primary_key)
    result = connection.execution_options(stream_results=True).execute(query).mappings()
    while rows := result.fetchmany(ROWS_AT_ONCE):
        yield [dict(row) for row in rows]


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let the target number new rows after the copied ones; SQLite does by itself."""
    number = table.autoincrement_column
    if number is None or connection.dialect.name != "postgresql":
        return
    sequence = func.pg_get_serial_sequence(table.name, number.name)
    highest = select(func.max(number)).scalar_subquery()
    # without a row the next number is the first
    connection.execute(select(func.setval(sequence, func.coalesce(highest, 1), highest.is_not(None))))


def _differences(expected: dict[str, int], found: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {found[name]} instead of {count}" for name, count in expected.items() if found[name] != count
    )
