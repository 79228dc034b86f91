"""Forgetting: what is finished and old goes with all that came of it; what is needed stays."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import func, select

from router.domain.delivery import Accepted, Answer, Rejected
from router.domain.event import Event
from router.domain.routing import Firing, Later, SettledEvent
from router.storage.records import DeliveryFilter, EventFilter
from router.storage.retention import AT_ONCE, Forgotten
from router.storage.store import Store
from router.storage.tables import attempts, changes, firing_changes, firings, verdicts
from tests.build import KEY, prompt_event
from tests.past import promoted_and_rolled_back, route
from tests.storage.make import change, claim_all, delivery, end, new_event, routing

OLD = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2021, 1, 1, tzinfo=UTC)
"""After the events, long before their deliveries: those have the database's clock."""

EVER = datetime.now(UTC) + timedelta(days=1)


def forget(store: Store, before: datetime = EVER) -> list[Forgotten]:
    """Forget all that may be; return the steps."""
    steps: list[Forgotten] = []
    after: int | str | None = 0
    while isinstance(after, int):
        steps.append(store.forget_events(before, after).result())
        after = steps[-1].next
    after = ""
    while isinstance(after, str):
        steps.append(store.forget_changes(before, after).result())
        after = steps[-1].next
    return steps


def told(store: Store, number: int, *, received: datetime = OLD, status: str = "pending") -> None:
    """Store event, change, verdict, firing and delivery of that number, routed at once."""
    store.receive(new_event(f"e-{number}", body=b"%d" % number, received_at=received)).result()
    (event,) = [event for event in store.batch(KEY_OF_EVENTS) if event.id == f"e-{number}"]
    one = change(f"c-{number}", f"e-{number}")
    found = routing(
        msgspec.structs.replace(delivery(f"k-{number}", f"f-{number}"), status=status),
        changes=(one,),
        firing=Firing(id=f"f-{number}", rule="promoted", mode="live", changes=(one.id,)),
        events=(SettledEvent(event.seq, "routed"),),
    )
    store.commit([found], OLD).result()


KEY_OF_EVENTS = change().prompt or KEY


def settle(store: Store, answer: Answer, final: str) -> None:
    for claim in claim_all(store):
        end(store, claim, answer, final=final)  # type: ignore[arg-type]  # one of the states


def rows(store: Store) -> dict[str, int]:
    with store._database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (changes, verdicts, firings, firing_changes, attempts)
        }


def events(store: Store) -> set[str]:
    return {event.id for event in store.events(EventFilter(), limit=1000).items}


def keys(store: Store) -> set[str]:
    return {found.key for found in store.deliveries(DeliveryFilter(), limit=1000).items}


def test_a_finished_story_goes_whole(store: Store) -> None:
    told(store, 1)
    settle(store, Answer(outcome=Accepted(), status=200), "delivered")
    steps = forget(store)
    assert sum(step.events for step in steps) == 1
    assert events(store) == keys(store) == set()
    assert set(rows(store).values()) == {0}


@pytest.mark.parametrize("final", ["dead", "retrying", "pending"])
def test_what_led_to_an_unfinished_or_dead_delivery_stays_with_it(store: Store, final: str) -> None:
    told(store, 1)
    settle(store, Answer(outcome=Rejected("HTTP 400"), status=400), final)
    forget(store)
    assert (events(store), keys(store)) == ({"e-1"}, {"k-1"})
    found = store.delivery("k-1")
    assert found is not None
    assert [event.id for event in found.events] == ["e-1"]
    assert len(found.attempts) == 1


@pytest.mark.parametrize("status", ["captured", "skipped"])
def test_what_was_never_to_be_sent_is_finished(store: Store, status: str) -> None:
    told(store, 1, status=status)
    forget(store)
    assert keys(store) == set()


def test_an_event_that_waits_stays(store: Store) -> None:
    store.receive(new_event("waits", received_at=OLD)).result()
    forget(store)
    assert events(store) == {"waits"}


