"""A store moves to another database with everything in it, and goes on there."""

from pathlib import Path

import pytest
from sqlalchemy import select

from router.domain.routing import SettledEvent
from router.storage.copy import copy_store
from router.storage.database import open_database
from router.storage.errors import StoreError
from router.storage.store import Store
from router.storage.tables import metadata
from tests.storage.make import KEY, NOW, delivery, full_ledger, new_event, routing, single_event


def fill(url: str) -> None:
    with Store.open(url) as store:
        store.receive(new_event("a", b'{"text": "\\u0000 \xc3\xa4"}')).result()
        store.receive(single_event("alert")).result()
        (event,) = store.batch(KEY)
        done = routing(
            delivery("k-1"),
            delivery("k-2", destination="other", message=None),
            ledger=full_ledger(),
            events=(SettledEvent(event.seq, "routed"),),
        )
        assert store.commit([done], NOW).result().routings != [None]
        store.save_ruleset("r-1", "rules").result()
        store.trouble_due("kind", "subject", NOW - NOW).result()


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    database = open_database(url)
    with database.read() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }
    database.close()
    return rows


def test_a_store_is_copied_to_postgresql_and_back(sqlite: str, postgresql: str, tmp_path: Path) -> None:
    fill(sqlite)
    before = everything(sqlite)
    seen: list[tuple[int, int]] = []
    counts = copy_store(sqlite, postgresql, lambda done, total: seen.append((done, total)))
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert seen[-1] == (sum(counts.values()), sum(counts.values()))
    assert everything(postgresql) == before
    back = f"sqlite:///{tmp_path}/back.db"
    copy_store(postgresql, back, lambda *_: None)
    assert everything(back) == before


def test_new_rows_are_numbered_after_the_copied_ones(sqlite: str, postgresql: str, tmp_path: Path) -> None:
    fill(sqlite)
    copy_store(sqlite, postgresql, lambda *_: None)
    copy_store(postgresql, f"sqlite:///{tmp_path}/back.db", lambda *_: None)
    for url in (postgresql, f"sqlite:///{tmp_path}/back.db"):
        with Store.open(url) as store:
            store.receive(new_event("later")).result()
            later = store.event("later")
            assert later is not None
            assert later.event.seq == 3


def test_a_target_that_holds_something_is_left_alone(sqlite: str, postgresql: str) -> None:
    fill(sqlite)
    with Store.open(postgresql) as store:
        store.save_ruleset("r-0", "rules").result()
    before = everything(postgresql)
    with pytest.raises(StoreError, match=r"holds a store already .rulesets."):
        copy_store(sqlite, postgresql, lambda *_: None)
    assert everything(postgresql) == before


def test_a_served_file_and_a_missing_one_are_refused(sqlite: str, postgresql: str, tmp_path: Path) -> None:
    with Store.open(sqlite, serve=True), pytest.raises(StoreError, match="in use"):
        copy_store(sqlite, postgresql, lambda *_: None)
    with pytest.raises(StoreError, match="no such store"):
        copy_store(f"sqlite:///{tmp_path}/missing.db", postgresql, lambda *_: None)
    assert not (tmp_path / "missing.db").exists()


def test_the_password_of_a_url_is_not_said(sqlite: str) -> None:
    with pytest.raises(StoreError) as caught:
        copy_store(sqlite, "postgresql://user:hunter2@127.0.0.1:1/db", lambda *_: None)
    assert "hunter2" not in str(caught.value)
