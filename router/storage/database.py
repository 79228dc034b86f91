"""Opening the database: engines, durability, the lock beside a SQLite file, the schema's version, migrations."""

import contextlib
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Dialect, Engine, NullPool, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from router.storage import bell
from router.storage.bell import Call
from router.storage.copier import Copier
from router.storage.direct import Direct
from router.storage.errors import StoreError, StoreNotMigrated, StoreUnavailable
from router.storage.planner import tell_planner

SCHEMA: Final = "1.0"
"""The schema of this program: `major.minor`, the newest migration's revision.

A migration that only adds raises the minor number: programs of the same major run on beside it. One that older
programs cannot work with raises the major number, and they refuse to start.
"""

VERSION_TABLE: Final = "router_schema"

_MIGRATION_LOCK: Final = 5_276_843_125  # any number, the same in every release
_UPGRADE_TRIES: Final = 5
_SQLITE_BUSY_SECONDS: Final = 10
_WRITER_CACHE: Final = 16_000
_PAGES_AHEAD: Final = 10_000
"""Of 4 KiB, that wait beside a SQLite file until they are copied into it: what was written often is copied once."""
_POOL: Final = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}
"""Connections to PostgreSQL that read, and write jobs; two more take events, one listens."""
_IDLE: Final = "30s"
_PREPARE: Final = f"""
    SELECT set_config(name, wanted, false)
    FROM (VALUES ('synchronous_commit', 'off', 'on'), ('idle_in_transaction_session_timeout', '0', '{_IDLE}'))
        AS given (name, unwanted, wanted)
    WHERE current_setting(name) = unwanted"""  # noqa: S608 -- constants
"""What the server or the role says stays, except for two things. A server set to `off` answers before the disk has it;
every other setting is at least as safe as we promise. And what a router had locked when its network lost its way would
stay locked for as long as TCP believes in the connection, which may be hours, and stop all others.
"""
_POSTGRES_CONNECT_SECONDS: Final = 5
_POSTGRES_ANSWER_MS: Final = 15_000


class Database:
    """An open database. `close` gives everything back.

    What goes through `inserts` need not be all or nothing, and can be done again: each statement is a transaction of
    its own. With PostgreSQL that is on a connection of which nobody asks before whether it is still there, and saves
    three of four ways there and back; with SQLite two of three moments in which another thread may take the
    interpreter. SQLite's writer has a connection to itself: what it remembers of the file holds until somebody else
    writes.
    """

    def __init__(self, engine: Engine, lock: int | None) -> None:
        self._engine = engine
        self._lock = lock
        self._checked = False
        self.reads: Engine
        self.writes: Engine
        self.inserts: Engine
        self._copier: Copier | None = None
        if _is_sqlite(engine.url):
            writer = _sqlite(engine.url, cache=_WRITER_CACHE)
            self.reads = engine
            if lock is not None:
                self._copier = Copier(writer, engine.execution_options(router_begin=None))
            self.writes = writer.execution_options(router_begin="BEGIN IMMEDIATE")
            self.inserts = writer.execution_options(router_begin=None)
        else:
            # one moment for all statements of a reader; SQLite's readers have that anyway
            self.reads = engine.execution_options(isolation_level="REPEATABLE READ")
            self.writes = engine
            self.inserts = _postgres(engine.url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0)

    @property
    def is_alone(self) -> bool:
        """Whether no other server can work on this database: the lock beside a SQLite file is ours."""
        return self._lock is not None

    @property
    def is_shared(self) -> bool:
        """Whether other servers can work on this database."""
        return not _is_sqlite(self._engine.url)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database. Raises StoreUnavailable."""
        with unavailable(), self.reads.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def now(self) -> Iterator[Connection]:
        """Give a connection whose every statement sees what PostgreSQL holds by then. Raises StoreUnavailable."""
        with unavailable(), self._engine.begin() as connection:
            yield connection

    def direct(self) -> Direct | None:
        """Return a way for events into PostgreSQL from the event loop; None: to SQLite there is none."""
        return Direct(_libpq(self._engine.url), _PREPARE) if self.is_shared else None

    async def listen(self, name: str, heard: Callable[[Call], None]) -> None:
        """Call `heard` for what other replicas call, until cancelled; at once nothing where there can be none."""
        if self.is_shared:
            await bell.listen(_libpq(self._engine.url), name, heard)

    def do_not_wait_for_ever(self) -> None:
        """Let connections end on which PostgreSQL does not answer: a person at a command can do that, a service not."""
        for engine in (self._engine, self.inserts):
            event.listen(engine, "do_connect", partial(_connect_hastily, _answer_ms(engine.url) / 1000))

    def check_when_connected(self) -> None:
        """Look at the schema as soon as the server answers; until it will do, nothing works."""

        @event.listens_for(self._engine, "connect", once=False)
        @event.listens_for(self.inserts, "connect", once=False)
        def check(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            if self._checked:
                return
            cursor = connection.cursor()
            try:
                cursor.execute("SELECT to_regclass(%s)", (VERSION_TABLE,))
                there = cursor.fetchone() != (None,)
                found = there and cursor.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
                _check_schema(str(found[0]) if found else None, shown(self._engine.url))
                connection.commit()
            except StoreError as error:
                connection.close()
                raise StoreUnavailable(str(error)) from error
            self._checked = True

    def check_writable(self) -> None:
        """Write nothing, as a writer does. Raises StoreError with the reason if this database takes no writes."""
        try:
            with self.writes.begin() as connection:
                connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE 1 = 0"))  # noqa: S608
        except (DatabaseError, InterfaceError) as error:
            raise StoreError(f"cannot be written to: {_first_line(error)}") from error

    def close(self) -> None:
        if self._copier is not None:
            self._copier.close()
        for engine in (self._engine, self.writes, self.inserts):
            engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_database(url: str, *, serve: bool = False, migrate: bool = False, patient: bool = False) -> Database:
    """Open the database at `url` (`sqlite:///path` or `postgresql://…`).

    `serve` takes the lock of a SQLite file, and creates and migrates the file; `migrate` brings any schema up to
    date. With `patient` a PostgreSQL that does not answer is taken as it is: everything raises StoreUnavailable until
    it answers, and holds a schema that this program can work with. Raises StoreNotMigrated, or StoreError for
    everything else that is in the way.
    """
    where = _parse(url)
    sqlite = _is_sqlite(where)
    lock = None
    if sqlite:
        _check_path(where, create=serve or migrate)
        lock = _take_lock(where) if serve else None
    database = Database(_sqlite(where) if sqlite else _postgres(where, **_POOL), lock)
    if serve and not sqlite:
        database.do_not_wait_for_ever()
    try:
        if migrate or (serve and sqlite):
            # a migration may take its time
            _upgrade_beside_others(database.writes if sqlite else _postgres(where, poolclass=NullPool))
            if sqlite:
                with database.writes.begin() as connection:
                    tell_planner(connection)
        with database.reads.begin() as connection:
            _check_schema(schema_version(connection), shown(where))
    except (DatabaseError, InterfaceError) as error:
        if patient and not sqlite and isinstance(error, OperationalError | InterfaceError):
            database.check_when_connected()
            return database
        database.close()
        raise StoreError(f"{shown(where)}: {_first_line(error)}") from error
    except BaseException:
        database.close()
        raise
    return database


def schema_version(connection: Connection) -> str | None:
    """Return the schema's version, None where there is no schema yet."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 -- a constant
    return None if version is None else str(version)


