"""Work that goes on until somebody stops it, and that no fault ends."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from router.storage.errors import StoreUnavailable

log = structlog.get_logger("router.loop")


class Loop:
    """Calls `step` again and again. It returns for how many seconds there is nothing to do; `wake` ends such a nap.

    `unavailable` and `failed` are what the log says of a store that does not answer, and of a fault of our own. After
    either, and whatever a step says, the nap is at most `longest_nap` seconds: nobody may be there to wake us.
    """

    def __init__(
        self, step: Callable[[], Awaitable[float]], *, longest_nap: float, unavailable: str, failed: str
    ) -> None:
        self._step = step
        self._longest_nap = longest_nap
        self._unavailable = unavailable
        self._failed = failed
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be something to do. Call it on the event loop."""
        self._wake.set()

    def stop(self) -> None:
        """Let the step that is under way be the last."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                nap = min(await self._step(), self._longest_nap)
            except StoreUnavailable as error:
                log.error(self._unavailable, error=str(error))
                nap = self._longest_nap
            except Exception:
                # a fault of ours in one piece of work must not end all other work
                log.exception(self._failed)
                nap = self._longest_nap
            if nap > 0:
                await self._sleep(nap)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
