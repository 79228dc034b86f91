"""Replicas take turns, and hear each other."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from router.storage.bell import Call
from router.storage.store import Store
from tests.postgres import Proxy, running_server
from tests.storage.conftest import administer
from tests.storage.make import KEY, new_event, single_event

OTHER = msgspec.structs.replace(KEY, name="other")


def test_a_turn_gives_what_waits(store: Store) -> None:
    for event in (new_event("a"), new_event("b"), single_event("alert")):
        store.receive(event).result()
    with store.turn(store.waiting()) as turn:
        assert [[event.id for event in waits] for waits in turn.events(turn.batches)] == [["a", "b"], ["alert"]]
        assert [one.revision for one in turn.ledgers([KEY]).values()] == [0]
        assert turn.contents({KEY: ["v-1"]}) == {KEY: {}}


def test_while_a_turn_is_taken_what_was_written_goes_into_the_file(tmp_path: Path) -> None:
    file = tmp_path / "router.db"
    with Store.open(f"sqlite:///{file}", serve=True) as store:
        store.receive(new_event()).result()
        with store.turn(store.waiting()) as turn, closing(sqlite3.connect(file)) as other:
            turn.events(turn.batches)
            turn.ledgers([KEY])
            (readers_in_the_way, *_) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not readers_in_the_way


def test_what_one_replica_routes_is_left_alone_by_the_others(postgresql: str) -> None:
    with Store.open(postgresql) as one, Store.open(postgresql) as other:
        for event in (new_event("a"), new_event("b", key=OTHER), single_event("alert")):
            one.receive(event).result()
        waiting = one.waiting()
        with one.turn(waiting[:2]) as mine, other.turn(waiting) as its:
            assert mine.batches == waiting[:2]
            assert its.batches == waiting[2:]
        with other.turn(waiting) as its:
            assert its.batches == waiting


async def heard_by(store: Store, wanted: Callable[[list[Call]], bool]) -> list[Call]:
    """Listen until the calls are as `wanted`."""
    calls: list[Call] = []
    changed = asyncio.Event()

    def hear(what: Call) -> None:
        calls.append(what)
        changed.set()

    listening = asyncio.create_task(store.listen(hear))
    try:
        async with asyncio.timeout(30):
            while not wanted(calls):
                await changed.wait()
                changed.clear()
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
    return calls


EVERYTHING = list(get_args(Call))
"""What is heard first: whoever begins to listen may have missed it."""


async def test_what_one_replica_calls_the_others_hear_and_itself_does_not(postgresql: str) -> None:
    with Store.open(postgresql) as one, Store.open(postgresql) as other:

        def call_when_listening(calls: list[Call]) -> bool:
            if len(calls) == len(EVERYTHING):
                one.call("events")
                other.call("deliveries")
            return len(calls) > len(EVERYTHING)

        assert await heard_by(one, call_when_listening) == [*EVERYTHING, "deliveries"]


async def test_who_lost_the_connection_listens_again(postgresql: str) -> None:
    with Store.open(postgresql) as store:

        def disturb(calls: list[Call]) -> bool:
            if len(calls) == len(EVERYTHING):
                administer(
                    postgresql,
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
                )
            return len(calls) == 2 * len(EVERYTHING)

        assert await heard_by(store, disturb) == EVERYTHING * 2


@pytest.mark.long
async def test_who_hears_nothing_because_the_connection_leads_nowhere_listens_again(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.storage.bell._SILENCE", 0.2)
    monkeypatch.setattr("router.storage.bell._ANSWER", 0.2)
    with running_server() as server, Proxy(server.port) as one:
        Store.open(server.url, migrate=True).close()
        url = server.url.replace(f":{server.port}/", f":{one.port},127.0.0.1:{server.port}/") + "?connect_timeout=2"
        with Store.open(url) as store:

            def freeze(calls: list[Call]) -> bool:
                if len(calls) == len(EVERYTHING):
                    one.freeze()
                return len(calls) == 2 * len(EVERYTHING)

            assert await heard_by(store, freeze) == EVERYTHING * 2


async def test_nobody_shares_a_file(sqlite: str) -> None:
    with Store.open(sqlite) as store:
        assert not store.is_shared
        store.call("events")
        await store.listen(lambda _: None)
