"""Claims what is due, sends it, stores how that ended. A slow or dead destination delays no other."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from msgspec import Struct

from router.delivery.ahead import Ahead
from router.delivery.client import Clients
from router.delivery.loop import Loop, at_once
from router.delivery.request import WrongDestination, thread_of
from router.delivery.schedule import Next, after_attempt
from router.delivery.send import send
from router.delivery.settling import Settling
from router.domain.delivery import Accepted, Answer, Claim, Refused, Retry, Thread
from router.domain.destination import AnyDestination, Limits
from router.storage.deliveries import GivenUp, Settlement, Wanted
from router.storage.errors import StoreUnavailable
from router.storage.store import Store

log = structlog.get_logger("router.delivery")

LEASE_MARGIN: Final = timedelta(seconds=30)
"""A claim outlives the attempt's deadline by this; then another worker may take the delivery."""

LONGEST_NAP: Final = 1.0
"""Seconds until the store is asked again even if nobody woke us: another process may have added deliveries."""

DRAIN: Final = timedelta(seconds=20)

LOOK_EVERY: Final = 0.1
"""Seconds between looks at all destinations while some surely have more."""

GIVE_UP_EVERY: Final = 5.0
"""Seconds between looks for deliveries that wait for longer than their destination's `max_age`."""


class Ended(Struct, frozen=True, kw_only=True):
    """An attempt whose end is stored. `breaker_open_until`: its destination's breaker opened by it."""

    claim: Claim
    answer: Answer
    following: Next
    took: timedelta
    breaker_open_until: datetime | None


class Lent:
    """What may be claimed for a worker together with storing it; `claims`: what was."""

    def __init__(self, wanted: Mapping[str, Wanted]) -> None:
        self.wanted = wanted
        self.claims: Sequence[Claim] = ()


