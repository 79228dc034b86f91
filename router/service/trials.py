"""What somebody tries, one thing at a time and not for ever."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from router.engine.deadline import within

T = TypeVar("T")


class Trials:
    """Does one piece of work at a time on a thread. Nobody can end a thread: the next one waits until it ended."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns. `seconds`: for it and for waiting until it is its turn.

        Raises TimeoutError, and the OutOfTime that `work` lets pass.
        """
        async with asyncio.timeout(seconds):
            await self._turn.acquire()
            working = asyncio.get_running_loop().run_in_executor(None, _in_time, work, seconds)
            working.add_done_callback(lambda _: self._turn.release())
            return await asyncio.shield(working)


def _in_time(work: Callable[[], T], seconds: float) -> T:
    with within(seconds):
        return work()