@contextlib.contextmanager
def unavailable() -> Iterator[None]:
    """Translate what the database says when it cannot work at present."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise StoreUnavailable(f"the store does not answer: {_first_line(error)}") from error
    except DatabaseError as error:
        damaged = type(error.orig) is sqlite3.DatabaseError
        if error.connection_invalidated or damaged or is_of_tables(error):
            raise StoreUnavailable(f"the store does not answer: {_first_line(error)}") from error
        raise


def is_of_tables(error: DBAPIError) -> bool:
    """Are PostgreSQL's tables not there, not as we left them, or not ours to use? Somebody will mend that.

    SQLite calls it an OperationalError. https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return sqlstate(error) in ("42P01", "42703", "42501", "3F000")


def is_deadlock(error: DBAPIError) -> bool:
    """Is it about others who wanted the same rows in another order, as replicas do? Who loses is free to try again."""
    return sqlstate(error) in ("40P01", "40001")


def sqlstate(error: DBAPIError) -> str:
    """Return PostgreSQL's code of the error; of others, and where there is none, nothing."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def shown_url(url: str) -> str:
    """Return a store's URL without its password. Raises StoreError."""
    return _parse(url).render_as_string(hide_password=True)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite store; None: it is none. Raises StoreError."""
    parsed = _parse(url)
    return Path(str(parsed.database)) if _is_sqlite(parsed) else None


def shown(url: URL) -> str:
    """Return how messages name the store: the file, or the server without its password."""
    return str(url.database) if _is_sqlite(url) else url.render_as_string(hide_password=True)


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DatabaseError | InterfaceError) and error.orig is not None else error
    return next(iter(str(cause).splitlines()), type(cause).__name__)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(_hosts_as_parameters(url))
    except ArgumentError as error:
        raise StoreError("the store's URL cannot be read; write sqlite:///path or postgresql://user@host/db") from error
    if parsed.drivername not in ("sqlite", "postgresql"):
        raise StoreError(f"{parsed.drivername}://: unknown kind of store; sqlite:///path and postgresql:// are known")
    if _is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise StoreError("a store in memory would forget everything: give a file, sqlite:///path")
    return parsed


def _hosts_as_parameters(url: str) -> str:
    """Return libpq's `postgresql://user@one:5432,two:5432/db` as SQLAlchemy writes several hosts: as parameters."""
    several = re.fullmatch(r"(postgresql://(?:[^@/?]*@)?)([^/?]*,[^/?]*)((?:/[^?]*)?)(?:\?(.*))?", url)
    if several is None:
        return url
    hosts = "&".join(f"host={host}" for host in several[2].split(","))
    return f"{several[1]}{several[3] or '/'}?{hosts}" + (f"&{several[4]}" if several[4] else "")


