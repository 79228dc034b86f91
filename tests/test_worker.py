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
from router.domain.routing import Firing
from router.domain.text import Text
from router.storage.records import DeliveryFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.storage.make import NOW, change, delivery, enqueue, routing


def message(number: int, firing: str = "f-1") -> NewDelivery:
    body = HttpMessage(body=JsonBody.of(number))
    made = delivery(f"k-{number}", firing, action=str(number), destination="sink", message=body)
    return msgspec.structs.replace(made, type="http")


def sink(receiver: Receiver, **limits: object) -> Mapping[str, AnyDestination]:
    kept = msgspec.structs.replace(Limits(allow_private=True, timeout=timedelta(seconds=5)), **limits)
    return {"sink": HttpDestination(name="sink", limits=kept, url=Text(receiver.url))}


class Work:
    """A worker at work. `ended`: the attempts whose ends were stored."""

    def __init__(self, store: Store, clients: Clients, destinations: Mapping[str, AnyDestination]) -> None:
        self.ended: list[Ended] = []
        self.worker = Worker(store, clients, lambda: destinations, self.ended.append, lambda _: None)
        self._store = store

    async def make(self, number: int, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
        """Store a delivery as routing does; return the keys of what is claimed with it."""
        of = f"c-{number}"
        fired = Firing(id=f"f-{number}", rule="promoted", mode="live", changes=(of,))
        planned = routing(message(number, fired.id), changes=(change(of),), firing=fired)
        async with self.worker.lend() as lent:
            meanwhile()
            committed = await asyncio.wrap_future(self._store.commit([planned], NOW, wanted=lent.wanted))
            lent.claims = committed.claims
        return [claim.key for claim in lent.claims]

    async def rests(self) -> None:
        """Return when there is nothing to do."""

        async def lends() -> bool:
            async with self.worker.lend() as lent:
                return "sink" in lent.wanted

        async with asyncio.timeout(60):
            while not await lends():  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def working(store: Store, destinations: Mapping[str, AnyDestination]) -> AsyncIterator[Work]:
    """Run a worker while the block runs."""
    async with Clients() as clients:
        work = Work(store, clients, destinations)
        running = asyncio.create_task(work.worker.run())
        yield work
        work.worker.stop()
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
        async with working(store, sink(receiver, concurrency=1)) as work:
            await until(lambda: len(work.ended) == 3)
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
        async with working(store, sink(receiver, concurrency=3)) as work:
            await until(lambda: len(work.ended) == 60)
        assert max(seen) <= 3
        assert statuses(store) == {"delivered": 60}


async def test_what_is_made_for_a_worker_at_rest_is_sent_without_being_looked_for(store: Store) -> None:
    with store, Receiver() as receiver:
        async with working(store, sink(receiver)) as work:
            await work.rests()
            assert await work.make(1) == ["k-1"]
            await until(lambda: work.ended)
        assert len(receiver.arrived) == 1
        assert statuses(store) == {"delivered": 1}


async def test_nothing_is_claimed_for_a_place_that_is_taken(store: Store) -> None:
    answer = threading.Event()
    with store, Receiver() as receiver:
        receiver.script = lambda _: Reply(before=lambda: answer.wait(60))
        async with working(store, sink(receiver, concurrency=1, timeout=timedelta(minutes=2))) as work:
            await work.rests()
            assert await work.make(1) == ["k-1"]
            await until(lambda: receiver.arrived)
            assert await work.make(2) == []
            answer.set()
            work.worker.wake()
            await until(lambda: len(work.ended) == 2)
        assert statuses(store) == {"delivered": 2}


async def test_what_is_claimed_when_the_end_has_come_is_released_untried(store: Store) -> None:
    with store, Receiver() as receiver:
        async with working(store, sink(receiver)) as work:
            await work.rests()
            assert await work.make(1, meanwhile=work.worker.stop) == ["k-1"]
        assert receiver.arrived == []
        assert statuses(store) == {"pending": 1}
        found = store.delivery("k-1")
        assert found is not None
        assert (found.delivery.attempts, found.attempts) == (0, ())


async def test_what_is_claimed_ahead_is_given_back_when_the_destination_hangs(store: Store) -> None:
    answer = threading.Event()
    with store, Receiver() as receiver:
        enqueue(store, *map(message, range(40)))
        receiver.script = lambda _: Reply(before=lambda: len(receiver.arrived) <= 8 or answer.wait(60))
        async with working(store, sink(receiver, concurrency=4, timeout=timedelta(minutes=2))) as work:
            await until(lambda: statuses(store) == {"delivered": 8, "sending": 4, "pending": 28})
            answer.set()
            await until(lambda: len(work.ended) == 40)
        assert statuses(store) == {"delivered": 40}
        assert len(receiver.arrived) == 40
