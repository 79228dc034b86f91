"""The store: everything that is remembered, behind one door.

Reading methods answer at once and may be called from any thread; they see one moment. Writing methods return a
future that is done when the disk has it. Both raise StoreUnavailable while the database does not answer.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select

from router.domain.change import Change
from router.domain.delivery import DELIVERY_STATUSES, Claim, DeliveryStatus, Thread
from router.domain.event import Content, Event, PromptKey
from router.domain.ledger import Ledger, Occurred
from router.domain.message import DestinationType
from router.domain.routing import Hold, Routing
from router.engine.replay import Past, Replay
from router.storage import (
    activity,
    bell,
    changes,
    database,
    deliveries,
    destinations,
    events,
    held,
    history,
    ledgers,
    looks,
    prompts,
    replays,
    retention,
    routings,
    threads,
    troubles,
    waits,
)
from router.storage.activity import DestinationCount, Hour, RuleCount, SourceCount
from router.storage.bell import Call
from router.storage.changes import ChangeFilter
from router.storage.deliveries import GivenUp, Settled, Settlement, Wanted
from router.storage.events import NewEvent, Receipt, StoredEvent, WaitingBatch
from router.storage.held import Held, Telling, Window
from router.storage.looks import Progress
from router.storage.records import (
    Backlog,
    Chosen,
    DeliveryDetail,
    DeliveryFilter,
    DeliveryRecord,
    DestinationRecord,
    EventDetail,
    EventFilter,
    EventLine,
    EventRecord,
    Page,
    PromptDetail,
    PromptFilter,
)
from router.storage.replays import Place, Replayed
from router.storage.retention import Forgotten
from router.storage.routings import Committed
from router.storage.turn import Turn, turn
from router.storage.writer import Writer


class Store:
    """An open store. Close it; it is its own context manager."""

    def __init__(self, opened: database.Database) -> None:
        self._database = opened
        self._writer = Writer(opened.writes, opened.inserts)
        self._direct = opened.direct()
        self._name = uuid.uuid4().hex

    @classmethod
    def open(cls, url: str, *, serve: bool = False, migrate: bool = False, patient: bool = False) -> "Store":
        """Open the store at `url` (`sqlite:///path`, or `postgresql://user@host/db`).

        `serve`: as the one server of a SQLite file, which is made and migrated as needed. `migrate`: bring the schema
        up to date first, on any database. `patient`: a PostgreSQL that does not answer is no fault, it may later.
        Raises StoreNotMigrated or StoreError, in one line.
        """
        store = cls(database.open_database(url, serve=serve, migrate=migrate, patient=patient))
        if serve and store._database.is_alone:
            # whoever was sending ended: nobody has to wait for its leases
            store._writer.submit(deliveries.expire_all).result()
            store._writer.submit(lambda connection: looks.let_go(connection, None)).result()
        return store

    def close(self) -> None:
        """Finish what was handed over, then let go of the database."""
        self._writer.close()
        if self._direct is not None:
            self._direct.close()
        self._database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ping(self) -> None:
        """Return if the database answers."""
        with self._database.read() as connection:
            connection.execute(select(1))

    def check_writable(self) -> None:
        """Return if the database takes writes; nothing is written. Raises StoreError."""
        self._database.check_writable()

    def schema_version(self) -> str | None:
        with self._database.read() as connection:
            return database.schema_version(connection)

    # Events

    def receive(self, event: NewEvent) -> Future[Receipt]:
        """Keep an event. The same id with the same body is a duplicate; with another body, another event."""
        answered: Future[Receipt] = Future()
        answered.set_running_or_notify_cancel()

        def answer(stored: Future[list[Receipt | Exception]]) -> None:
            (result,) = stored.result()
            if isinstance(result, Exception):
                answered.set_exception(result)
            else:
                answered.set_result(result)

        self._writer.receive([event]).add_done_callback(answer)
        return answered

    def receive_all(self, arrived: Sequence[NewEvent]) -> Future[list[Receipt | Exception]]:
        """Keep events, each by itself: its receipt, or why it could not be stored."""
        return self._writer.receive(arrived)

    async def keep_all(self, arrived: Sequence[NewEvent]) -> list[Receipt | Exception]:
        """The same from the event loop, without its thread where possible."""
        if self._direct is None:
            return await asyncio.wrap_future(self.receive_all(arrived))
        receipts = await self._direct.receive(arrived)
        others = [place for place, receipt in enumerate(receipts) if receipt is None]
        results = await asyncio.wrap_future(self.receive_all([arrived[place] for place in others])) if others else []
        if any(isinstance(result, Receipt) for result in results):
            self._direct.open_soon()
        said = dict(zip(others, results, strict=True))
        return [receipt or said[place] for place, receipt in enumerate(receipts)]

    def waiting(self) -> list[WaitingBatch]:
        """Return what waits to be routed, first come first."""
        with self._database.read() as connection:
            return events.waiting(connection)

    def batch(self, of: PromptKey | int) -> list[StoredEvent]:
        """Return every waiting event of a prompt, or the one of that number, in the order of arrival."""
        with self._database.read() as connection:
            return events.batch(connection, of)

    def events_before(self, event: int, limit: int) -> list[Event]:
        """Return the last `limit` events of that one's prompt that arrived before it, in order."""
        with self._database.read() as connection:
            return [events.decoded(stored) for stored in events.before(connection, event, limit)]

    def heard_at(self, source: str) -> datetime | None:
        """Return when the last webhook of a source came; None: none is known."""
        with self._database.read() as connection:
            return events.heard_at(connection, source)

    # Routing

    def ledger(self, key: PromptKey) -> Ledger:
        """Return what is known of a prompt, without contents."""
        with self._database.read() as connection:
            return ledgers.ledger(connection, key)

    def turn(self, batches: Sequence[WaitingBatch]) -> AbstractContextManager[Turn]:
        """Give the right to route those of the batches that no other replica is routing, until the block ends."""
        return turn(self._database, batches)

    def whole_ledger(self, key: PromptKey) -> Ledger:
        """Return all that is known of a prompt, with every version's content."""
        with self._database.read() as connection:
            known = ledgers.ledger(connection, key)
            contents = ledgers.contents(connection, key, known.versions)
            return msgspec.structs.replace(known, contents=contents)

    def occurred(self) -> Occurred:
        """Return all prompts that are known, and every label that was ever seen."""
        with self._database.read() as connection:
            return ledgers.occurred(connection)

    def contents(self, key: PromptKey, ids: Iterable[str]) -> dict[str, Content]:
        """Return the contents of those versions of a prompt, by prompt id, as far as they are known."""
        with self._database.read() as connection:
            return ledgers.contents(connection, key, ids)

    def changes(self, ids: Iterable[str]) -> list[Change]:
        """Return those changes with their contents, in the order in which the ledger told them.

        One whose event is not kept any more is left out.
        """
        with self._database.read() as connection:
            return changes.by_id(connection, ids)

    def changes_told_with(self, event: int) -> list[Change]:
        """Return what that event changed, with what else was routed of its prompt in the same batch, in order."""
        with self._database.read() as connection:
            return changes.told_with(connection, event)

    def changes_matching(self, wanted: ChangeFilter) -> Iterator[Change]:
        """Yield changes with their contents, the oldest first; they are read portion by portion."""
        after: int | None = 0
        while after is not None:
            with self._database.read() as connection:
                found, after = changes.portion(connection, wanted, after)
            yield from found

    def commit(
        self,
        found: Sequence[Routing],
        at: datetime,
        read: Mapping[PromptKey, Ledger] = {},
        wanted: Mapping[str, Wanted] = {},
    ) -> Future[Committed]:
        """Store each routing whole, or not at all: None where the ledger (or the events) moved on since it was read.

        What is there already (a change, a firing, a delivery) is passed over, so that repeating is harmless. What
        was stored is returned: its firings either fired or are held (`hold`), and only the former have deliveries.
        `read`: the ledgers that were read for it, lest they be read again. Of the destinations `wanted` for which some
        were made, those that are due are claimed together with that.
        """
        return self._writer.submit(lambda connection: routings.commit(connection, found, at, read, wanted))

    def save_ruleset(self, digest: str, text: str) -> Future[None]:
        """Keep the rules under their digest, so that what they decided can be explained later."""
        return self._writer.submit(lambda connection: routings.save_ruleset(connection, digest, text))

    def ruleset(self, digest: str) -> str | None:
        with self._database.read() as connection:
            return routings.ruleset(connection, digest)

    # Telling again

    def places(self, wanted: EventFilter | Collection[int]) -> list[Place]:
        """Return what those events changed, batch by batch, the oldest first; never what was told on request only."""
        with self._database.read() as connection:
            return replays.places(connection, wanted)

    def past(self, ids: Iterable[str]) -> Past:
        """Return what became of those changes, with all that were told together with one of them."""
        with self._database.read() as connection:
            return replays.past(connection, ids)

    def replay(self, found: Replay, at: datetime) -> Future[Replayed]:
        """Store what is told again, whole; what somebody else told meanwhile is passed over."""
        return self._writer.submit(lambda connection: replays.commit(connection, found, at))

    # What is held back

    def due_windows(self, most: int) -> list[Window]:
        """Return the windows in which something is held, those that are due first."""
        with self._database.read() as connection:
            return held.due(connection, most)

    def held(self, window: Window) -> Held:
        """Return what is held in a window, as far as one firing can tell it."""
        with self._database.read() as connection:
            return held.held(connection, window)

    def tell(self, telling: Telling, at: datetime) -> Future[bool]:
        """Store the firing for what was held, whole, or not at all: False where somebody else did since it was read."""
        return self._writer.submit(lambda connection: held.tell(connection, telling, at))

    def park(self, window: Window) -> Future[bool]:
        """Let a due window wait for a rule of its name; False: it is not as it was."""
        return self._writer.submit(lambda connection: held.park(connection, window))

    def windows_by_rule(self) -> dict[str, int]:
        """Return how many changes are held by each rule that has a window."""
        with self._database.read() as connection:
            return held.by_rule(connection)

    def bring_forward(self, holds: Mapping[str, Hold | None]) -> Future[None]:
        """Let windows end as the rules in force would have it, if that is earlier; what was parked is due."""
        return self._writer.submit(lambda connection: held.bring_forward(connection, holds))

    def forget_windows(self) -> Future[None]:
        """Remove windows that are over and hold nothing."""
        return self._writer.submit(held.forget)

    # Delivery

    def put_in_force(self, types: Mapping[str, DestinationType], changed: Iterable[str]) -> Future[None]:
        """Say which destinations the rules have; breaker and pause of those that `changed` are forgotten."""
        known, anew = dict(types), tuple(changed)
        return self._writer.submit(lambda connection: destinations.put_in_force(connection, known, anew))

    def claim(self, wanted: Mapping[str, Wanted]) -> Future[list[Claim]]:
        """Take due deliveries of those destinations, as far as breaker, pause, rate and order allow."""
        return self._writer.submit(lambda connection: deliveries.claim(connection, wanted))

    def settle(self, settlements: Sequence[Settlement]) -> Future[list[Settled | None]]:
        """Record how attempts ended; None: that claim was outdated and nothing was changed."""
        return self._writer.submit(lambda connection: deliveries.settle(connection, settlements))

    def root(self, thread: Thread) -> str | None:
        """Return what a conversation's first message is called at its destination; None: there is none yet."""
        with self._database.read() as connection:
            return threads.root(connection, thread)

    def release(self, claims: Sequence[Claim]) -> Future[None]:
        """Give deliveries back untried: the attempts do not count."""
        return self._writer.submit(lambda connection: deliveries.release(connection, claims))

    def give_up(self, wanted: Mapping[str, Wanted]) -> Future[list[GivenUp]]:
        """End what waits for longer than its destination's `max_age`."""
        return self._writer.submit(lambda connection: deliveries.give_up(connection, wanted))

    def due_destinations(self, wanted: Mapping[str, Wanted]) -> dict[str, timedelta]:
        """Return how long until there is something to claim, for each of those destinations with work (0: now)."""
        with self._database.read() as connection:
            return deliveries.due_destinations(connection, wanted)

    def retry(self, keys: Iterable[str]) -> Future[list[str]]:
        """Send dead and captured deliveries (again), under their keys. Return the keys of those that now wait."""
        wanted = tuple(keys)
        return self._writer.submit(lambda connection: deliveries.retry(connection, wanted))

    def cancel(
        self, keys: Iterable[str], reason: str, *, only: Sequence[DeliveryStatus] = deliveries.CANCELLABLE
    ) -> Future[list[str]]:
        """End deliveries that wait, are dead or captured, because of `reason`. Return the keys of those that did."""
        wanted = tuple(keys)
        return self._writer.submit(lambda connection: deliveries.cancel(connection, wanted, reason, only))

    def trouble_due(self, kind: str, subject: str, every: timedelta) -> Future[int | None]:
        """Count a trouble. How many there were since it was last told if it may be told now, else None."""
        return self._writer.submit(lambda connection: troubles.trouble_due(connection, kind, subject, every))

    # Langfuse's API

    def look_progress(self, source: str) -> Progress:
        """Return how far a source is known from Langfuse's API."""
        with self._database.read() as connection:
            return looks.progress(connection, source)

    def take_look(self, source: str, lease: timedelta) -> Future[bool]:
        """Take the right to look at a source for that long; False: somebody else has it."""
        return self._writer.submit(lambda connection: looks.take(connection, source, lease))

    def keep_look(self, source: str, lease: timedelta) -> Future[None]:
        """Keep that right for so long from now."""
        return self._writer.submit(lambda connection: looks.keep(connection, source, lease))

    def let_go_look(self, source: str) -> Future[None]:
        return self._writer.submit(lambda connection: looks.let_go(connection, source))

    def imported(self, source: str, names: Iterable[str]) -> set[str]:
        """Return those of the prompts that were imported."""
        with self._database.read() as connection:
            return looks.imported(connection, source, names)

    def save_import(self, source: str, name: str, found: Ledger | None) -> Future[bool]:
        """Store an imported prompt (None: there is none of that name); False: its ledger moved on since it was read."""
        return self._writer.submit(lambda connection: looks.save_import(connection, source, name, found))

    def finish_import(self, source: str, at: datetime, there: datetime) -> Future[None]:
        """Remember that every prompt is imported; `there`: when that began, by Langfuse's clock."""
        return self._writer.submit(lambda connection: looks.finish_import(connection, source, at, there))

    def ledgers(self, source: str, project_id: str, names: Iterable[str]) -> dict[str, Ledger]:
        """Return what is known of those prompts, by name and without contents."""
        with self._database.read() as connection:
            return looks.known(connection, source, project_id, names)

    def alive(self, source: str, project_id: str) -> set[str]:
        """Return the names of the prompts of which a version is left."""
        with self._database.read() as connection:
            return looks.alive(connection, source, project_id)

    def differing(self, source: str) -> dict[str, dict[str, datetime]]:
        """Return the prompts that differed at the last look: by name, since when which version does."""
        with self._database.read() as connection:
            return looks.differing(connection, source)

    def finish_look(
        self, source: str, project_id: str | None, there: datetime, differs: Mapping[str, Mapping[str, datetime]]
    ) -> Future[None]:
        """Remember a complete look that began `there` by Langfuse's clock, whose prompts it saw, and what differed."""
        return self._writer.submit(lambda connection: looks.finish_look(connection, source, project_id, there, differs))

    # Forgetting

    def forget_events(self, before: datetime, after: int) -> Future[Forgotten]:
        """Remove, of some events behind number `after`, those finished `before` then, with all that came of them."""
        return self._writer.submit(lambda connection: retention.forget_events(connection, before, after))

    def forget_changes(self, before: datetime, after: str) -> Future[Forgotten]:
        """Remove, of some changes behind id `after` that outlived their events, those that are no longer needed."""
        return self._writer.submit(lambda connection: retention.forget_changes(connection, before, after))

    # Other replicas

    @property
    def is_shared(self) -> bool:
        """Whether other servers may work on this store."""
        return self._database.is_shared

    def call(self, what: Call) -> None:
        """Tell the other replicas that there is more of it."""
        if self.is_shared:
            self._writer.submit(lambda connection: bell.call(connection, what, self._name))

    async def listen(self, heard: Callable[[Call], None]) -> None:
        """Call `heard` for what others call, until cancelled. Every so often also look without having been called."""
        await self._database.listen(self._name, heard)

    # What people ask

    def events(self, wanted: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page[EventRecord]:
        """Return a page of events, the newest first."""
        with self._database.read() as connection:
            return history.list_events(connection, wanted, limit, cursor)

    def event_lines(self, wanted: EventFilter, *, limit: int = 50, cursor: str | None = None) -> Page[EventLine]:
        """Return a page of events, the newest first, with what they changed and what was planned."""
        with self._database.read() as connection:
            return history.event_lines(connection, wanted, limit, cursor)

    def event(self, which: str | int, *, source: str | None = None) -> EventDetail | None:
        """Return an event, by its id or its number (`seq`), with all that came of it."""
        with self._database.read() as connection:
            return history.event(connection, which, source)

    def deliveries(self, wanted: DeliveryFilter, *, limit: int = 50, cursor: str | None = None) -> Page[DeliveryRecord]:
        """Return a page of deliveries, the newest first."""
        with self._database.read() as connection:
            return history.list_deliveries(connection, wanted, limit, cursor)

    def delivery_keys(self, wanted: DeliveryFilter, *, only: Sequence[DeliveryStatus] = DELIVERY_STATUSES) -> list[str]:
        """Return the keys of all such deliveries that are in one of the states `only`, the oldest first."""
        with self._database.read() as connection:
            return history.delivery_keys(connection, wanted, only)

    def chosen(
        self, wanted: DeliveryFilter, *, only: Sequence[DeliveryStatus] = DELIVERY_STATUSES
    ) -> tuple[Chosen, ...]:
        """Count the same deliveries by destination."""
        with self._database.read() as connection:
            return history.chosen(connection, wanted, only)

    def destinations(self) -> list[DestinationRecord]:
        """Return the destinations that the rules have or something waits for, and what holds them back."""
        with self._database.read() as connection:
            return waits.list_destinations(connection)

    def delivery(self, key: str) -> DeliveryDetail | None:
        """Return a delivery with its message and attempts."""
        with self._database.read() as connection:
            return history.delivery(connection, key)

    def prompts(self, wanted: PromptFilter, *, limit: int = 50, cursor: str | None = None) -> Page[Ledger]:
        """Return a page of what is known of prompts, by name; without contents."""
        with self._database.read() as connection:
            return prompts.list_prompts(connection, wanted, limit, cursor)

    def prompt(self, key: PromptKey, *, limit: int = 50) -> PromptDetail | None:
        """Return a prompt with its history: its last `limit` changes, and who held which label."""
        with self._database.read() as connection:
            return prompts.detail(connection, key, limit)

    def hours(self, since: datetime, until: datetime) -> tuple[Hour, ...]:
        """Count what happened, hour by hour."""
        with self._database.read() as connection:
            return activity.hours(connection, since, until)

    def rule_counts(self, names: Iterable[str], since: datetime) -> dict[str, RuleCount]:
        """Count what those rules did since."""
        with self._database.read() as connection:
            return activity.rules(connection, names, since)

    def source_counts(self, names: Iterable[str], since: datetime) -> dict[str, SourceCount]:
        """Count what came from those sources since."""
        with self._database.read() as connection:
            return activity.sources(connection, names, since)

    def destination_counts(self, names: Iterable[str], since: datetime) -> dict[str, DestinationCount]:
        """Count what went to those destinations since."""
        with self._database.read() as connection:
            return activity.to_destinations(connection, names, since)

    def backlog(self) -> Backlog:
        """Count what is not finished, for metrics."""
        with self._database.read() as connection:
            return history.backlog(connection)
