"""What any release stored, this program opens, upgrades, shows, and goes on with."""

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url

from router.cli.main import cli
from router.storage.database import SCHEMA
from router.storage.records import DeliveryFilter
from router.storage.store import Store
from router.storage.tables import metadata
from tests.acceptance.receivers import Receiver
from tests.acceptance.running import RunningRouter, command, eventually
from tests.storage.conftest import administer
from tests.storage.release import ENV, RELEASED, is_out, load_postgresql, load_sqlite, rules_of, this_release
from tests.storage.test_copy import everything
from tests.storage.test_database import differences, schema_of

DUMPS = sorted(RELEASED.glob("*.sql"))


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store as a release left it."""
    dump: Path = request.param
    if dump.stem.endswith("sqlite"):
        yield load_sqlite(dump, tmp_path / "router.db")
        return
    server = request.getfixturevalue("server")
    administer(server, "DROP DATABASE IF EXISTS router_released WITH (FORCE)", "CREATE DATABASE router_released")
    url = make_url(server).set(database="router_released").render_as_string(hide_password=False)
    yield load_postgresql(dump, url)
    administer(server, "DROP DATABASE router_released WITH (FORCE)")


def shown(url: str, *command: str) -> Any:
    """Return what a command says of the store as JSON; that people can read it is tried, too."""
    said = CliRunner().invoke(cli, [*command, "--store", url], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert said.output
    return json.loads(CliRunner().invoke(cli, [*command, "--store", url, "--format", "json"]).output)


def test_it_is_upgraded_to_these_tables_and_everything_is_shown(released: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(rules_of("http://127.0.0.1:9"))
    with Store.open(released, migrate=True) as store:
        assert store.schema_version() == SCHEMA
    assert differences(released) == []
    events, deliveries, prompts = (
        shown(released, kind, "list", "--limit", "1000")["items"] for kind in ("events", "deliveries", "prompts")
    )
    assert events
    assert deliveries
    assert prompts
    for event in events:
        shown(released, "events", "show", event["id"])
    for delivery in deliveries:
        shown(released, "deliveries", "show", delivery["key"])
    for prompt in prompts:
        shown(released, "prompts", "show", prompt["name"])
        assert shown(released, "explain", prompt["name"], "--rules", str(rules))["events"]


@pytest.mark.parametrize("dump", [dump for dump in DUMPS if dump.stem.endswith("sqlite")], ids=lambda dump: dump.stem)
def test_the_service_goes_on_with_it(dump: Path, tmp_path: Path) -> None:
    url = load_sqlite(dump, tmp_path / "router.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "router.db")) as connection:
        connection.execute("UPDATE deliveries SET due_at = 0 WHERE status = 'retrying'")
        connection.commit()
    dead = statuses(url)["dead"]
    assert dead
    with (
        Receiver() as receiver,
        RunningRouter(tmp_path, rules_of(receiver.url), env=ENV) as router,
    ):
        retried = command("deliveries", "retry", "--status", "dead", "--yes", folder=tmp_path, env=router.env)
        assert retried.returncode == 0, retried.stderr
        eventually(lambda: statuses(url).keys() == {"delivered", "captured"}, "all is sent")
        eventually(lambda: all(event.status != "waiting" for event in router.events()), "what waited is routed")
        assert router.stop() == 0


def statuses(url: str) -> Counter[str]:
    with Store.open(url) as store:
        return Counter(delivery.status for delivery in store.deliveries(DeliveryFilter(), limit=1000).items)


def test_this_release_has_its_store(tmp_path: Path) -> None:
    """Rows of every table, under the very tables of this program."""
    release = this_release()
    todo = "`python -m tests.storage.release`"
    if is_out(release):
        todo = f"{release} is out, its schema is what it is: write a migration, and raise the version"
    dump = RELEASED / f"{release}.sqlite.sql"
    assert dump.exists(), todo
    load_sqlite(dump, tmp_path / "kept.db")
    made = create_engine(f"sqlite:///{tmp_path}/made.db")
    metadata.create_all(made)
    made.dispose()
    assert schema_of(tmp_path / "kept.db") == schema_of(tmp_path / "made.db"), todo
    kept = everything(f"sqlite:///{tmp_path}/kept.db")
    assert [table for table, rows in kept.items() if not rows] == [], todo
    assert dump.with_stem(f"{release}.postgresql").exists(), todo
