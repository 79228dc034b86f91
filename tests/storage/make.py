"""Values for the storage tests, small and complete."""

import threading
from datetime import UTC, datetime, timedelta

from msgspec import structs
from sqlalchemy import Connection, select, update

from router.domain.change import Change, Version
from router.domain.delivery import Accepted, Answer, Claim, NewDelivery, Outcome, Rejected, Retry
from router.domain.destination import Rate
from router.domain.event import Content, Event, PromptKey, Snapshot, Stamp
from router.domain.ledger import LabelFact, Ledger, TagsFact, VersionFact
from router.domain.message import DestinationType, LogMessage, Message
from router.domain.routing import ClauseVerdict, Firing, Routing, RuleVerdict, SettledEvent
from router.storage.clock import duration_ms
from router.storage.deliveries import Settled, SettledStatus, Settlement, Wanted
from router.storage.destinations import gate_of, save
from router.storage.events import NewEvent
from router.storage.store import Store
from router.storage.tables import deliveries, destinations

KEY = PromptKey("prod", "p-1", "checkout/cart")
NOW = datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC)
STAMP = Stamp(NOW, NOW + timedelta(seconds=1))
LEASE = timedelta(seconds=40)
MOVED = LogMessage(text="moved")


def new_event(id_: str = "e-1", body: bytes = b"{}", key: PromptKey = KEY, received_at: datetime = NOW) -> NewEvent:
    return NewEvent(
        source=key.source,
        id=id_,
        type="prompt-version",
        action="updated",
        project_id=key.project_id,
        prompt=key.name,
        received_at=received_at,
        sent_at=received_at,
        body=body,
    )


def single_event(id_: str, received_at: datetime = NOW) -> NewEvent:
    return NewEvent(source="prod", id=id_, type="monitor-alert", received_at=received_at, body=id_.encode())


def full_ledger(revision: int = 0, key: PromptKey = KEY) -> Ledger:
    return Ledger(
        prompt=key,
        revision=revision,
        versions={
            "v-3": VersionFact(id="v-3", number=3, as_of=STAMP, labels=frozenset(), labels_as_of=STAMP, buried=True),
            "v-4": VersionFact(
                id="v-4", number=4, as_of=STAMP, labels=frozenset({"production"}), labels_as_of=STAMP, created=True
            ),
        },
        labels={"production": LabelFact("v-4", 4, STAMP)},
        tags=TagsFact(frozenset({"a", "b"}), STAMP),
        contents={"v-4": Content(type="text", prompt="Hello \0 {{name}}", config={"t": 0.5}, created_at=NOW)},
    )


def change(id_: str = "c-1", event_id: str = "e-1", key: PromptKey = KEY) -> Change:
    event = Event(
        id=event_id,
        source=key.source,
        type="prompt-version",
        timestamp=NOW,
        received_at=NOW,
        body={},
        action="updated",
        project_id=key.project_id,
        prompt=key,
        snapshot=Snapshot(
            version_id="v-4", version=4, updated_at=NOW, labels=frozenset(), tags=None, content=Content()
        ),
    )
    return Change(
        id=id_,
        event=event,
        type="prompt-version",
        origin="webhook",
        action="updated",
        prompt=key,
        version=Version(id="v-4", number=4, labels=("production",), content=Content(prompt="secret recipe")),
        labels_gained=("production",),
    )


def verdict(rule: str = "promoted") -> RuleVerdict:
    clause = ClauseVerdict(clause="labels_gained", wanted="production", got=["production"], verdict="yes")
    return RuleVerdict(rule=rule, verdict="match", clauses=(clause,))


def delivery(
    key: str = "k-1",
    firing: str = "f-1",
    *,
    destination: str = "team",
    action: str = "a-1",
    message: Message | None = MOVED,
    order: str | None = None,
    lane: str | None = None,
) -> NewDelivery:
    return NewDelivery(
        key=key,
        firing=firing,
        rule="promoted",
        action=action,
        position=0,
        destination=destination,
        type="log",
        status="pending" if message else "dead",
        message=message,
        reason="" if message else "the template failed",
        order=order,
        lane=lane,
    )


