"""The baseline: what was there before the router, read from Langfuse's API prompt by prompt, and told to nobody.

It runs behind intake. A prompt whose event waits is read first, and only that prompt waits for it, 30 s at most. How
far it is stands in the store, so it goes on where it stopped.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import structlog

from router.domain.event import Event, PromptKey
from router.domain.ledger import Ledger
from router.domain.listing import Ask, Listed
from router.domain.source import Source
from router.engine.reconcile import absorb
from router.langfuse.api import as_known, merged
from router.service.public_api import ApiRefused, ApiUnavailable, PublicApi
from router.service.together import together
from router.storage.errors import StoreUnavailable
from router.storage.events import WaitingBatch, decoded
from router.storage.store import Store

log = structlog.get_logger("router.baseline")

Progress: TypeAlias = Callable[[int, int], object]
"""Called with how many prompts are done, of how many."""

LONGEST_WAIT: Final = timedelta(seconds=30)
FRESH: Final = timedelta(minutes=10)
"""Of what happened in this time before it was read, an event may still be on its way."""

PROMPTS_AT_ONCE: Final = 4
AGAIN: Final = 2.0
"""Seconds until a prompt whose event waits is tried again."""

HOPELESS_FOR: Final = timedelta(minutes=1)
"""No event waits for so long after the API refused its keys, or we failed ourselves."""

MOST_PASSES: Final = 5
"""Through the list, until nothing new is on it: somebody who deletes prompts meanwhile shifts others past us."""


class Baseline:
    """Imports prompts. `apis` gives the API of a source; `came` is called when what was waited for is known."""

    def __init__(self, store: Store, apis: Callable[[Source], PublicApi | None], came: Callable[[], None]) -> None:
        self._store = store
        self._apis = apis
        self._came = came
        self._begun = datetime.now(UTC)
        self._complete: set[str] = set()
        self._imported: set[tuple[str, str]] = set()
        self._urgent: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._hopeless: dict[str, datetime] = {}

    def wait_for(self, batch: WaitingBatch, source: Source | None) -> datetime | None:
        """Return until when a batch has to wait for what was before it, and see to that; None: it has not to."""
        if batch.key is None or source is None or source.name in self._complete:
            return None
        api = self._apis(source)
        place = source.name, batch.key.name
        # what waits since before we came gets its time, too
        until = max(batch.first_received_at, self._begun) + LONGEST_WAIT
        now = datetime.now(UTC)
        if api is None or place in self._imported or now >= until or now < self._hopeless.get(source.name, now):
            return None
        if place not in self._urgent:
            self._urgent[place] = asyncio.get_running_loop().create_task(self._hurry(api, place, until))
        return until

    async def _hurry(self, api: PublicApi, place: tuple[str, str], until: datetime) -> None:
        """Import one prompt now, and try until its time is over."""
        source, name = place
        try:
            async with asyncio.timeout((until - datetime.now(UTC)).total_seconds()):
                while not await self.is_complete(source):
                    try:
                        await self.import_prompt(api, name, await api.listed(name))
                    except ApiRefused:
                        raise
                    except (ApiUnavailable, StoreUnavailable) as error:
                        log.warning("what was before an event cannot be read yet", source=source, error=str(error))
                        await asyncio.sleep(AGAIN)
                    else:
                        break
        except ApiRefused as error:
            self._hopeless[source] = datetime.now(UTC) + HOPELESS_FOR
            log.warning("events do not wait for what was before them", source=source, error=str(error))
        except TimeoutError:
            log.warning("an event did not get to know what was before it", source=source)
        except Exception:
            self._hopeless[source] = datetime.now(UTC) + HOPELESS_FOR
            log.exception("importing a prompt failed in the router itself", source=source)
        finally:
            del self._urgent[place]
            self._came()

    async def import_prompt(self, api: PublicApi, name: str, listed: Listed | None) -> None:
        """Import one prompt unless it is imported; its event may be waiting, or come meanwhile."""
        if await asyncio.to_thread(self._store.imported, api.source, [name]):
            self._imported.add((api.source, name))
            return
        begun = api.now
        numbers = sorted(listed.versions) if listed else []
        answers = await together(api.version(name, Ask(version=number)) for number in numbers)
        shown = [event for event in answers if event is not None]
        while not await self._save(api, name, shown, begun - FRESH):
            continue  # an event was routed meanwhile: once more, onto what is known now
        self._imported.add((api.source, name))

    async def _save(self, api: PublicApi, name: str, shown: list[Event], fresh: datetime) -> bool:
        found: Ledger | None = None
        if shown:
            key = shown[0].prompt
            assert key is not None
            found = await asyncio.to_thread(self._absorbed, key, shown, fresh)
        return await asyncio.wrap_future(self._store.save_import(api.source, name, found))

    def _absorbed(self, key: PromptKey, shown: Iterable[Event], fresh: datetime) -> Ledger:
        known = self._store.ledger(key)
        waiting = [decoded(event).stamp.updated_at for event in self._store.batch(key)]
        shown = [known_as(known, event) for event in shown]
        return absorb(known, shown, before=min(waiting, default=None), fresh=fresh)

    # ---- all of them

    async def is_complete(self, source: str) -> bool:
        if source not in self._complete:
            progress = await asyncio.to_thread(self._store.look_progress, source)
            if progress.imported_at is not None:
                self._complete.add(source)
        return source in self._complete

    async def import_all(self, api: PublicApi, progress: Progress) -> int:
        """Import every prompt that is not imported; return how many that were."""
        begun = api.now
        count = 0
        for _ in range(MOST_PASSES):
            new = await self._pass(api, progress)
            count += new
            if not new:
                break
        await asyncio.wrap_future(self._store.finish_import(api.source, datetime.now(UTC), begun))
        self._complete.add(api.source)
        self._imported = {place for place in self._imported if place[0] != api.source}
        self._came()
        return count

    async def _pass(self, api: PublicApi, progress: Progress) -> int:
        new = done = number = 0
        pages = 1
        while number < pages:
            number += 1
            page = await api.page(number)
            pages = page.pages
            names = merged(page.prompts)
            known = await asyncio.to_thread(self._store.imported, api.source, names)
            missing = [name for name in names if name not in known]
            progress(done + len(names) - len(missing), page.total)
            for place in range(0, len(missing), PROMPTS_AT_ONCE):
                some = missing[place : place + PROMPTS_AT_ONCE]
                await together(self.import_prompt(api, name, names[name]) for name in some)
                progress(done + len(names) - len(missing) + place + len(some), page.total)
            new += len(missing)
            done += len(names)
        return new


def known_as(known: Ledger, event: Event) -> Event:
    """Return the event about the version as it is known: where a webhook said no prompt id, by its number."""
    assert event.snapshot is not None
    by_number = f"{known.prompt.project_id}/{known.prompt.name}/{event.snapshot.version}"
    if event.snapshot.version_id in known.versions or by_number not in known.versions:
        return event
    return as_known(event, by_number)
