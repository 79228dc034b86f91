"""Opening: durable settings, one server per file, the schema's version, and errors of one line."""

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url, text

from router.cli.main import cli
from router.langfuse.samples import sample
from router.storage.database import SCHEMA, VERSION_TABLE, open_database
from router.storage.errors import StoreError, StoreNotMigrated
from router.storage.store import Store
from router.storage.tables import metadata
from tests.storage.make import KEY, new_event

LEAST_RULES = """
[sources.prod]
secret = "s"
[destinations.log]
type = "log"
[[rules]]
name = "all"
actions = [{ to = "log" }]
"""


def set_schema(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :version"), {"version": version})
    engine.dispose()


def differences(url: str) -> list[object]:
    """Return how the tables that are there differ from those of this program."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found: list[object] = compare_metadata(context, metadata)
    engine.dispose()
    return found


def test_the_migrations_make_the_tables(url: str) -> None:
    assert differences(url) == []


def test_the_migrations_make_the_same_constraints(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/migrated.db", migrate=True).close()
    engine = create_engine(f"sqlite:///{tmp_path}/made.db")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "made.db")


def schema_of(path: Path) -> dict[str, list[str]]:
    """Return the lines of each table and index, apart from their order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN (?, 'sqlite_stat1')",
            (VERSION_TABLE,),
        ).fetchall()
    return {name: sorted(line.strip(" \t,") for line in sql.splitlines()) for name, sql in rows}


def test_the_programs_schema_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "router:storage/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


def test_a_store_tells_its_schema_and_answers(store: Store) -> None:
    store.ping()
    assert store.schema_version() == SCHEMA


def test_migrating_twice_changes_nothing(url: str) -> None:
    for _ in range(2):
        with Store.open(url, migrate=True) as store:
            assert store.schema_version() == SCHEMA


def test_a_newer_schema_is_refused(url: str) -> None:
    set_schema(url, "2.0")
    for serve in (False, True):
        with pytest.raises(StoreError, match=r"schema 2\.0 is newer than this program"):
            Store.open(url, serve=serve)


GIVEN = {
    "deliveries cancel": "key",
    "deliveries dismiss": "key",
    "deliveries retry": "key",
    "deliveries show": "key",
    "dry-run": "body.json",
    "events export": "id",
    "events replay": "id",
    "events show": "id",
    "explain": "checkout/cart",
    "prompts replay": "--rule all",
    "prompts show": "checkout/cart",
    "what-if": "rules.toml",
}
"""What commands cannot do without."""

OTHERS = ("serve", "reload", "reconcile")
"""Commands that listen first, or ask the service instead of the store."""


def commands_with_a_store(group: click.Group, *names: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_with_a_store(command, *names, name)
        elif command is not None and any(option.name == "store_url" for option in command.params):
            yield " ".join([*names, name])


@pytest.mark.parametrize("command", sorted(set(commands_with_a_store(cli)) - set(OTHERS)))
def test_every_command_refuses_a_schema_that_it_cannot_work_with(
    command: str, sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.toml").write_text(LEAST_RULES)
    Path("body.json").write_bytes(msgspec.json.encode(sample("promoted")))
    set_schema(sqlite, "2.0")
    before = Path("router.db").read_bytes()
    ran = CliRunner().invoke(cli, [*command.split(), *GIVEN.get(command, "").split(), "--store", sqlite])
    assert ran.exit_code == 1
    said = str(ran.exception) if isinstance(ran.exception, StoreError) else ran.output
    (line,) = [line for line in said.splitlines() if "schema" in line]
    assert "schema 2.0 is newer than this program can work with" in line
    assert Path("router.db").read_bytes() == before


def test_a_newer_schema_that_only_adds_can_be_worked_with(url: str) -> None:
    set_schema(url, "1.9")
    Store.open(url, serve=True, migrate=True).close()


def test_somebody_elses_schema_is_refused(url: str) -> None:
    set_schema(url, "4f1c2d")
    with pytest.raises(StoreError, match="none of this program's"):
        Store.open(url, migrate=True)


def test_commands_do_not_migrate(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(StoreNotMigrated, match="db upgrade"):
        Store.open(f"sqlite:///{tmp_path}/empty.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://host/db", "unknown kind of store"),
        ("sqlite://", "in memory"),
        ("sqlite:///{tmp}/missing.db", "no such store"),
        ("sqlite:///{tmp}/nowhere/router.db", "no directory"),
        ("sqlite:///{tmp}/text.db", "file is not a database"),
        ("postgresql://user:hunter2@127.0.0.1:1/db", "refused"),
    ],
)
def test_what_is_in_the_way_is_said_in_one_line_without_secrets(tmp_path: Path, url: str, said: str) -> None:
    (tmp_path / "text.db").write_text("this is no database at all\n" * 100)
    with pytest.raises(StoreError, match=said) as caught:
        Store.open(url.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_only_its_user_may_read_a_new_sqlite_store(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        store.receive(new_event()).result()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("router.db*")}
    del modes["router.db.lock"]
    assert modes == dict.fromkeys(("router.db", "router.db-wal", "router.db-shm"), 0o600)


def test_a_second_server_on_the_same_file_is_refused_and_commands_are_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/router.db"
    with Store.open(url, serve=True):
        with pytest.raises(StoreError, match=f"in use by another server .process {os.getpid()}"):
            Store.open(url, serve=True)
        Store.open(url).close()
    Store.open(url, serve=True).close()


def test_sqlite_writes_reach_the_disk_before_they_count(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/router.db", serve=True)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_a_postgresql_that_answers_before_the_disk_is_told_not_to(postgresql: str) -> None:
    careless = make_url(postgresql).update_query_dict({"options": "-csynchronous_commit=off"})
    database = open_database(careless.render_as_string(hide_password=False))
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    database.close()


@pytest.mark.parametrize(("own", "kept"), [("", "30s"), ("-cidle_in_transaction_session_timeout=5s", "5s")])
def test_what_a_lost_router_locked_on_postgresql_is_free_after_a_while(postgresql: str, own: str, kept: str) -> None:
    database = open_database(make_url(postgresql).update_query_dict({"options": own}).render_as_string(False))
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == kept
    database.close()


RECEIVE_FOR_EVER = """
import sys
from itertools import count
from router.storage.store import Store
from tests.storage.make import new_event
store = Store.open(sys.argv[1], serve=True)
for number in count():
    futures = [store.receive(new_event(f"e-{number}-{part}")) for part in range(5)]
    for future in futures:
        print(future.result().id, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", RECEIVE_FOR_EVER, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines()[:-1]  # the last line may be cut
    with Store.open(url, serve=True) as store:
        assert set(acknowledged) <= {event.id for event in store.batch(KEY)}