def routing(
    *planned: NewDelivery,
    ledger: Ledger | None = None,
    events: tuple[SettledEvent, ...] = (),
    changes: tuple[Change, ...] = (change(),),
    firing: Firing | None = None,
) -> Routing:
    firing = firing or Firing(id="f-1", rule="promoted", mode="live", changes=tuple(one.id for one in changes))
    return Routing(
        ledger=ledger,
        events=events,
        changes=changes,
        verdicts={one.id: (verdict(),) for one in changes},
        firings=(firing,),
        deliveries=planned,
        ruleset="r-1",
    )


def commit(store: Store, *routings: Routing) -> list[bool]:
    """Store the routings; tell which were taken."""
    return [stored is not None for stored in store.commit(routings, NOW).result().routings]


def enqueue(store: Store, *planned: NewDelivery) -> None:
    """Store deliveries of one firing."""
    assert commit(store, routing(*planned)) == [True]


def enqueue_ordered(store: Store, *keys: str, order: str = "cart", destination: str = "team") -> None:
    """Store a delivery for each of several changes, one after the other."""
    for key in keys:
        firing = Firing(id=f"f-{key}", rule="promoted", mode="live", changes=(f"c-{key}",))
        one = delivery(key, firing.id, order=order, destination=destination)
        assert commit(store, routing(one, changes=(change(f"c-{key}"),), firing=firing)) == [True]


def claim_all(store: Store, most: int = 1000, lease: timedelta = LEASE, destination: str = "team") -> list[Claim]:
    return store.claim({destination: wanted(most, lease=lease)}).result()


def wanted(
    most: int = 1000,
    *,
    type: DestinationType = "log",
    lease: timedelta = LEASE,
    rate: Rate | None = None,
    max_age: timedelta = timedelta(days=3),
) -> Wanted:
    return Wanted(type=type, most=most, lease=lease, max_age=max_age, rate=rate)


def end(
    store: Store,
    claim: Claim,
    answer: Answer,
    *,
    final: SettledStatus,
    reason: str | None = None,
    next_due: timedelta | None = None,
    pause: timedelta | None = None,
) -> Settled | None:
    """Record how one attempt ended."""
    one = Settlement(claim=claim, answer=answer, final=final, reason=reason, next_due=next_due, pause=pause)
    return store.settle([one]).result()[0]


def settle(store: Store, claim: Claim, outcome: Outcome, wait: timedelta = timedelta()) -> Settled | None:
    """Record how an attempt ended, as the worker would."""
    final: SettledStatus = "retrying"
    if isinstance(outcome, Accepted | Rejected):
        final = "delivered" if isinstance(outcome, Accepted) else "dead"
    pause = outcome.after if isinstance(outcome, Retry) else None
    return end(store, claim, Answer(outcome=outcome), final=final, next_due=wait, pause=pause)


def pass_time(store: Store, duration: timedelta) -> None:
    """Let the database's clock go forward by `duration` (or back): all that it wrote lies that much further behind."""
    millis = duration_ms(duration)

    def shift(connection: Connection) -> None:
        times = {"created_at", "queued_at", "due_at", "lease_until", "ended_at"}
        connection.execute(update(deliveries).values({name: deliveries.c[name] - millis for name in sorted(times)}))
        for row in connection.execute(select(destinations)).mappings().all():
            gate = gate_of(row)
            breaker, spending = gate.breaker, gate.spending
            if breaker.open_until is not None:
                breaker = structs.replace(breaker, open_until=breaker.open_until - duration)
            if spending is not None:
                spent = tuple((at - millis, count) for at, count in spending.spent)
                spending = structs.replace(spending, spent=spent)
            save(connection, (row["name"], row["type"]), structs.replace(gate, breaker=breaker, spending=spending))
        connection.execute(update(destinations).values(paused_until=destinations.c.paused_until - millis))

    store._writer.submit(shift).result()


def hold(store: Store) -> threading.Event:
    """Keep the writer busy until the event is set, so that what is handed over meanwhile is written as one group."""
    gate = threading.Event()
    store._writer.submit(lambda _: gate.wait(10))
    return gate
