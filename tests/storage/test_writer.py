"""The writer: shared commits, failures that stay alone, and a thread that outlives them."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from router.storage.database import open_database
from router.storage.errors import StoreUnavailable
from router.storage.store import Store
from router.storage.writer import Writer
from tests.storage.conftest import administer
from tests.storage.make import KEY, hold, new_event


def test_what_is_queued_together_shares_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.storage.writer._MOMENT", 60)  # one savepoint may take longer than the real one
    gate = hold(store)
    seen: list[Connection] = []
    futures = [store._writer.submit(seen.append) for _ in range(5)]
    gate.set()
    for future in futures:
        future.result()
    assert len({id(connection) for connection in seen}) == 1


def test_a_failing_job_fails_alone(store: Store) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO troubles VALUES ('k', 's', 0, 0)"))
        raise ValueError("no")

    gate = hold(store)
    before, failed, after = store.receive(new_event("a")), store._writer.submit(fail), store.receive(new_event("b"))
    gate.set()
    with pytest.raises(ValueError, match="no"):
        failed.result()
    assert before.result().status == after.result().status == "accepted"
    with store._database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM troubles")) == 0


def test_an_event_that_cannot_be_stored_does_not_refuse_those_that_came_with_it(store: Store) -> None:
    gate = hold(store)
    futures = [store.receive(new_event(id_)) for id_ in ("a", "lone \ud800 surrogate", "b")]
    gate.set()
    assert futures[0].result().status == futures[2].result().status == "accepted"
    with pytest.raises(UnicodeError):
        futures[1].result()


def test_nor_does_one_that_is_too_long_for_an_index(postgresql: str) -> None:
    long = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))  # does not compress
    with Store.open(postgresql) as store:
        gate = hold(store)
        futures = [store.receive(new_event(id_)) for id_ in ("a", long, "b")]
        gate.set()
        assert futures[0].result().status == futures[2].result().status == "accepted"
        with pytest.raises(OperationalError, match="index row"):
            futures[1].result()


def test_what_was_handed_over_is_done_even_if_nobody_waits(store: Store) -> None:
    gate = hold(store)
    future = store.receive(new_event())
    assert not future.cancel()
    gate.set()
    assert future.result().status == "accepted"


def test_closing_finishes_what_is_queued_and_refuses_the_rest(url: str) -> None:
    store = Store.open(url)
    gate = hold(store)
    future = store.receive(new_event())
    gate.set()
    store.close()
    assert future.result().status == "accepted"
    with pytest.raises(StoreUnavailable, match="closed"):
        store.receive(new_event("late")).result()


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        store._writer.submit(lambda it: it.exec_driver_sql("PRAGMA max_page_count = 1").scalar()).result()
        with pytest.raises(StoreUnavailable, match="full"):
            store.receive(new_event("big", body=b"x" * 1_000_000)).result()
        store._writer.submit(lambda it: it.exec_driver_sql("PRAGMA max_page_count = 99999")).result()
        assert store.receive(new_event("big", body=b"x" * 1_000_000)).result().status == "accepted"


def test_a_locked_file_is_survived(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        store._writer.submit(lambda it: it.exec_driver_sql("PRAGMA busy_timeout = 20").scalar()).result()
        other = sqlite3.connect(tmp_path / "router.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.receive(new_event()).result()
        other.execute("ROLLBACK")
        other.close()
        assert store.receive(new_event()).result().status == "accepted"


def test_a_lost_connection_is_survived(postgresql: str) -> None:
    with Store.open(postgresql) as store:
        store.receive(new_event("before")).result()
        administer(
            postgresql,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert store.receive(new_event("after")).result().status == "accepted"
        assert len(store.batch(KEY)) == 2


def test_replicas_that_want_each_others_rows_both_get_them(postgresql: str) -> None:
    one, other = open_database(postgresql), open_database(postgresql)
    writers = Writer(one.writes, one.inserts), Writer(other.writes, other.inserts)
    writers[0].submit(
        lambda it: it.execute(text("INSERT INTO troubles VALUES ('a', '', 0, 0), ('b', '', 0, 0)"))
    ).result()
    meet = threading.Barrier(2)

    def count_both(first: str, second: str) -> Callable[[Connection], None]:
        """Make a job that holds one row when it wants the other; only the first try waits for its opponent."""
        tried: list[str] = []

        def job(connection: Connection) -> None:
            for kind in (first, second):
                connection.execute(text("UPDATE troubles SET count = count + 1 WHERE kind = :kind"), {"kind": kind})
                if not tried:
                    tried.append(kind)
                    meet.wait(10)

        return job

    futures = [writers[0].submit(count_both("a", "b")), writers[1].submit(count_both("b", "a"))]
    for future in futures:
        future.result()
    with one.read() as connection:
        assert connection.scalar(text("SELECT sum(count) FROM troubles")) == 4
    for writer, database in zip(writers, (one, other), strict=True):
        writer.close()
        database.close()
