"""What is spooled comes out as it went in."""

from pathlib import Path

import msgspec
import pytest

from router.storage.errors import StoreError
from router.storage.spool import Spool
from router.storage.store import Store
from tests.storage.make import NOW, new_event, single_event


def test_events_come_out_as_they_went_in_the_first_first(tmp_path: Path) -> None:
    quarantined = msgspec.structs.replace(single_event("q"), status="quarantined", reason="why")
    arrived = [new_event("b"), single_event("a"), quarantined]
    with Spool(tmp_path / "spool.db") as spool:
        assert [one.status for one in spool.keep(arrived).result()] == ["accepted", "accepted", "quarantined"]  # type: ignore[union-attr]
    with Spool(tmp_path / "spool.db") as spool:
        oldest = spool.oldest(10)
        expected = [msgspec.structs.replace(event, received_at=NOW) for event in arrived]
        assert [one.event for one in oldest] == expected
        assert [one.event.id for one in spool.oldest(2)] == ["b", "a"]
        spool.forget(oldest[:2]).result()
        assert spool.count() == 1


def test_the_same_id_with_another_body_is_for_the_store_to_judge(tmp_path: Path, store: Store) -> None:
    store.receive(new_event("a", b"{2}")).result()
    with Spool(tmp_path / "spool.db") as spool:
        spool.keep([new_event("a", b"{1}"), new_event("a", b"{2}")]).result()
        events = [one.event for one in spool.oldest(10)]
    assert [event.id for event in events] == ["a", "a"]
    results = store.receive_all(events).result()
    assert [one.status for one in results] == ["accepted", "duplicate"]  # type: ignore[union-attr]


def test_a_spool_has_one_server(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db"), pytest.raises(StoreError, match="in use by another server"):
        Spool(tmp_path / "spool.db")
