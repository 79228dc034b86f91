"""Two releases on one store: the next one only adds to the schema; after that comes one with which this cannot work."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psycopg
import pytest

from router.storage.database import SCHEMA
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_replicas import RULES, post_all, start_all
from tests.later import NEXT, NEXT_MAJOR, later


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return later(tmp_path_factory.mktemp("next"), NEXT)


@pytest.fixture
def rules(receiver: Receiver) -> str:
    return RULES.replace("SINK", receiver.url).replace("SETTLE", "0s").replace('"1s"', '"30s"')


class Load:
    """Posts events, one after the other, until somebody takes each."""

    def __init__(self, routers: list[RunningRouter]) -> None:
        self.posted: list[str] = []
        self._routers = routers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._post)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def goes_on(self) -> None:
        """Wait until more has come through."""
        before = len(self.posted)
        eventually(lambda: len(self.posted) > before + 10, "events are taken")

    def _post(self) -> None:
        for number in count():
            if self._over.wait(0.02):
                return
            post_all(self._routers, [f"e-{number}"])
            self.posted.append(f"e-{number}")


def notes(url: str) -> tuple[list[str], set[str | None]]:
    """Return what the migration noted, and what is noted on the deliveries."""
    with psycopg.connect(url) as connection:
        return (
            [text for (text,) in connection.execute("SELECT text FROM notes")],
            {note for (note,) in connection.execute("SELECT DISTINCT note FROM deliveries")},
        )


def all_told_once(url: str, receiver: Receiver, posted: list[str]) -> bool:
    with Store.open(url) as store:
        eventually(lambda: not store.backlog().waiting and not store.backlog().queues, "all is delivered")
        assert sorted(event.id for event in store.events(EventFilter(), limit=1000).items) == sorted(posted)
    return Counter(one.json["id"] for one in receiver.arrived) == Counter(posted)


def test_replicas_are_upgraded_and_rolled_back_one_by_one(
    tmp_path: Path, database: str, receiver: Receiver, rules: str, next_release: dict[str, str]
) -> None:
    with ExitStack() as stack:
        routers = start_all(stack, tmp_path, rules, database, 2)
        present = routers[0].env
        with Load(routers) as load:
            load.goes_on()
            with ThreadPoolExecutor(3) as pool:
                ran = list(pool.map(lambda _: upgraded(database, tmp_path, next_release), range(3)))
            assert ran == [f"the store is at schema {NEXT}\n"] * 3
            assert notes(database) == (["migrated"], {None})
            load.goes_on()
            for router in routers:
                assert router.stop() == 0
                router.env = present | next_release
                router.start()
                load.goes_on()
            assert notes(database)[1] == {None, NEXT}
            assert routers[0].stop() == 0
            routers[0].env = present
            routers[0].start()
            load.goes_on()
        assert all_told_once(database, receiver, load.posted)
        for router in routers:
            assert router.stop() == 0
            assert not router.logged("Traceback")


def upgraded(url: str, folder: Path, env: dict[str, str]) -> str:
    ran = command("db", "upgrade", "--store", url, folder=folder, env=env)
    return ran.stdout + ran.stderr


def test_an_upgrade_that_is_in_the_way_of_replicas_tries_again(
    tmp_path: Path, database: str, next_release: dict[str, str]
) -> None:
    Store.open(database, migrate=True).close()
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as replica:
        replica.execute("SET deadlock_timeout = '60s'")  # the other one loses
        replica.execute("SELECT count(*) FROM events")
        upgrade = pool.submit(upgraded, database, tmp_path, next_release)
        with psycopg.connect(database, autocommit=True) as watcher:
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass"
            eventually(lambda: watcher.execute(waits).fetchone() is not None, "the upgrade has one table of two")
        replica.execute("SELECT count(*) FROM deliveries")
        replica.commit()
        assert upgrade.result() == f"the store is at schema {NEXT}\n"
    assert notes(database)[0] == ["migrated"]


def test_a_newer_program_does_not_start_on_an_older_postgresql(
    tmp_path: Path, database: str, rules: str, next_release: dict[str, str]
) -> None:
    Store.open(database, migrate=True).close()
    (tmp_path / "rules.toml").write_text(rules)
    for arguments in (("serve", "--port", "0"), ("events", "list")):
        refused = command(
            *arguments, "--store", database, folder=tmp_path, env={"LANGFUSE_WEBHOOK_SECRET": "x", **next_release}
        )
        assert refused.returncode == 1
        assert (
            f"schema {SCHEMA} is older than this program's {NEXT}; run `langfuse-router db upgrade`" in refused.stderr
        )
        assert len(refused.stderr.splitlines()) == 1


def test_a_program_refuses_a_schema_that_it_cannot_work_with(
    tmp_path: Path, database: str, rules: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    after_next = later(tmp_path_factory.mktemp("after next"), NEXT_MAJOR)
    (tmp_path / "rules.toml").write_text(rules)
    Store.open(database, migrate=True).close()
    for url, options in ((database, ["--migrate"]), (f"sqlite:///{tmp_path}/router.db", [])):
        assert upgraded(url, tmp_path, after_next) == f"the store is at schema {NEXT_MAJOR}\n"
        serve = ["serve", "--port", "0", "--store", url, *options]
        refused = command(*serve, folder=tmp_path, env={"LANGFUSE_WEBHOOK_SECRET": "x"})
        assert refused.returncode == 1
        assert f"schema {NEXT_MAJOR} is newer than this program can work with ({SCHEMA})" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
