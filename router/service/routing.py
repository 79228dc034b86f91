"""Settled batches of waiting events become changes, firings and stored deliveries."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from router.delivery.loop import Loop, at_once
from router.delivery.worker import Lent
from router.domain.change import Change
from router.domain.event import Content, Event, PromptKey
from router.domain.routing import Routing, SettledEvent
from router.domain.source import Source
from router.engine.explain import worth_keeping
from router.engine.ledger import Derivation, change_of, contents_needed, derive, with_contents
from router.engine.plan import plan
from router.engine.ruleset import Ruleset
from router.service.halves import Halves

if TYPE_CHECKING:
    from router.service.tracing import Tracing
from router.storage.errors import StoreUnavailable
from router.storage.events import WaitingBatch, decoded
from router.storage.store import Store
from router.storage.turn import Turn

log = structlog.get_logger("router.routing")

LONGEST_SETTLE: Final = 10
"""A batch is routed at the latest this many settle times after its first event."""

LONGEST_NAP: Final = 1.0
"""Seconds until the store is asked again even if nobody woke us: a replica may have left events behind."""

EVENTS_AT_ONCE: Final = 64
"""Batches of so many events share one commit; who sends an event meanwhile waits for it."""

AFTER_A_FAULT: Final = timedelta(minutes=1)
"""For so long a batch is left alone that the router itself could not handle."""

OTHERS_ROUTE: Final = 0.1
"""Seconds for which other replicas are left alone with what they are routing."""


class Routed(msgspec.Struct, frozen=True):
    """What became of a batch: the routing to store, and until when the rest of it waits for the other half of what."""

    routing: Routing | None
    until: datetime | None = None
    awaited: frozenset[str] = frozenset()


def untraced(events: dict[int, Event]) -> dict[int, Event]:
    return events


def none_gone(_key: PromptKey) -> frozenset[str]:
    return frozenset()


def route(
    batches: Sequence[WaitingBatch],
    ruleset: Ruleset,
    turn: Turn,
    now: datetime,
    *,
    capture: bool,
    gone: Callable[[PromptKey], frozenset[str]] = none_gone,
    traced: Callable[[dict[int, Event]], dict[int, Event]] = untraced,
) -> list[Routed]:
    """Decide on each batch, from the store's present ledgers. Reads only; what it found is stored by the caller.

    `gone`: labels of a prompt that no version holds. `traced` is given what is routed, by its number in the store.
    """
    waiting = [traced({row.seq: decoded(row) for row in rows}) for rows in turn.events(batches)]
    known = turn.ledgers([batch.key for batch in batches if batch.key is not None])
    derived: dict[PromptKey, Derivation] = {}
    for batch, events in zip(batches, waiting, strict=True):
        if batch.key is not None and events:
            source = ruleset.sources.get(batch.source)
            pair = source.pair if source else timedelta()
            derived[batch.key] = derive(known[batch.key], events.values(), now=now, pair=pair, gone=gone(batch.key))
    contents = turn.contents(
        {key: contents_needed(found.changes) - found.ledger.contents.keys() for key, found in derived.items()}
    )
    results = []
    for batch, events in zip(batches, waiting, strict=True):
        if not events:
            results.append(Routed(None))  # somebody else was faster
        elif batch.key is None:
            results.append(_of_no_prompt(events, ruleset, now, capture=capture))
        else:
            found = derived[batch.key], contents[batch.key]
            results.append(_of_prompt(events, *found, ruleset, now, capture=capture))
    return results


def _of_no_prompt(events: Mapping[int, Event], ruleset: Ruleset, now: datetime, *, capture: bool) -> Routed:
    changes = tuple(map(change_of, events.values()))
    settled = tuple(SettledEvent(seq, "routed", waited=now - event.received_at) for seq, event in events.items())
    return Routed(_routing(ruleset, changes, settled, now, capture=capture))


def _of_prompt(
    events: Mapping[int, Event],
    derived: Derivation,
    contents: dict[str, Content],
    ruleset: Ruleset,
    now: datetime,
    *,
    capture: bool,
) -> Routed:
    """`contents`: of the versions that the changes speak of, as far as the store has them."""
    seqs = {event.id: seq for seq, event in events.items()}
    settled = tuple(
        SettledEvent(seqs[id_], status, reason, now - events[seqs[id_]].received_at)
        for id_, (status, reason) in derived.statuses.items()
    )
    if not settled:
        return Routed(None, derived.until, derived.awaited)
    known = derived.ledger.contents | contents
    changes = tuple(with_contents(change, known) for change in derived.changes)
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


def _name(batch: WaitingBatch) -> PromptKey | int:
    return batch.key or batch.seq


def portions(due: Iterable[WaitingBatch]) -> Iterator[Sequence[WaitingBatch]]:
    """Cut what is due into steps that take about as long; a batch stays whole."""
    portion, events = list[WaitingBatch](), 0
    for batch in due:
        if portion and events + batch.count > EVENTS_AT_ONCE:
            yield portion
            portion, events = [], 0
        portion.append(batch)
        events += batch.count
    if portion:
        yield portion


def nothing_lent() -> AbstractAsyncContextManager[Lent]:
    return nullcontext(Lent({}))


class RoutingLoop:
    """Routes what has settled. `ruleset` returns the rules in force; `routed` is told what was stored, and the keys of
    the deliveries that were claimed with that for whom `lend` speaks.

    `wait_for` says until when a batch has to wait for what was before it to be known; `halves` asks Langfuse where lost
    labels went; `give_way` returns when nothing more urgent is going on.
    """

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        routed: Callable[[Sequence[Routing], Collection[str]], None],
        wait_for: Callable[[WaitingBatch, Source | None], datetime | None] = lambda _batch, _source: None,
        halves: Halves | None = None,
        give_way: Callable[[], Awaitable[None]] = at_once,
        tracing: "Tracing | None" = None,
        lend: Callable[[], AbstractAsyncContextManager[Lent]] = nothing_lent,
        *,
        capture: bool,
    ) -> None:
        self._lend = lend
        self._store = store
        self._ruleset = ruleset
        self._routed = routed
        self._wait_for = wait_for
        self._halves = halves
        self._give_way = give_way
        self._tracing = tracing
        self._capture = capture
        self._loop = Loop(
            self._step,
            longest_nap=LONGEST_NAP,
            unavailable="events cannot be routed",
            failed="routing failed in the router itself",
        )
        self._remembered: str | None = None
        self._held: dict[PromptKey | int, tuple[int, datetime]] = {}
        """Batches that wait for the other half of a move: how many events they had, and until when."""
        self._told: dict[PromptKey, WaitingBatch] = {}
        """What came since the last step, as far as we were told which."""
        self._all_told = False
        """Nothing waits but what we are told, as far as is known."""
        self._look_at = 0.0
        """When the store is asked what waits, whatever is known."""

    def wake(self, after: timedelta = timedelta()) -> None:
        """There may be something to route in that time; looking earlier would be in vain. Call it on the event loop."""
        self._all_told = False
        self._loop.wake(after)

    def came(self, key: PromptKey, at: datetime) -> None:
        """An event of that prompt is stored, which came `at` then and waits for no other. Call it on the event loop."""
        known = self._told.get(key)
        self._told[key] = WaitingBatch(
            key=key,
            seq=0,
            source=key.source,
            count=1 if known is None else known.count + 1,
            first_received_at=at if known is None else known.first_received_at,
            last_received_at=at,
        )
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    async def run(self) -> None:
        await self._loop.run()

    async def _step(self) -> float:
        """Route what is due; return the seconds until something may be."""
        waiting = await self._waiting()
        ruleset = self._ruleset()  # after the look: what arrived after a reload is routed by its rules
        await self._remember(ruleset)
        now = datetime.now(UTC)
        self._held = {name: self._held[name] for batch in waiting if (name := _name(batch)) in self._held}
        times = [(self._due(batch, ruleset), batch) for batch in waiting]
        due = [batch for at, batch in times if at <= now]
        if due:
            routed = False
            for some in portions(due):
                await self._give_way()
                routed |= await self._route_all(some, ruleset, now)
            if self._all_told and len(due) == len(waiting):
                return LONGEST_NAP
            self._all_told = False
            return 0.0 if routed else OTHERS_ROUTE
        self._all_told &= not waiting
        later = min((at for at, _ in times), default=now + timedelta(seconds=LONGEST_NAP))
        return (later - now).total_seconds()

    async def _waiting(self) -> Sequence[WaitingBatch]:
        """Return what waits: what we were told came, if that is all as far as is known; else the store says."""
        told, self._told = self._told, {}
        now = asyncio.get_running_loop().time()
        if told and self._all_told and now < self._look_at:
            return list(told.values())
        self._all_told, self._look_at = True, now + LONGEST_NAP  # who wakes us meanwhile knows of more
        waiting = await asyncio.to_thread(self._store.waiting)
        self._all_told &= not waiting
        return waiting

    async def _remember(self, ruleset: Ruleset) -> None:
        """Keep the rules before anything is routed by them."""
        if ruleset.digest != self._remembered:
            await asyncio.wrap_future(self._store.save_ruleset(ruleset.digest, ruleset.text))
            self._remembered = ruleset.digest

    def _due(self, batch: WaitingBatch, ruleset: Ruleset) -> datetime:
        source = ruleset.sources.get(batch.source)
        settled = settled_at(batch, source.settle if source else timedelta())
        if _name(batch) in self._held:
            count, until = self._held[_name(batch)]
            if count == batch.count:
                return until
        known_at = self._wait_for(batch, source)
        return settled if known_at is None else max(settled, known_at)

    async def _route_all(self, due: Sequence[WaitingBatch], ruleset: Ruleset, now: datetime) -> bool:
        """Route those that no other replica is routing; tell whether there were any."""
        if self._loop.is_stopping:
            return False
        async with self._lend() as lent:
            results, stored = await asyncio.to_thread(self._route, due, ruleset, now, lent)
        over = [result for _, result in results if result.until is None]
        self._all_told &= len(over) == len(due) and len(stored) == sum(result.routing is not None for result in over)
        for batch, result in results:
            if result.until is not None:
                left = batch.count - (len(result.routing.events) if result.routing else 0)
                self._held[_name(batch)] = (left, result.until)
            self._seek(batch, result, ruleset)
        self._routed(stored, {claim.key for claim in lent.claims})
        return bool(results)

    def _route(
        self, due: Sequence[WaitingBatch], ruleset: Ruleset, now: datetime, lent: Lent
    ) -> tuple[list[tuple[WaitingBatch, Routed]], list[Routing]]:
        """Decide and store. Return what was decided on each batch, and the routings that count."""
        with self._store.turn(due) as turn:
            results = self._decide(turn.batches, ruleset, turn, now)
            routings = [result.routing for _, result in results if result.routing is not None]
            stored: list[Routing] = []
            if routings:
                committed = self._store.commit(routings, datetime.now(UTC), turn.read, lent.wanted).result()
                stored, lent.claims = [one for one in committed.routings if one is not None], committed.claims
        if self._tracing is not None:
            self._tracing.routed(stored)
        return results, stored

    def _decide(
        self, batches: Sequence[WaitingBatch], ruleset: Ruleset, turn: Turn, now: datetime
    ) -> list[tuple[WaitingBatch, Routed]]:
        gone = self._halves.gone if self._halves else none_gone
        traced = self._tracing.routing if self._tracing else untraced
        try:
            results = route(batches, ruleset, turn, now, capture=self._capture, gone=gone, traced=traced)
        except StoreUnavailable:
            raise
        except Exception:
            # one batch that we cannot handle must not end the routing of all others
            if len(batches) > 1:
                return [one for batch in batches for one in self._decide([batch], ruleset, turn, now)]
            (batch,) = batches
            log.exception("a batch cannot be routed", source=batch.source, prompt=batch.key and batch.key.name)
            return [(batch, Routed(None, now + AFTER_A_FAULT))]
        return list(zip(batches, results, strict=True))

    def _seek(self, batch: WaitingBatch, result: Routed, ruleset: Ruleset) -> None:
        """Ask for the other halves that the batch waits for; a wait that is over is asked for no more."""
        if self._halves is None or batch.key is None:
            return
        source = ruleset.sources.get(batch.source)
        if result.until is None or not result.awaited or source is None:
            self._halves.forget(batch.key)
        else:
            self._halves.seek(source, batch.key, result.awaited, result.until)
