"""The other half of a move: while the webhook of the gain is not there, Langfuse itself is asked where the label is."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from router.domain.event import Event, PromptKey
from router.domain.listing import Ask
from router.domain.source import Source
from router.engine.reconcile import differences
from router.langfuse.api import event_for
from router.service.baseline import known_as
from router.service.public_api import ApiUnavailable, PublicApi
from router.service.together import together
from router.storage.errors import StoreUnavailable
from router.storage.events import found_event
from router.storage.store import Store

log = structlog.get_logger("router.halves")

BEFORE_THE_END: Final = timedelta(seconds=1)
"""The webhook of a gain has its time until then; what is told for it has no author."""


class Halves:
    """Asks for the labels that somebody waits for. `found` is called when there is something to route."""

    def __init__(self, store: Store, apis: Callable[[Source], PublicApi | None], found: Callable[[], None]) -> None:
        self._store = store
        self._apis = apis
        self._found = found
        self._gone: dict[PromptKey, frozenset[str]] = {}
        self._seeking: dict[PromptKey, asyncio.Task[None]] = {}

    def gone(self, key: PromptKey) -> frozenset[str]:
        """Return the labels of which Langfuse said that no version of the prompt holds them."""
        return self._gone.get(key, frozenset())

    def forget(self, key: PromptKey) -> None:
        """Nobody waits for labels of this prompt any more."""
        self._gone.pop(key, None)

    def seek(self, source: Source, key: PromptKey, labels: frozenset[str], until: datetime) -> None:
        """Ask where those labels are, once for a wait that ends at `until`."""
        api = self._apis(source)
        if api is not None and key not in self._seeking:
            task = asyncio.get_running_loop().create_task(self._seek(api, key, labels, until))
            self._seeking[key] = task
            task.add_done_callback(lambda _: self._seeking.pop(key))

    async def _seek(self, api: PublicApi, key: PromptKey, labels: frozenset[str], until: datetime) -> None:
        names = sorted(labels)
        try:
            answers = await together(api.version(key.name, Ask(label=label)) for label in names)
            nobody = {label for label, event in zip(names, answers, strict=True) if event is None}
            if nobody:
                self._gone[key] = self.gone(key) | nobody
                self._found()
            now = datetime.now(UTC)
            holders = [event for event in answers if event is not None]
            await asyncio.sleep(
                (until - now - min(BEFORE_THE_END, (until - now) / 2)).total_seconds() if holders else 0
            )
            for event in holders:
                await self._tell(key, event)
        except (ApiUnavailable, StoreUnavailable) as error:
            log.warning("it cannot be asked where a label went", source=api.source, error=str(error))
        except Exception:
            log.exception("asking where a label went failed in the router itself", source=api.source)

    async def _tell(self, key: PromptKey, event: Event) -> None:
        """Let the holder's state join what waits, if its webhook has not come meanwhile."""
        assert event.snapshot is not None
        known = await asyncio.to_thread(self._store.ledger, key)
        waiting = await asyncio.to_thread(self._store.batch, key)
        for difference in differences(known, {event.snapshot.version: known_as(known, event)}):
            if waiting and difference.event is not None:
                now = datetime.now(UTC)
                await asyncio.wrap_future(self._store.receive(found_event(event_for(difference, known, now), now)))
                self._found()
