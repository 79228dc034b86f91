"""Forgets what is finished and older than `[store] retention`, a little at a time, so that intake never waits."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from router.storage.errors import StoreUnavailable
from router.storage.store import Store

log = structlog.get_logger("router.retention")

DEDUPED_FOR: Final = timedelta(days=7)
"""The shortest retention: for so long an event or a change that is told again is known again."""

EVERY: Final = timedelta(hours=1)
PAUSE: Final = 0.1
"""Seconds between two steps: the store belongs to the webhooks."""


class Retention:
    """Forgets once an hour. `run` ends when it is cancelled; what was handed to the store is done all the same."""

    def __init__(self, store: Store, retention: timedelta) -> None:
        self._store = store
        self._retention = max(retention, DEDUPED_FOR)

    def before(self, now: datetime) -> datetime:
        """Return the time before which what is finished goes."""
        return now - self._retention

    async def run(self) -> None:
        while True:
            try:
                await self.forget(self.before(datetime.now(UTC)))
            except StoreUnavailable as error:
                log.error("nothing can be forgotten", error=str(error))
            except Exception:
                # a fault of ours must not end the service; in an hour it may look different
                log.exception("forgetting failed in the router itself")
            await asyncio.sleep(EVERY.total_seconds())

    async def forget(self, before: datetime) -> int:
        """Forget what was finished `before` then; return how many events that were."""
        events = 0
        after: int | str | None = 0
        while isinstance(after, int):
            step = await asyncio.wrap_future(self._store.forget_events(before, after))
            events += step.events
            after = step.next
            await asyncio.sleep(PAUSE)
        after = ""
        while isinstance(after, str):
            after = (await asyncio.wrap_future(self._store.forget_changes(before, after))).next
            await asyncio.sleep(PAUSE)
        if events:
            log.info("forgot old events", events=events, before=before.isoformat())
        return events
