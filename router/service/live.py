"""Tells whoever watches that something happened; what, they ask the store."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

QUIET_SECONDS: Final = 0.5
"""So long nothing is told after something was: a storm of events must not become a storm of questions."""

LOOK_SECONDS: Final = 10.0
"""So often something is told anyway: of what another replica did a call may be lost."""


class Live:
    """Lets any number of watchers wait for the next thing that happens."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()
        self._closed = asyncio.Event()

    def tell(self) -> None:
        """Something happened. Call it on the event loop."""
        self._happened.set()
        self._happened = asyncio.Event()

    def close(self) -> None:
        """End all watching: a server that is asked to stop waits until every answer is complete."""
        self._closed.set()
        self.tell()

    async def watch(self) -> AsyncIterator[None]:
        """Give one item at once, and one whenever something happened, until `close`."""
        while not self._closed.is_set():
            happened = self._happened  # taken first, so that nothing that happens meanwhile is missed
            yield
            await _wait(self._closed, QUIET_SECONDS)
            await _wait(happened, LOOK_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