class Worker:
    """Sends deliveries to the destinations in force, which `destinations` returns at every look.

    `ended` is called after each stored attempt, `given_up` for each delivery that became too old while it waited;
    `give_way` returns when nothing more urgent is going on. `around` is open from a claim to its stored end. `unset`
    says what is missing of a destination to which, therefore, nothing can be sent.
    """

    def __init__(
        self,
        store: Store,
        clients: Clients,
        destinations: Callable[[], Mapping[str, AnyDestination]],
        ended: Callable[[Ended], None],
        given_up: Callable[[GivenUp], None],
        give_way: Callable[[], Awaitable[None]] = at_once,
        around: Callable[[Claim], AbstractContextManager[object]] = nullcontext,
        unset: Callable[[str], str | None] = lambda _destination: None,
    ) -> None:
        self._store = store
        self._clients = clients
        self._destinations = destinations
        self._ended = ended
        self._given_up = given_up
        self._give_way = give_way
        self._around = around
        self._unset = unset
        self._in_force: Mapping[str, AnyDestination] = {}
        self._give_up_at = 0.0
        self._settling = Settling(store)
        self._look_at = 0.0
        self._more: list[str] = []
        """Destinations of which the last claim left something due."""
        self._sending: dict[asyncio.Task[None], Claim] = {}
        self._busy: Counter[str] = Counter()
        """How many places of a destination are taken: fewer than are being sent, once some were accepted."""
        self._claiming = asyncio.Lock()
        """Held while places are being filled, by whomever."""
        self._ahead = Ahead()
        self._unsent: list[Claim] = []
        """What was claimed and is not to be sent now: it is given back."""
        self._loop = Loop(
            self._step,
            longest_nap=LONGEST_NAP,
            unavailable="deliveries cannot be claimed",
            failed="claiming failed in the router itself",
        )

    def wake(self) -> None:
        """There may be something to send. Call it on the event loop."""
        self._loop.wake()

    async def run(self) -> None:
        """Work until `stop` was called; then return when what is being sent has ended, or after 20 s."""
        await self._loop.run()
        async with self._claiming:  # what is lent comes back first
            await self._drain()

    def stop(self) -> None:
        self._settling.stop()
        self._loop.stop()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Lent]:
        """Let whoever stores new deliveries claim them for us at once; they are sent when the block ends.

        While the worker is filling its places itself nothing is lent, nor where it has enough to do.
        """
        if self._claiming.locked() or self._loop.is_stopping or self._destinations() is not self._in_force:
            yield Lent({})
            return
        async with self._claiming:
            busy = {*self._more, *self._ahead}
            free = {name: want for name, want in self._wanted().items() if want.most > 0 and name not in busy}
            lent = Lent(free)
            try:
                yield lent
            finally:
                self._place(lent.claims)

    async def _step(self) -> float:
        """Start what is due and fits; return the seconds until something may be."""
        await self._give_way()
        async with self._claiming:
            return LONGEST_NAP if self._loop.is_stopping else await self._fill()

    async def _fill(self) -> float:
        destinations = self._destinations()
        if destinations is not self._in_force:
            await self._put_in_force(destinations)
        self._place(())
        await self._give_back()
        wanted = self._wanted()
        await self._give_up(wanted)
        due = await self._due(wanted)
        now = [name for name, wait in due.items() if not wait]
        free = {name: wanted[name] for name in now if wanted[name].most > 0}
        claims = await asyncio.wrap_future(self._store.claim(free)) if free else []
        self._place(claims)
        taken = Counter(claim.destination for claim in claims)
        self._more = [name for name in now if taken[name] >= wanted[name].most]
        if claims:
            return 0.0
        return min((wait.total_seconds() for wait in due.values() if wait), default=LONGEST_NAP)

    async def _due(self, wanted: Mapping[str, Wanted]) -> Mapping[str, timedelta]:
        """Return how long until there is something to claim; between two looks only where there surely is."""
        now = asyncio.get_running_loop().time()
        if self._more and now < self._look_at:
            return {name: timedelta() for name in self._more if name in wanted}
        self._look_at = now + LOOK_EVERY
        return await asyncio.to_thread(self._store.due_destinations, wanted)

    def _wanted(self) -> dict[str, Wanted]:
        return {
            name: Wanted(
                type=destination.type,
                most=self._room(name, destination.limits),
                lease=destination.limits.timeout + LEASE_MARGIN,
                max_age=destination.limits.max_age,
                rate=destination.limits.rate,
            )
            for name, destination in self._in_force.items()
        }

    def _room(self, name: str, limits: Limits) -> int:
        """Return how many to claim: for the places that are free, and ahead where no rate counts them."""
        ahead = self._ahead.wanted(name, limits.concurrency) if limits.rate is None else 0
        return max(0, limits.concurrency - self._busy[name] - self._ahead.waiting(name)) + ahead

    async def _put_in_force(self, destinations: Mapping[str, AnyDestination]) -> None:
        """Tell the store which destinations there are now; those that changed, at the start all, begin anew."""
        types = {name: destination.type for name, destination in destinations.items()}
        changed = [name for name, destination in destinations.items() if self._in_force.get(name) != destination]
        await asyncio.wrap_future(self._store.put_in_force(types, changed))
        self._in_force = destinations
        self._unsent += self._ahead.all_of(self._ahead)

    async def _give_up(self, wanted: Mapping[str, Wanted]) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._give_up_at:
            return
        for given_up in await asyncio.wrap_future(self._store.give_up(wanted)):
            self._given_up(given_up)
        self._give_up_at = now + GIVE_UP_EVERY

    async def _give_back(self) -> None:
        if not self._unsent:
            return
        claims, self._unsent = self._unsent, []
        try:
            await asyncio.wrap_future(self._store.release(claims))
        except StoreUnavailable:
            self._unsent += claims
            raise

    def _place(self, claims: Sequence[Claim]) -> None:
        """Send what there is a place for; the rest goes next, unless something failed there meanwhile."""
        now = asyncio.get_running_loop().time()
        for claim in claims:
            self._ahead.put(claim, now)
        for name in self._ahead:
            self._use(name)
        self._unsent += self._ahead.late(now)

    def _use(self, name: str) -> None:
        """Send what was claimed ahead, as far as there are places."""
        destination = self._in_force.get(name)
        if destination is None or self._loop.is_stopping:
            return
        while self._busy[name] < destination.limits.concurrency and (claim := self._ahead.next(name)):
            self._busy[name] += 1
            task = asyncio.create_task(self._deliver(claim, destination))
            self._sending[task] = claim
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        claim = self._sending.pop(task)
        self._loop.wake()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery failed in the router itself", delivery_id=claim.key, exc_info=error)

    def _make_room(self, claim: Claim, limits: Limits) -> None:
        """Let the next one be sent while it is stored that this one was accepted. What failed keeps its place until
        then: it may open the breaker, or the destination may have asked for a pause.
        """
        self._busy[claim.destination] -= 1
        self._use(claim.destination)
        if self._ahead.wanted(claim.destination, limits.concurrency):
            self._loop.wake()

    async def _deliver(self, claim: Claim, destination: AnyDestination) -> None:
        has_place = True
        try:
            with self._around(claim):
                began = time.monotonic()
                answer, begins = await self._attempt(claim, destination)
                took = timedelta(seconds=time.monotonic() - began)
                accepted = isinstance(answer.outcome, Accepted)
                self._unsent += self._ahead.ended(claim.destination, took.total_seconds(), accepted=accepted)
                if accepted:
                    has_place = False
                    self._make_room(claim, destination.limits)
                await self._settle(claim, destination.limits, answer, begins, took)
        finally:
            if has_place:
                self._busy[claim.destination] -= 1

    async def _settle(
        self, claim: Claim, limits: Limits, answer: Answer, begins: Thread | None, took: timedelta
    ) -> None:
        """Store how the attempt ended, and tell."""
        dice = random.random()  # noqa: S311
        following = after_attempt(answer.outcome, claim, limits, datetime.now(UTC), dice)
        settled = await self._settling.settle(
            Settlement(
                claim=claim,
                answer=answer,
                final=following.status,
                reason=following.reason,
                next_due=following.wait,
                pause=following.pause,
                begins=begins,
            )
        )
        if settled is not None:
            self._ended(
                Ended(claim=claim, answer=answer, following=following, took=took, breaker_open_until=settled.opened)
            )

    async def _attempt(self, claim: Claim, destination: AnyDestination) -> tuple[Answer, Thread | None]:
        """Return the answer, and the conversation that the message begins if it was accepted."""
        thread: Thread | None = None
        root: str | None = None
        try:
            if unset := self._unset(destination.name):
                raise WrongDestination(f"{unset}: not set where this service runs")
            thread = thread_of(claim.message, destination)
            root = await asyncio.to_thread(self._store.root, thread) if thread else None
            answer = await send(claim.message, destination, claim.key, self._clients, datetime.now(UTC), root)
        except WrongDestination as error:
            answer = Answer(outcome=Refused(str(error)))
        except Exception as error:
            # a fault of ours must not lose the delivery nor make it spin: it waits like any failed attempt
            log.exception("sending failed in the router itself", delivery_id=claim.key)
            answer = Answer(outcome=Retry(f"internal error: {type(error).__name__}"))
        return answer, thread if root is None else None

    async def _drain(self) -> None:
        self._unsent += self._ahead.all_of(self._ahead)
        if self._sending:
            _, unfinished = await asyncio.wait(self._sending, timeout=DRAIN.total_seconds())
            self._unsent += [self._sending[task] for task in unfinished]
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        if self._unsent:
            log.warning("released unfinished deliveries", delivery_ids=[claim.key for claim in self._unsent])
            await self._give_back()
