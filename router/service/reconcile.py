"""Catching up: what Langfuse's API shows and no webhook told becomes events on the same way as all others.

A look reads the whole list (for what is absent) and the list of what was updated lately (for what is new), compares
both with the ledger, and reads the versions that are in doubt one by one. A difference is left to its webhook until
two looks a minute apart have seen it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from router.domain.change import Change
from router.domain.event import PromptKey
from router.domain.json import Json
from router.domain.ledger import Ledger
from router.domain.listing import Ask, Listed
from router.domain.problem import RouterError
from router.domain.source import Source
from router.engine.context import Setting, Told
from router.engine.ledger import derive
from router.engine.reconcile import APART, Difference, compare, due
from router.engine.summary import summary_of
from router.langfuse.api import event_for, merged
from router.service.baseline import Baseline, Progress, known_as
from router.service.public_api import ApiUnavailable, PublicApi
from router.service.together import together
from router.service.troubles import Troubles
from router.storage.errors import StoreUnavailable
from router.storage.events import found_event
from router.storage.store import Store

log = structlog.get_logger("router.reconcile")

OVERLAP: Final = timedelta(minutes=5)
"""What was updated so long before the last look is looked at again: clocks differ, and commits take time."""

LEASE: Final = timedelta(minutes=2)
RENEWED: Final = 30.0
PROMPTS_AT_ONCE: Final = 4

SOON: Final = APART + timedelta(seconds=1)
"""After a look that saw something for the first time the next one follows, so that it is told soon."""

AFTER_FAILURE: Final = timedelta(minutes=1)
TICK: Final = 1.0


class Look(Struct, frozen=True, kw_only=True):
    """What a look found in a source.

    `imported`: prompts that were new to the router; `read`: versions that were read one by one; `waiting`: differences
    that are left to their webhooks for now; `missed`: what was told that one can see; `heard_at`: when the last
    webhook of the source came, where something was missed.
    """

    source: str
    imported: int
    prompts: int
    read: int
    waiting: int
    missed: tuple[Change, ...]
    heard_at: datetime | None


def tell_missed(look: Look, troubles: Troubles) -> None:
    """Raise the troubles of what a look found."""
    if not look.missed:
        return
    troubles.missed(look.source, [_in_words(change) for change in look.missed])
    # a deletion through the API has no webhook that could have come
    announced = [change.happened_at for change in look.missed if change.action != "deleted"]
    if announced and (look.heard_at is None or look.heard_at < min(announced)):
        since = f"since {look.heard_at:%Y-%m-%d %H:%M} UTC" if look.heard_at else "yet"
        troubles.source_silent(
            look.source,
            f"Langfuse's API shows changes since {min(announced):%Y-%m-%d %H:%M} UTC, but no webhook has come {since}.",
        )


def chosen(sources: Mapping[str, Source], name: str | None) -> list[Source]:
    """Return the source of that name, or all that have an API. Raises RouterError if there is none."""
    if name is not None and name not in sources:
        raise RouterError(f"no source named {name} in the rules file")
    found = [sources[name]] if name is not None else [source for source in sources.values() if source.api is not None]
    if not found:
        raise RouterError("no source has an API: add [sources.NAME.api] to the rules file")
    return found


def as_json(look: Look) -> Json:
    """Return a look as commands show it."""
    missed: list[Json] = [
        {
            "prompt": change.prompt.name,
            "version": change.version.number,
            "action": change.action,
            "what": _in_words(change),
        }
        for change in look.missed
        if change.prompt is not None and change.version is not None
    ]
    counts = {"imported": look.imported, "prompts": look.prompts, "read": look.read, "waiting": look.waiting}
    return {"source": look.source, **counts, "missed": missed}


def _in_words(change: Change) -> str:
    summary = summary_of(Told(change, None), Setting(rule=""), "none")
    return f"{summary.title}: {summary.headline}"


class Reconciler:
    """Looks at every source in force that has an API: at once, every `every`, and when somebody asks.

    `apis` gives the API of a source (None: it has none, or no keys), `ended` is told of each look, `stored` is called
    when there are events to route.
    """

    def __init__(
        self,
        store: Store,
        baseline: Baseline,
        apis: Callable[[Source], PublicApi | None],
        ended: Callable[[Look], None],
        stored: Callable[[], None],
    ) -> None:
        self._store = store
        self._baseline = baseline
        self._apis = apis
        self._ended = ended
        self._stored = stored
        self._locks: dict[str, asyncio.Lock] = {}
        self._next: dict[str, datetime] = {}

    async def run(self, sources: Callable[[], Mapping[str, Source]]) -> None:
        """Look whenever it is time; ends when it is cancelled."""
        looking: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                now = datetime.now(UTC)
                for name, source in sources().items():
                    if source.api is None or name in looking or self._next.get(name, now) > now:
                        continue
                    looking[name] = asyncio.create_task(self._look_in_time(source, source.api.every))
                await asyncio.sleep(TICK)
                looking = {name: task for name, task in looking.items() if not task.done()}
        finally:
            for task in looking.values():
                task.cancel()
            await asyncio.gather(*looking.values(), return_exceptions=True)

    async def _look_in_time(self, source: Source, every: timedelta) -> None:
        pause = min(every, AFTER_FAILURE)
        try:
            if self._apis(source) is not None:
                await self.look(source, _logged(source.name))
            pause = every
        except (ApiUnavailable, StoreUnavailable, AlreadyLooking) as error:
            log.warning("the look at Langfuse failed", source=source.name, error=str(error))
        except Exception:
            # a fault of ours must not end the service; the next look may see something else
            log.exception("looking at Langfuse failed in the router itself", source=source.name)
        soon = self._next.get(source.name, datetime.max.replace(tzinfo=UTC))
        now = datetime.now(UTC)
        self._next[source.name] = min(now + pause, soon) if soon > now else now + pause

    async def look(self, source: Source, progress: Progress = lambda _done, _of: None) -> Look:
        """Look now; first import what was never imported. Raises ApiUnavailable, AlreadyLooking, RouterError."""
        api = self._apis(source)
        if api is None:
            raise RouterError(f"source {source.name} has no API, or its host or keys are missing from the environment")
        async with self._right(source.name):
            imported = 0
            if not await self._baseline.is_complete(source.name):
                imported = await self._baseline.import_all(api, progress)
            look = await _Looking(self._store, api, imported).run(progress)
        if look.first_seen:
            self._next[source.name] = datetime.now(UTC) + SOON
        found = look.result()
        self._ended(found)
        self._stored()
        return found

    @contextlib.asynccontextmanager
    async def _right(self, source: str) -> AsyncIterator[None]:
        """Let nobody else look at this source, in this process or another. Raises AlreadyLooking."""
        async with self._locks.setdefault(source, asyncio.Lock()):
            if not await asyncio.wrap_future(self._store.take_look(source, LEASE)):
                raise AlreadyLooking(f"source {source}: another router is looking at Langfuse right now")
            keeping = asyncio.create_task(self._keep(source))
            try:
                yield
            finally:
                keeping.cancel()
                with contextlib.suppress(StoreUnavailable):
                    await asyncio.wrap_future(self._store.let_go_look(source))

    async def _keep(self, source: str) -> None:
        while True:
            await asyncio.sleep(RENEWED)
            with contextlib.suppress(StoreUnavailable):
                await asyncio.wrap_future(self._store.keep_look(source, LEASE))


class AlreadyLooking(RouterError):
    """Somebody else is looking at this source."""


class _Looking:
    """One look at one source, under way."""

    def __init__(self, store: Store, api: PublicApi, imported: int) -> None:
        self._store = store
        self._api = api
        self._imported = imported
        self._project = ""
        self._listed: set[str] = set()
        self._before: dict[str, dict[str, datetime]] = {}
        self._differs: dict[str, dict[str, datetime]] = {}
        self._missed: list[Change] = []
        self._heard_at: datetime | None = None
        self._read = 0

    @property
    def first_seen(self) -> bool:
        """Whether something differs that did not at the look before."""
        return any(id not in self._before.get(name, {}) for name, ids in self._differs.items() for id in ids)

    def result(self) -> Look:
        return Look(
            source=self._api.source,
            imported=self._imported,
            prompts=len(self._listed),
            read=self._read,
            waiting=sum(map(len, self._differs.values())),
            missed=tuple(self._missed),
            heard_at=self._heard_at,
        )

    async def run(self, progress: Progress) -> "_Looking":
        source = self._api.source
        known = await asyncio.to_thread(self._store.look_progress, source)
        began = self._api.now
        self._before = await asyncio.to_thread(self._store.differing, source)
        updated = await self._updated(known.looked_at - OVERLAP) if known.looked_at else {}
        self._project = known.project_id or ""
        sample: dict[str, Listed] = {}
        number, pages = 0, 1
        while number < pages:
            number += 1
            page = await self._api.page(number)
            pages = page.pages
            listed = merged(page.prompts)
            sample = sample or listed
            self._project = self._project or await self._project_of(listed) or ""
            self._listed |= listed.keys()
            await self._examine({name: (one, updated.pop(name, None)) for name, one in listed.items()})
            progress(len(self._listed), page.total)
        alive = await asyncio.to_thread(self._store.alive, source, self._project) if self._project else set()
        if alive - self._listed:
            self._check(await self._project_of(sample))
        # a prompt may have slipped over the border of a page while we read
        others = sorted((alive | updated.keys()) - self._listed)
        for place in range(0, len(others), PROMPTS_AT_ONCE):
            names = others[place : place + PROMPTS_AT_ONCE]
            found = await together(map(self._api.listed, names))
            await self._examine({name: (one, updated.get(name)) for name, one in zip(names, found, strict=True)})
        await asyncio.wrap_future(self._store.finish_look(source, self._project or None, began, self._differs))
        if self._missed:
            self._heard_at = await asyncio.to_thread(self._store.heard_at, source)
        return self

    async def _updated(self, since: datetime) -> dict[str, Listed]:
        """Return what the list shows of the versions that were updated since then."""
        found: list[Listed] = []
        number, pages = 0, 1
        while number < pages:
            number += 1
            page = await self._api.page(number, since=since)
            pages = page.pages
            found += page.prompts
        return merged(found)

    async def _project_of(self, listed: Mapping[str, Listed]) -> str | None:
        """Return whose prompts these are; the list itself does not say it."""
        for name, one in listed.items():
            for version in one.versions:
                event = await self._api.version(name, Ask(version=version))
                if event is not None and event.project_id is not None:
                    return event.project_id
        return None

    def _check(self, project: str | None) -> None:
        """Raise ApiUnavailable if the keys are of another project than what is known: nothing of that one is there."""
        if project is not None and project != self._project:
            raise ApiUnavailable(
                f"source {self._api.source}: the API keys are of project {project}, but what is known is of project "
                f"{self._project}; a source is one project's, give the other one a source of its own"
            )

    async def _examine(self, shown: Mapping[str, tuple[Listed | None, Listed | None]]) -> None:
        """Compare these prompts with what is known of them."""
        source = self._api.source
        known = await asyncio.to_thread(self._store.ledgers, source, self._project, list(shown))
        names = list(shown)
        for place in range(0, len(names), PROMPTS_AT_ONCE):
            await asyncio.gather(
                *(
                    self._compare(
                        known.get(name) or Ledger(prompt=PromptKey(source, self._project, name)), *shown[name]
                    )
                    for name in names[place : place + PROMPTS_AT_ONCE]
                )
            )

    async def _compare(self, known: Ledger, listed: Listed | None, updated: Listed | None) -> None:
        name = known.prompt.name
        before = self._before.get(name, {})
        reading = compare(known, listed, updated, before)
        try:
            asks = next(reading)
            while True:
                self._read += len(asks)
                answers = await together(self._api.version(name, ask) for ask in asks)
                for event in answers:
                    self._check(None if event is None else event.project_id)
                asks = reading.send([None if event is None else known_as(known, event) for event in answers])
        except StopIteration as end:
            found: tuple[Difference, ...] = end.value
        if not found:
            return
        if await asyncio.to_thread(self._is_busy, known):
            self._differs[name] = before
            return
        now = datetime.now(UTC)
        told, self._differs[name] = due(found, before, known, now=now, there=self._api.now)
        await self._tell(
            known, told, {difference.version_id: before.get(difference.version_id, now) for difference in told}
        )

    def _is_busy(self, known: Ledger) -> bool:
        """Whether an event of the prompt waits, or was routed since `known` was read: then it is told already."""
        return bool(self._store.batch(known.prompt)) or self._store.ledger(known.prompt).revision != known.revision

    async def _tell(self, known: Ledger, told: Sequence[Difference], since: Mapping[str, datetime]) -> None:
        gone = [difference.version_id for difference in told if difference.event is None]
        contents = await asyncio.to_thread(self._store.contents, known.prompt, gone)
        whole = msgspec.structs.replace(known, contents=contents)
        events = [event_for(difference, whole, since[difference.version_id]) for difference in told]
        now = datetime.now(UTC)
        receipts = [self._store.receive(found_event(event, now)) for event in events]
        stored = [await asyncio.wrap_future(receipt) for receipt in receipts]
        new = [event for event, receipt in zip(events, stored, strict=True) if receipt.status == "accepted"]
        self._missed += [change for change in derive(known, new).changes if not (change.quiet or change.half)]


def _logged(source: str) -> Progress:
    """Return a progress that says in the log how far a long import is."""

    def progress(done: int, of: int) -> None:
        if done and done % 500 == 0 and of > done:
            log.info("reading prompts from Langfuse", source=source, done=done, of=of)

    return progress
