"""The worker on a real store, with real sockets."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from router.delivery.client import Clients
from router.delivery.worker import Ended, Worker
from router.domain.delivery import NewDelivery
from router.domain.destination import AnyDestination, HttpDestination, Limits
from router.domain.message import HttpMessage, JsonBody
from router.domain.text import Text
from router.storage.records import DeliveryFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.storage.make import delivery, enqueue


def message(number: int) -> NewDelivery:
    made = delivery(f"k-{number}", action=str(number), destination="sink", message=HttpMessage(body=JsonBody(number)))
    return msgspec.structs.replace(made, type="http")


def sink(receiver: Receiver, **limits: object) -> Mapping[str, AnyDestination]:
    kept = msgspec.structs.replace(Limits(allow_private=True, timeout=timedelta(seconds=5)), **limits)
    return {"sink": HttpDestination(name="sink", limits=kept, url=Text(receiver.url))}


@asynccontextmanager
async def working(store: Store, destinations: Mapping[str, AnyDestination]) -> AsyncIterator[list[Ended]]:
    """Run a worker while the block runs; give the attempts whose ends were stored."""
    ended: list[Ended] = []
    async with Clients() as clients:
        worker = Worker(store, clients, lambda: destinations, ended.append, lambda _: None)
        running = asyncio.create_task(worker.run())
        yield ended
        worker.stop()
        await running


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not look():  # noqa: ASYNC110 -- threads and the store tell nobody
            await asyncio.sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'router.db'}", serve=True)


def statuses(store: Store) -> dict[str, int]:
    found = [record.status for record in store.deliveries(DeliveryFilter(), limit=100).items]
    return {status: found.count(status) for status in found}


async def test_nobody_goes_before_it_is_stored_that_the_destination_asked_for_a_pause(store: Store) -> None:
    with store, Receiver() as receiver:
        enqueue(store, *map(message, range(20)))
        receiver.replies = [Reply(), Reply(), Reply(status=429, headers={"Retry-After": "600"})]
        async with working(store, sink(receiver, concurrency=1)) as ended:
            await until(lambda: len(ended) == 3)
        assert len(receiver.arrived) == 3
        assert statuses(store) == {"delivered": 2, "retrying": 1, "pending": 17}


async def test_no_more_are_sent_at_a_time_than_the_destination_takes(store: Store) -> None:
    with store, Receiver() as receiver:
        enqueue(store, *map(message, range(60)))
        counting, inside, seen = threading.Lock(), 0, set[int]()

        def pass_through() -> None:
            nonlocal inside
            with counting:
                inside += 1
                seen.add(inside)
            time.sleep(0.005)
            with counting:
                inside -= 1

        receiver.script = lambda _: Reply(before=pass_through)
        async with working(store, sink(receiver, concurrency=3)) as ended:
            await until(lambda: len(ended) == 60)
        assert max(seen) <= 3
        assert statuses(store) == {"delivered": 60}
