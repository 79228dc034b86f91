"""Events that reach PostgreSQL from the event loop: stored once, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import psycopg
import pytest

from router.storage.direct import LARGEST, Direct
from router.storage.events import Receipt
from router.storage.store import Store
from tests.service.conftest import eventually
from tests.storage.conftest import administer
from tests.storage.make import KEY, new_event


async def opened(direct: Direct | None) -> Direct:
    assert direct is not None
    direct.open_soon()
    return await eventually(partial(found_open, direct), "the way is open")


async def found_open(direct: Direct) -> Direct | None:
    return direct if direct.is_open else None


@pytest.fixture
async def served(postgresql: str) -> AsyncIterator[Store]:
    """A store to which the way is open."""
    with Store.open(postgresql, serve=True) as store:
        await opened(store._direct)
        yield store


async def test_what_is_not_new_or_large_is_left_to_the_writer(served: Store) -> None:
    direct = await opened(served._direct)
    one, other, large = new_event("one"), new_event("one", b"other"), new_event("large", b"x" * (LARGEST + 1))
    assert await direct.receive([one, new_event("two"), other, one]) == [
        Receipt("one", "accepted"),
        Receipt("two", "accepted"),
        None,
        None,
    ]
    assert await direct.receive([one]) == [None]
    assert await direct.receive([large]) == [None]
    assert [stored.id for stored in served.batch(KEY)] == ["one", "two"]


async def test_events_are_told_apart_on_whichever_way(store: Store) -> None:
    """The first group of a store goes to the writer, the second does not."""
    for group in ("a", "b"):
        event, other, new = new_event(group), new_event(group, b"other"), new_event(f"new {group}")
        first = await store.keep_all([event, other, event])
        assert first[0] == Receipt(group, "accepted")
        assert isinstance(first[1], Receipt)
        assert first[1].status == "accepted"
        assert first[1].id.startswith(f"{group}#")
        assert first[2] == Receipt(group, "duplicate")
        assert await store.keep_all([new, other, event]) == [
            Receipt(new.id, "accepted"),
            Receipt(first[1].id, "duplicate"),
            Receipt(group, "duplicate"),
        ]
        if store.is_shared:
            await opened(store._direct)
    assert len(store.batch(KEY)) == 6


async def test_an_event_whose_connection_is_lost_is_stored_on_another(served: Store, postgresql: str) -> None:
    for number in range(3):
        administer(
            postgresql,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert await served.keep_all([new_event(f"e-{number}")]) == [Receipt(f"e-{number}", "accepted")]
        await opened(served._direct)
    assert len(served.batch(KEY)) == 3


async def test_who_does_not_wait_any_more_does_not_end_it(served: Store, postgresql: str) -> None:
    with psycopg.connect(postgresql) as blocking:
        blocking.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await served.keep_all([new_event("late")])
        direct = served._direct
        assert direct is not None
        assert await found_open(direct) is None, "its connection is busy: the writer gets what comes meanwhile"
    await eventually(partial(found_open, direct), "the statement came to its end")
    assert [stored.id for stored in served.batch(KEY)] == ["late"]


async def test_an_event_that_cannot_be_stored_as_it_is_says_why(served: Store) -> None:
    good, bad = new_event("good"), new_event("x" * 1_000_000 + "".join(map(chr, range(0x4E00, 0x9E00))))
    stored, failed = await served.keep_all([good, bad])
    assert stored == Receipt("good", "accepted")
    assert isinstance(failed, Exception)


async def test_what_is_answered_is_on_the_disk_even_if_the_server_is_set_otherwise(postgresql: str) -> None:
    name = postgresql.rpartition("/")[2].partition("?")[0]
    administer(postgresql, f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        with Store.open(postgresql, serve=True) as store:
            connection: Any = (await opened(store._direct))._connection
            assert await (await connection.execute("SHOW synchronous_commit")).fetchone() == ("on",)
    finally:
        administer(postgresql, f"ALTER DATABASE {name} RESET synchronous_commit")
