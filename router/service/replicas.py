"""The other replicas on the same store: what happens here is called out to them, what they call wakes our loops."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, assert_never

from router.service.live import QUIET_SECONDS
from router.storage.bell import Call
from router.storage.store import Store

BREATH: Final[Mapping[Call, float]] = {"events": 0.05, "deliveries": 0.05, "outcomes": QUIET_SECONDS}
"""Seconds in which all that happens makes one call. The others only help: whoever has the work wakes itself; of
outcomes only watchers want to know, and they look no oftener.
"""

HELP: Final = timedelta(seconds=0.5)
"""Until we look for events that another called out. To look at once would make every replica read all that waits
whenever one of them receives something: three took a third of what one took.
"""


class Replicas:
    """Calls and listens. On a store that nobody else serves it does nothing."""

    def __init__(
        self,
        store: Store,
        wake_routing: Callable[[timedelta], None],
        wake_worker: Callable[[], None],
        tell: Callable[[], None],
    ) -> None:
        """`tell`: something happened that whoever watches may want to see."""
        self._store = store
        self._wake_routing = wake_routing
        self._wake_worker = wake_worker
        self._tell = tell
        self._calling: set[Call] = set()

    def call(self, what: Call) -> None:
        """There is more of it. Call it on the event loop."""
        if self._store.is_shared and what not in self._calling:
            self._calling.add(what)
            asyncio.get_running_loop().call_later(BREATH[what], self._call_now, what)

    async def listen(self) -> None:
        """Hear the others until cancelled."""
        await self._store.listen(self._heard)

    def _call_now(self, what: Call) -> None:
        self._calling.discard(what)
        self._store.call(what)

    def _heard(self, what: Call) -> None:
        self._tell()
        match what:
            case "events":
                self._wake_routing(HELP)
            case "deliveries":
                self._wake_worker()
            case "outcomes":
                pass
            case _:
                assert_never(what)
