"""A past for a store: events routed without rules, as the service would."""

from collections.abc import Sequence
from datetime import UTC, datetime

from router.domain.event import Event
from router.domain.routing import Routing, SettledEvent
from router.engine.ledger import derive, with_contents
from router.langfuse.wire import encode_body
from router.storage.events import NewEvent
from router.storage.store import Store
from tests.build import prompt_event


def route(store: Store, events: Sequence[Event]) -> None:
    """Store events and what they change, one batch."""
    key = events[0].prompt
    assert key is not None
    for event in events:
        arrived = NewEvent(
            source=event.source,
            id=event.id,
            type=event.type,
            action=event.action,
            project_id=event.project_id,
            prompt=key.name,
            received_at=event.received_at,
            body=encode_body(event),
        )
        store.receive(arrived).result()
    seqs = {row.id: row.seq for row in store.batch(key)}
    derived = derive(store.ledger(key), events)
    found = Routing(
        ledger=derived.ledger,
        events=tuple(SettledEvent(seqs[id], status, reason) for id, (status, reason) in derived.statuses.items()),
        changes=tuple(with_contents(change, derived.ledger.contents) for change in derived.changes),
        verdicts={},
        firings=(),
        deliveries=(),
        ruleset="r-1",
    )
    store.commit([found], datetime.now(UTC)).result()


def promoted_and_rolled_back(store: Store) -> None:
    route(store, [prompt_event("created", 3, ["production", "latest"], updated=0, by="Ann")])
    route(
        store,
        [
            prompt_event("created", 4, ["latest"], updated=10, by="Bob"),
            prompt_event("updated", 3, ["production"], updated=10, by="Bob"),
        ],
    )
    route(
        store,
        [
            prompt_event("updated", 4, ["production", "latest"], updated=20, by="Bob"),
            prompt_event("updated", 3, [], updated=20, by="Bob"),
        ],
    )
    route(
        store,
        [
            prompt_event("updated", 3, ["production"], updated=30, by="Cy", message="be brief"),
            prompt_event("updated", 4, ["latest"], updated=30, by="Cy"),
        ],
    )
