"""Settled batches of waiting events become changes, firings and stored deliveries."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from router.delivery.loop import Loop
from router.domain.change import Change
from router.domain.event import PromptKey
from router.domain.routing import Routing, SettledEvent
from router.domain.source import Source
from router.engine.explain import worth_keeping
from router.engine.ledger import change_of, contents_needed, derive, with_contents
from router.engine.plan import plan
from router.engine.ruleset import Ruleset
from router.service.halves import Halves
from router.storage.events import WaitingBatch, decoded
from router.storage.store import Store

log = structlog.get_logger("router.routing")

LONGEST_SETTLE: Final = 10
"""A batch is routed at the latest this many settle times after its first event."""

LONGEST_NAP: Final = 1.0
"""Seconds until the store is asked again even if nobody woke us: a replica may have left events behind."""

BATCHES_AT_ONCE: Final = 64
"""So many batches share one commit."""


class Routed(msgspec.Struct, frozen=True):
    """What became of a batch: the routing to store, and until when the rest of it waits for the other half of what."""

    routing: Routing | None
    until: datetime | None = None
    awaited: frozenset[str] = frozenset()


def route(
    batch: WaitingBatch,
    ruleset: Ruleset,
    store: Store,
    now: datetime,
    *,
    capture: bool,
    gone: frozenset[str] = frozenset(),
) -> Routed:
    """Decide on one batch, from the store's present ledger. Reads only; what it found is stored by the caller.

    `gone`: labels of its prompt that no version holds.
    """
    stored = store.batch(batch.key or batch.seq)
    events = {event.id: (row.seq, event) for row in stored for event in [decoded(row)]}
    if batch.key is None:
        changes = tuple(change_of(event) for _, event in events.values())
        settled = tuple(SettledEvent(seq, "routed") for seq, _ in events.values())
        return Routed(_routing(ruleset, changes, settled, now, capture=capture))
    known = store.ledger(batch.key)
    source = ruleset.sources.get(batch.source)
    pair = source.pair if source else timedelta()
    derived = derive(known, [event for _, event in events.values()], now=now, pair=pair, gone=gone)
    settled = tuple(SettledEvent(events[id][0], status, reason) for id, (status, reason) in derived.statuses.items())
    if not settled:
        return Routed(None, derived.until, derived.awaited)
    contents = derived.ledger.contents | store.contents(
        batch.key, contents_needed(derived.changes) - derived.ledger.contents.keys()
    )
    changes = tuple(with_contents(change, contents) for change in derived.changes)
    routing = _routing(ruleset, changes, settled, now, capture=capture)
    return Routed(msgspec.structs.replace(routing, ledger=derived.ledger), derived.until, derived.awaited)


def _routing(
    ruleset: Ruleset,
    changes: tuple[Change, ...],
    settled: tuple[SettledEvent, ...],
    now: datetime,
    *,
    capture: bool,
) -> Routing:
    planned = plan(ruleset, changes, now=now, capture=capture)
    return Routing(
        ledger=None,
        events=settled,
        changes=changes,
        verdicts={
            change.id: worth_keeping(v for v in planned.verdicts[change.id] if not change.quiet or v.verdict != "no")
            for change in changes
        },
        firings=planned.firings,
        deliveries=planned.deliveries,
        ruleset=ruleset.digest,
    )


def settled_at(batch: WaitingBatch, settle: timedelta) -> datetime:
    """Return when nothing came for `settle`, at the latest ten times that after the first event."""
    if batch.key is None:
        return batch.first_received_at
    return min(batch.last_received_at + settle, batch.first_received_at + LONGEST_SETTLE * settle)


class RoutingLoop:
    """Routes what has settled. `ruleset` returns the rules in force; `routed` is told what was stored.

    `wait_for` says until when a batch has to wait for what was before it to be known; `halves` asks Langfuse where lost
    labels went.
    """

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        routed: Callable[[Sequence[Routing]], None],
        wait_for: Callable[[WaitingBatch, Source | None], datetime | None] = lambda _batch, _source: None,
        halves: Halves | None = None,
        *,
        capture: bool,
    ) -> None:
        self._store = store
        self._ruleset = ruleset
        self._routed = routed
        self._wait_for = wait_for
        self._halves = halves
        self._capture = capture
        self._loop = Loop(
            self._step,
            longest_nap=LONGEST_NAP,
            unavailable="events cannot be routed",
            failed="routing failed in the router itself",
        )
        self._held: dict[PromptKey | None, tuple[int, datetime]] = {}
        """Batches that wait for the other half of a move: how many events they had, and until when."""

    def wake(self) -> None:
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    async def run(self) -> None:
        await self._loop.run()

    async def _step(self) -> float:
        """Route what is due; return the seconds until something may be."""
        waiting = await asyncio.to_thread(self._store.waiting)
        now = datetime.now(UTC)
        ruleset = self._ruleset()
        self._held = {batch.key: self._held[batch.key] for batch in waiting if batch.key in self._held}
        times = [(self._due(batch, ruleset), batch) for batch in waiting]
        due = [batch for at, batch in times if at <= now][:BATCHES_AT_ONCE]
        if due:
            await self._route_all(due, ruleset, now)
            return 0.0
        later = min((at for at, _ in times), default=now + timedelta(seconds=LONGEST_NAP))
        return (later - now).total_seconds()

    def _due(self, batch: WaitingBatch, ruleset: Ruleset) -> datetime:
        source = ruleset.sources.get(batch.source)
        settled = settled_at(batch, source.settle if source else timedelta())
        if batch.key in self._held:
            count, until = self._held[batch.key]
            if count == batch.count:
                return until
        known_at = self._wait_for(batch, source)
        return settled if known_at is None else max(settled, known_at)

    async def _route_all(self, due: Sequence[WaitingBatch], ruleset: Ruleset, now: datetime) -> None:
        results = await asyncio.to_thread(self._decide, due, ruleset, now)
        routings = []
        for batch, result in zip(due, results, strict=True):
            if batch.key is not None and result.until is not None:
                left = batch.count - (len(result.routing.events) if result.routing else 0)
                self._held[batch.key] = (left, result.until)
            self._seek(batch, result, ruleset)
            if result.routing is not None:
                routings.append(result.routing)
        stored = await asyncio.wrap_future(self._store.commit(routings, datetime.now(UTC)))
        self._routed([routing for routing in stored if routing is not None])

    def _decide(self, due: Iterable[WaitingBatch], ruleset: Ruleset, now: datetime) -> list[Routed]:
        return [
            route(
                batch,
                ruleset,
                self._store,
                now,
                capture=self._capture,
                gone=self._halves.gone(batch.key) if self._halves and batch.key else frozenset(),
            )
            for batch in due
        ]

    def _seek(self, batch: WaitingBatch, result: Routed, ruleset: Ruleset) -> None:
        """Ask for the other halves that the batch waits for; a wait that is over is asked for no more."""
        if self._halves is None or batch.key is None:
            return
        source = ruleset.sources.get(batch.source)
        if result.until is None or source is None:
            self._halves.forget(batch.key)
        else:
            self._halves.seek(source, batch.key, result.awaited, result.until)