def test_what_a_rule_holds_back_stays(store: Store) -> None:
    store.receive(new_event("e-1", received_at=OLD)).result()
    (event,) = store.batch(KEY_OF_EVENTS)
    one = change("c-1", "e-1")
    held = Firing(
        id="f-1", rule="promoted", mode="live", changes=(one.id,), hold=Later("checkout/cart", timedelta(hours=1))
    )
    found = routing(changes=(one,), firing=held, events=(SettledEvent(event.seq, "routed"),))
    store.commit([found], OLD).result()
    forget(store)
    assert events(store) == {"e-1"}
    assert rows(store)["changes"] == 1


def test_a_quarantined_event_goes(store: Store) -> None:
    odd = msgspec.structs.replace(new_event("odd", received_at=OLD), status="quarantined", prompt=None)
    store.receive(odd).result()
    forget(store)
    assert events(store) == set()


def test_an_old_event_whose_delivery_ended_lately_stays(store: Store) -> None:
    told(store, 1)
    settle(store, Answer(outcome=Accepted(), status=200), "delivered")
    forget(store, LATER)
    assert (events(store), keys(store)) == ({"e-1"}, {"k-1"})


def test_a_young_event_stays(store: Store) -> None:
    told(store, 1, status="skipped")
    told(store, 2, received=datetime.now(UTC), status="skipped")
    forget(store, LATER)
    assert {"e-2"} <= events(store)


def test_the_ledger_and_how_its_labels_came_to_their_holders_stay(store: Store) -> None:
    promoted_and_rolled_back(store)
    before = store.whole_ledger(KEY)
    forget(store)
    assert events(store) == set()
    assert store.whole_ledger(KEY) == before
    found = store.prompt(KEY)
    assert found is not None
    assert [(one.label, one.version, one.by) for one in found.holdings if one.now] == [
        ("latest", 4, "Bob"),
        ("production", 3, "Cy"),
    ]
    later: Sequence[Event] = [
        prompt_event("updated", 4, ["production", "latest"], updated=60, by="Di"),
        prompt_event("updated", 3, [], updated=60, by="Di"),
    ]
    route(store, later)
    forget(store)
    found = store.prompt(KEY)
    assert found is not None
    assert [(one.label, one.version, one.by) for one in found.holdings if one.now] == [
        ("latest", 4, "Bob"),
        ("production", 4, "Di"),
    ]
    assert not [one for one in found.changes if one.author == "Cy"], "nobody needs it any more"


def test_a_change_that_is_told_again_after_it_was_forgotten_is_known_to_the_ledger(store: Store) -> None:
    promoted_and_rolled_back(store)
    forget(store)
    again = prompt_event("updated", 3, ["production"], updated=30, by="Cy", message="be brief")
    route(store, [again])
    (event,) = store.events(EventFilter()).items
    assert (event.id, event.status) == (again.id, "duplicate")


def test_a_step_looks_at_few_events_and_says_where_the_next_begins(store: Store) -> None:
    for number in range(AT_ONCE + 5):
        told(store, number, status="skipped")
    first = store.forget_events(EVER, 0).result()
    assert (first.events, first.next) == (AT_ONCE, AT_ONCE)
    assert isinstance(first.next, int)
    second = store.forget_events(EVER, first.next).result()
    assert (second.events, second.next) == (5, None)


def test_what_must_stay_does_not_keep_the_rest(store: Store) -> None:
    for number in range(AT_ONCE):
        store.receive(new_event(f"waits-{number}", body=b"%d" % number, received_at=OLD)).result()
    odd = msgspec.structs.replace(new_event("odd", received_at=OLD), status="quarantined", prompt=None)
    store.receive(odd).result()
    forget(store)
    assert "odd" not in events(store)
    assert len(events(store)) == AT_ONCE
