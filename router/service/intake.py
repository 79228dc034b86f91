"""Events on their way to the disk: those that arrive while others are being committed share the next commit.

While the store does not answer, the spool keeps them; as soon as it answers again they are brought there, in the order
of arrival. Until the spool is empty, what arrives goes behind what waits in it.
"""

import asyncio
import contextlib
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import structlog
from msgspec.structs import replace

from router.storage.errors import StoreUnavailable
from router.storage.events import NewEvent, Receipt
from router.storage.spool import Spool, Spooled
from router.storage.store import Store

log = structlog.get_logger("router.intake")

PATIENCE: Final = 4.0
"""Seconds that the store gets for a commit. Langfuse gives up after 10: worker/src/queues/webhooks.ts."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two attempts to bring the store what was spooled."""

DRAINED_AT_ONCE: Final = 500

CROWD: Final = 4
"""So many events at once are a rush: for a moment everything else gives way."""

RUSH: Final = 0.05
"""Seconds for which a rush is taken to go on after its last commit."""

LONGEST_WAY: Final = 0.25
"""Seconds for which others give way, however long the rush: what came in has to go out, too."""


Answered: TypeAlias = Callable[[Receipt | Exception], None]
"""Is told what became of an event, once; raises nothing."""

Keep: TypeAlias = Callable[[NewEvent, Answered], None]


class Intake:
    """Hands events to the store in groups: one wake-up of the writer, and one of the event loop, for each commit.

    `drained` is called when events that were spooled have reached the store.
    """

    def __init__(self, store: Store, spool: Spool | None, drained: Callable[[], None]) -> None:
        self._store = store
        self._spool = spool
        self._drained = drained
        self._arrived: list[tuple[NewEvent, Answered]] = []
        self._rush_until = 0.0
        self._why = "what an earlier run left there is on its way into the store"
        self._committing: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._spooling = asyncio.Lock()
        """Held while something is put into the spool, and while it is looked whether the spool is empty."""

    @property
    def has_spool(self) -> bool:
        return self._spool is not None

    @property
    def spools_because(self) -> str | None:
        """Why events go into the spool at present; None: they do not."""
        return None if self._draining is None else self._why

    async def give_way(self) -> None:
        """Return when nothing rushes in, or after a while: the interpreter does one thing at a time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_WAY
        while (now := loop.time()) < min(self._rush_until, until):  # noqa: ASYNC110 -- the clock is what ends it
            await asyncio.sleep(min(self._rush_until - now, until - now, RUSH))

    def spooled(self) -> int:
        """Count what is in the spool; may take a moment."""
        return 0 if self._spool is None else self._spool.count()

    async def start(self) -> None:
        """Bring the store what an earlier run left in the spool."""
        if self._spool is not None and await asyncio.to_thread(self._spool.count) > 0:
            self._drain_soon(self._spool)

    async def close(self) -> None:
        """Answer who waits. What is spooled stays there for the next start."""
        if self._committing is not None:
            await self._committing
        if self._draining is not None:
            self._draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._draining

    def keep(self, event: NewEvent, answer: Answered) -> None:
        """Call `answer` when the event is on the disk, or with StoreUnavailable if it cannot be at present."""
        self._arrived.append((event, answer))
        if self._committing is None:
            # it runs after what the sockets have ready at this moment
            self._committing = asyncio.get_running_loop().create_task(self._commit())

    async def _commit(self) -> None:
        while self._arrived:
            group, self._arrived = self._arrived, []
            rushing = len(group) >= CROWD
            if rushing:
                # a commit that takes long must not end it: then everything else would come in between, too
                self._rush_until = math.inf
            results = await self._store_somehow([event for event, _ in group])
            if rushing:
                self._rush_until = asyncio.get_running_loop().time() + RUSH
            for (_, answer), result in zip(group, results, strict=True):
                answer(result)
        self._committing = None

    async def _store_somehow(self, events: Sequence[NewEvent]) -> list[Receipt | Exception]:
        results = await self._store_or_spool(events)
        for place, result in enumerate(results):
            if isinstance(result, Exception) and not isinstance(result, StoreUnavailable):
                event = events[place]
                log.error("an event cannot be stored as it is", source=event.source, event_id=event.id, exc_info=result)
                (results[place],) = await self._store_or_spool([bare(event, result)])
        return results

    async def _store_or_spool(self, events: Sequence[NewEvent]) -> list[Receipt | Exception]:
        spool = self._spool
        if self._draining is None:
            results = await self._try_to_store(events)
            out = [place for place, result in enumerate(results) if isinstance(result, StoreUnavailable)]
            if spool is None or not out:
                return results
            self._say_why(results[out[0]])
        else:
            results, out = [StoreUnavailable("spooling")] * len(events), list(range(len(events)))
        assert spool is not None
        async with self._spooling:
            kept = await asyncio.wrap_future(spool.keep([events[place] for place in out]))
            self._drain_soon(spool)
        for place, result in zip(out, kept, strict=True):
            results[place] = result
        return results

    async def _try_to_store(self, events: Sequence[NewEvent]) -> list[Receipt | Exception]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._store.keep_all(events)
        except TimeoutError:
            # should it succeed later, the same event from the spool is a duplicate
            return [StoreUnavailable(f"the store does not answer within {PATIENCE:g} s")] * len(events)

    def _drain_soon(self, spool: Spool) -> None:
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain(spool))

    async def _drain(self, spool: Spool) -> None:
        """Bring the store what is spooled, until nothing is left."""
        moved = 0
        while True:
            try:
                async with self._spooling:
                    oldest = await asyncio.to_thread(spool.oldest, DRAINED_AT_ONCE)
                    if not oldest:
                        self._draining, self._why = None, ""
                        break
                stored, refused = await self._bring(oldest)
                await asyncio.wrap_future(spool.forget(stored))
                moved += len(stored)
                if stored:
                    self._drained()
                if refused is not None:
                    self._say_why(refused)
                    await asyncio.sleep(LOOK_AGAIN)
            except StoreUnavailable as error:
                log.error("the spool cannot be drained", error=str(error))
                await asyncio.sleep(LOOK_AGAIN)
        log.info("the spool is drained into the store", events=moved)

    async def _bring(self, oldest: Sequence[Spooled]) -> tuple[list[Spooled], StoreUnavailable | None]:
        """Store those events. Return those that the store has now, and why it does not have the others."""
        stored: list[Spooled] = []
        refused: StoreUnavailable | None = None
        results = await asyncio.wrap_future(self._store.receive_all([one.event for one in oldest]))
        for one, result in zip(oldest, results, strict=True):
            if isinstance(result, StoreUnavailable):
                refused = result
                continue
            if isinstance(result, Exception):
                await asyncio.wrap_future(self._store.receive(bare(one.event, result)))
            stored.append(one)
        return stored, refused

    def _say_why(self, refused: Receipt | Exception) -> None:
        """The reason may become another one: a server that did not answer comes back without a schema."""
        if str(refused) != self._why:
            self._why = str(refused)
            log.error("the store does not answer; events go into the spool", error=self._why)


def bare(event: NewEvent, error: Exception) -> NewEvent:
    """Return an event that cannot be stored as it is without the names that the database cannot hold.

    It is authentic, so it was or will be acknowledged all the same.
    """
    return replace(
        event,
        id=hashlib.sha256(event.body).hexdigest(),
        type="",
        action=None,
        project_id=None,
        prompt=None,
        sent_at=None,
        status="quarantined",
        reason=f"cannot be stored: {type(error).__name__}",
    )
