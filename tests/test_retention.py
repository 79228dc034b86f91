"""The service forgets beside its work."""

from datetime import timedelta
from pathlib import Path

import pytest

from router.service.retention import Retention
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.build import KEY, NOON, prompt_event
from tests.past import route


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/router.db", serve=True)


async def test_all_that_is_old_goes_in_as_many_steps_as_it_takes(store: Store) -> None:
    with store:
        for number in range(1, 251):
            route(store, [prompt_event("updated", 1, ["latest"], updated=number)])
        route(store, [prompt_event("updated", 1, ["latest"], updated=1000)])
        assert await Retention(store, timedelta(days=90)).forget(NOON + timedelta(seconds=500)) == 250
        (left,) = store.events(EventFilter()).items
        assert left.received_at == NOON + timedelta(seconds=1000)
        assert store.ledger(KEY).versions.keys() == {"id-1"}


def test_what_may_still_be_told_again_is_kept_whatever_the_rules_file_says(store: Store) -> None:
    with store:
        assert Retention(store, timedelta(hours=1)).before(NOON) == NOON - timedelta(days=7)
        assert Retention(store, timedelta(days=90)).before(NOON) == NOON - timedelta(days=90)
