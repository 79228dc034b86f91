"""Claims what is due, sends it, stores how that ended. A slow or dead destination delays no other."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from router.delivery.client import Clients
from router.delivery.schedule import Next, after_attempt
from router.delivery.send import send
from router.domain.delivery import Answer, Claim, Retry
from router.domain.destination import AnyDestination
from router.storage.errors import StoreUnavailable
from router.storage.store import Store

log = structlog.get_logger("router.delivery")

LEASE_MARGIN: Final = timedelta(seconds=30)
"""A claim outlives the attempt's deadline by this; then another worker may take the delivery."""

LONGEST_NAP: Final = 1.0
"""Seconds until the store is asked again even if nobody woke us: another process may have added deliveries."""

DRAIN: Final = timedelta(seconds=20)


class Worker:
    """Sends deliveries to the destinations in force, which `destinations` returns at every look.

    `ended` is called after each stored attempt with the claim, the answer, what follows and how long it took.
    """

    def __init__(
        self,
        store: Store,
        clients: Clients,
        destinations: Callable[[], Mapping[str, AnyDestination]],
        ended: Callable[[Claim, Answer, Next, timedelta], None],
    ) -> None:
        self._store = store
        self._clients = clients
        self._destinations = destinations
        self._ended = ended
        self._sending: dict[asyncio.Task[None], Claim] = {}
        self._busy: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be something to send. Call it on the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop` was called; then return when what is being sent has ended, or after 20 s."""
        while not self._stopping:
            self._wake.clear()
            try:
                nap = await self._step()
            except StoreUnavailable as error:
                log.error("deliveries cannot be claimed", error=str(error))
                nap = LONGEST_NAP
            except Exception:
                # a fault of ours must not end the sending of everything else
                log.exception("claiming failed in the router itself")
                nap = LONGEST_NAP
            if nap > 0:
                await self._sleep(nap)
        await self._drain()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _step(self) -> float:
        """Start what is due and fits; return the seconds until something may be."""
        destinations = self._destinations()
        types = {name: destination.type for name, destination in destinations.items()}
        due = await asyncio.to_thread(self._store.due_destinations, types)
        free = {
            name: destinations[name].limits.concurrency - self._busy[name]
            for name, wait in due.items()
            if not wait and destinations[name].limits.concurrency > self._busy[name]
        }
        claims: list[Claim] = []
        if free:
            lease = {name: destinations[name].limits.timeout + LEASE_MARGIN for name in free}
            claims = await asyncio.wrap_future(self._store.claim(free, types, lease))
        for claim in claims:
            self._start(claim, destinations[claim.destination])
        if claims:
            return 0.0
        return min((wait.total_seconds() for wait in due.values() if wait), default=LONGEST_NAP)

    def _start(self, claim: Claim, destination: AnyDestination) -> None:
        task = asyncio.create_task(self._deliver(claim, destination))
        self._sending[task] = claim
        self._busy[claim.destination] += 1
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        claim = self._sending.pop(task)
        self._busy[claim.destination] -= 1
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery failed in the router itself", delivery_id=claim.key, exc_info=error)

    async def _deliver(self, claim: Claim, destination: AnyDestination) -> None:
        started, began = datetime.now(UTC), time.monotonic()
        try:
            answer = await send(claim.message, destination, claim.key, self._clients, started)
        except Exception as error:
            # a fault of ours must not lose the delivery nor make it spin: it waits like any failed attempt
            log.exception("sending failed in the router itself", delivery_id=claim.key)
            answer = Answer(outcome=Retry(f"internal error: {type(error).__name__}"))
        took = timedelta(seconds=time.monotonic() - began)
        following = after_attempt(
            answer.outcome,
            claim,
            destination.limits,
            datetime.now(UTC),
            random.random(),  # noqa: S311
        )
        stored = self._store.settle(
            claim,
            answer,
            final=following.status,
            reason=following.reason,
            next_due=following.wait,
            pause=following.pause,
        )
        if await asyncio.wrap_future(stored):
            self._ended(claim, answer, following, took)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, LONGEST_NAP)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _drain(self) -> None:
        if not self._sending:
            return
        _, unfinished = await asyncio.wait(self._sending, timeout=DRAIN.total_seconds())
        claims = [self._sending[task] for task in unfinished]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if claims:
            log.warning("released unfinished deliveries", count=len(claims))
            await asyncio.wrap_future(self._store.release(claims))
