"""How attempts ended is stored in groups: what ends while others are being stored comes next."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from router.storage.deliveries import Settled, Settlement
from router.storage.errors import StoreUnavailable
from router.storage.store import Store

log = structlog.get_logger("router.delivery")

LOOK_AGAIN: Final = 1.0
"""Seconds between attempts to store while the store does not answer."""


class Settling:
    """Stores ends, if need be when the store answers again.

    Otherwise an outage would send again what was delivered, and say that nothing was heard of it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended: list[tuple[Settlement, asyncio.Future[Settled | None]]] = []
        self._storing: asyncio.Task[None] | None = None
        self._stopping = False

    def stop(self) -> None:
        """Wait no longer for a store that does not answer."""
        self._stopping = True

    async def settle(self, settlement: Settlement) -> Settled | None:
        """Return when the end is stored; None: the claim was outdated, or the store did not answer for as long."""
        answer: asyncio.Future[Settled | None] = asyncio.get_running_loop().create_future()
        self._ended.append((settlement, answer))
        if self._storing is None:
            self._storing = asyncio.get_running_loop().create_task(self._store_all())
        return await answer

    async def _store_all(self) -> None:
        while self._ended:
            group, self._ended = self._ended, []
            results = await self._store_group([settlement for settlement, _ in group])
            for (_, answer), result in zip(group, results, strict=True):
                if answer.done():  # the attempt was given up meanwhile
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        self._storing = None

    async def _store_group(self, group: Sequence[Settlement]) -> Sequence[Settled | Exception | None]:
        try:
            return await asyncio.wrap_future(self._store.settle(group))
        except StoreUnavailable as error:
            last = max(settlement.claim.lease_until for settlement in group)
            if self._stopping or datetime.now(UTC) >= last:
                lost = [settlement.claim.key for settlement in group]
                log.error("the ends of attempts are lost", delivery_ids=lost, error=str(error))
                return [None] * len(group)
            await asyncio.sleep(LOOK_AGAIN)
            return await self._store_group(group)
        except Exception as error:
            if len(group) == 1:
                return [error]
            # one that cannot be stored must not keep the others from it
            return [result for one in group for result in await self._store_group([one])]
