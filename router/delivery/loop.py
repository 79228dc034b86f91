"""Work that goes on until somebody stops it, and that no fault ends."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from router.storage.errors import StoreUnavailable

log = structlog.get_logger("router.loop")


async def at_once() -> None:
    """Nothing more urgent is ever going on."""


class Loop:
    """Calls `step` again and again. It returns for how many seconds there is nothing to do; `wake` shortens such a nap.

    `unavailable` and `failed` are what the log says of a store that does not answer (once, not at every step of an
    outage), and of a fault of our own. After either, and whatever a step says, the nap is at most `longest_nap`
    seconds: nobody may be there to wake us.
    """

    def __init__(
        self, step: Callable[[], Awaitable[float]], *, longest_nap: float, unavailable: str, failed: str
    ) -> None:
        self._step = step
        self._longest_nap = longest_nap
        self._unavailable = unavailable
        self._failed = failed
        self._next_step = 0.0
        self._sooner = asyncio.Event()
        self._answers = True
        self._stopping = False

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def wake(self, after: timedelta = timedelta()) -> None:
        """There may be something to do in that time; looking earlier would be in vain. Call it on the event loop."""
        at = asyncio.get_running_loop().time() + after.total_seconds()
        if at < self._next_step:
            self._next_step = at
            self._sooner.set()

    def stop(self) -> None:
        """Let the step that is under way be the last."""
        self._stopping = True
        self._sooner.set()

    async def run(self) -> None:
        while not self._stopping:
            self._next_step = math.inf
            try:
                nap = min(await self._step(), self._longest_nap)
                self._answers = True
            except StoreUnavailable as error:
                if self._answers:
                    log.error(self._unavailable, error=str(error))
                self._answers = False
                nap = self._longest_nap
            except Exception:
                # a fault of ours in one piece of work must not end all other work
                log.exception(self._failed)
                nap = self._longest_nap
            self.wake(timedelta(seconds=nap))
            await self._rest()

    async def _rest(self) -> None:
        """Return when it is time for the next step, which somebody may bring forward meanwhile."""
        while not self._stopping and (left := self._next_step - asyncio.get_running_loop().time()) > 0:
            self._sooner.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._sooner.wait()