def _check_path(url: URL, *, create: bool) -> None:
    path = Path(str(url.database))
    if not path.parent.is_dir():
        raise StoreError(f"{path}: there is no directory {path.parent}")
    if path.exists():
        return
    if not create:
        raise StoreError(f"{path}: no such store; `langfuse-router serve` makes it")
    try:
        path.touch(mode=0o600)  # people's prompts are in it; SQLite gives the files beside it the same mode
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}") from error


def _take_lock(url: URL) -> int:
    """Return the descriptor that keeps a second server from this file for as long as it is open."""
    path = Path(str(url.database)).resolve()
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{path}.lock: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreError(f"{path}: in use by another server{f' (process {holder})' if holder else ''}") from error
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _sqlite(url: URL, *, cache: int | None = None) -> Engine:
    """`cache`: KiB of the file that a connection remembers, where that is not SQLite's own 2,000."""
    pragmas = ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"wal_autocheckpoint = {_PAGES_AHEAD}"]
    if cache is not None:
        pragmas.append(f"cache_size = -{cache}")

    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # `_begin_sqlite` begins, not the driver
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    arguments = {"timeout": _SQLITE_BUSY_SECONDS}
    # errors quote the values of a statement otherwise, bodies too, and they are logged
    engine = sqlalchemy.create_engine(url, connect_args=arguments, pool_use_lifo=True, hide_parameters=True)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_hastily(
    seconds: float,
    _dialect: Dialect,
    _entry: ConnectionPoolEntry,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    from router.storage import hasty  # only who has PostgreSQL has psycopg

    return hasty.connect(seconds, *arguments, **options)


def _answer_ms(url: URL) -> float:
    """Return how long an answer may take: as long as the network may, if the URL says so."""
    given = url.query.get("tcp_user_timeout")
    return float(given) if isinstance(given, str) and given.isdecimal() and int(given) else _POSTGRES_ANSWER_MS


def _postgres(url: URL, **options: Any) -> Engine:
    try:
        engine = sqlalchemy.create_engine(url, connect_args=_postgres_arguments(url), hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise StoreError("postgresql:// needs psycopg: pip install 'langfuse-router[postgres]'") from error
    event.listen(engine, "connect", _prepare_postgres)
    event.listen(engine, "handle_error", _leave_a_standby)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A writer that began as a reader would be refused, not made to wait, when somebody else wrote meanwhile.
    begin = connection.get_execution_options().get("router_begin", "BEGIN")
    if begin is not None:
        connection.exec_driver_sql(begin)


def _postgres_arguments(url: URL) -> dict[str, int | str]:
    """Return what makes a lost server show within seconds, and another one be found; the URL's own words win."""
    arguments: dict[str, int | str] = {
        "connect_timeout": _POSTGRES_CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _POSTGRES_ANSWER_MS,
        "application_name": "langfuse-router",
    }
    if isinstance(url.query.get("host"), tuple):
        arguments["target_session_attrs"] = "read-write"  # of several, the primary
    return {name: value for name, value in arguments.items() if name not in url.query}


def _libpq(url: URL) -> dict[str, Any]:
    """Return what psycopg connects with, where that is not SQLAlchemy's doing."""
    return {**_postgres_arguments(url), **url.get_dialect()().create_connect_args(url)[1]}


def _leave_a_standby(context: ExceptionContext) -> None:
    """A server that only reads was the primary once: its connections are of no use any more."""
    if getattr(context.original_exception, "sqlstate", None) == "25006":
        context.is_disconnect = True


def _prepare_postgres(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(_PREPARE)
    cursor.close()
    connection.commit()


def _check_schema(found: str | None, store: str) -> None:
    if found is None:
        raise StoreNotMigrated(f"{store}: holds no store yet; run `langfuse-router db upgrade`")
    try:
        there, ours = _numbers(found), _numbers(SCHEMA)
    except ValueError:
        raise StoreError(f"{store}: schema {found} is none of this program's") from None
    if there[0] > ours[0]:
        raise StoreError(f"{store}: schema {found} is newer than this program can work with ({SCHEMA}); update it")
    if there < ours:
        raise StoreNotMigrated(
            f"{store}: schema {found} is older than this program's {SCHEMA}; run `langfuse-router db upgrade`"
        )


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _upgrade_beside_others(engine: Engine) -> None:
    """Migrate. Replicas at work want the tables in another order than a migration: who loses is free to try again."""
    for _ in range(_UPGRADE_TRIES - 1):
        try:
            return _upgrade(engine)
        except DatabaseError as error:
            if not is_deadlock(error):
                raise
    return _upgrade(engine)


def _upgrade(engine: Engine) -> None:
    """Migrate, all or nothing; of several at once one does it and the others find it done."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        found = schema_version(connection)
        if found is not None and not _is_older(found):
            return
        # late: most commands never migrate, and Alembic takes half a second to import
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "router:storage/migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_older(found: str) -> bool:
    try:
        return _numbers(found) < _numbers(SCHEMA)
    except ValueError:  # somebody else's table; `_check_schema` says so
        return False
