"""Notices a source that says nothing: Langfuse switches automations off, and tells nobody."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from router.domain.source import Source
from router.engine.rulesfile.kinds import duration_text
from router.storage.errors import StoreUnavailable
from router.storage.store import Store

log = structlog.get_logger("router.silence")

LOOKED_EVERY: Final = 60.0


class Silence:
    """Calls `silent` with a source's name, and why, if its last webhook is longer ago than its `expect_every`."""

    def __init__(self, store: Store, silent: Callable[[str, str], None]) -> None:
        self._store = store
        self._silent = silent
        self._begun: dict[str, datetime] = {}

    async def run(self, sources: Callable[[], Mapping[str, Source]]) -> None:
        """Listen for ever; ends when it is cancelled."""
        while True:
            try:
                await self.listen(sources(), datetime.now(UTC))
            except StoreUnavailable as error:
                log.error("it is not known when sources were heard last", error=str(error))
            except Exception:
                log.exception("listening failed in the router itself")
            await asyncio.sleep(LOOKED_EVERY)

    async def listen(self, sources: Mapping[str, Source], now: datetime) -> None:
        for name, source in sources.items():
            if source.expect_every is None:
                continue
            begun = self._begun.setdefault(name, now)
            heard = await asyncio.to_thread(self._store.heard_at, name)
            if now - (heard or begun) > source.expect_every:
                self._silent(
                    name,
                    f"no webhook has come since {heard or begun:%Y-%m-%d %H:%M} UTC, and one is expected every "
                    f"{duration_text(source.expect_every)}.",
                )
