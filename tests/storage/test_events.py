"""Intake: what was acknowledged is kept, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.event import PromptKey
from router.storage.events import NewEvent, Receipt
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.storage.make import KEY, NOW, hold, new_event, single_event


def test_an_event_comes_back_as_it_was_received(store: Store) -> None:
    assert store.receive(new_event(body=b"\x00\xff raw")).result() == Receipt("e-1", "accepted")
    (stored,) = store.batch(KEY)
    assert (stored.source, stored.id, stored.origin, stored.received_at, stored.body) == (
        "prod",
        "e-1",
        "webhook",
        NOW,
        b"\x00\xff raw",
    )


def test_the_same_event_again_is_a_duplicate(store: Store) -> None:
    store.receive(new_event()).result()
    assert store.receive(new_event()).result() == Receipt("e-1", "duplicate")
    assert len(store.batch(KEY)) == 1


def test_another_body_under_the_same_id_is_another_event(store: Store) -> None:
    store.receive(new_event(body=b"one")).result()
    other = store.receive(new_event(body=b"two")).result()
    assert other.status == "accepted"
    assert other.id.startswith("e-1#")
    assert store.receive(new_event(body=b"two")).result() == Receipt(other.id, "duplicate")
    assert [event.body for event in store.batch(KEY)] == [b"one", b"two"]


def test_the_same_id_of_two_sources_is_two_events(store: Store) -> None:
    store.receive(new_event()).result()
    assert store.receive(new_event(key=PromptKey("dev", "p-1", "checkout/cart"))).result().status == "accepted"


def test_duplicates_within_one_commit_are_found(store: Store) -> None:
    gate = hold(store)
    futures = [store.receive(new_event(body=body)) for body in (b"one", b"one", b"two", b"two")]
    gate.set()
    receipts = [future.result() for future in futures]
    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate", "accepted", "duplicate"]
    assert receipts[2].id == receipts[3].id != "e-1"


def test_quarantined_events_are_kept_and_do_not_wait(store: Store) -> None:
    event = NewEvent(
        source="prod", id="x", type="unknown", received_at=NOW, body=b"?", status="quarantined", reason="no JSON"
    )
    assert store.receive(event).result() == Receipt("x", "quarantined")
    assert store.waiting() == []
    (kept,) = store.events(EventFilter(status="quarantined")).items
    assert kept.reason == "no JSON"


def test_events_wait_by_prompt_and_others_by_themselves(store: Store) -> None:
    other = PromptKey("prod", "p-1", "search")
    store.receive(new_event("a", received_at=NOW)).result()
    store.receive(single_event("alert")).result()
    store.receive(new_event("b", key=other)).result()
    store.receive(new_event("c", received_at=NOW + timedelta(seconds=3))).result()
    waiting = store.waiting()
    assert [(batch.key, batch.count) for batch in waiting] == [(KEY, 2), (None, 1), (other, 1)]
    assert waiting[0].last_received_at - waiting[0].first_received_at == timedelta(seconds=3)
    (alert,) = store.batch(waiting[1].seq)
    assert alert.id == "alert"


def test_many_receives_at_once_are_all_kept(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        futures = list(pool.map(lambda number: store.receive(new_event(f"e-{number}")), range(500)))
    assert {future.result().status for future in futures} == {"accepted"}
    assert len(store.batch(KEY)) == 500


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=50), number=st.uuids())
def test_names_of_any_text_are_kept_apart_and_found_again(store: Store, name: str, number: object) -> None:
    key = PromptKey(f"s-{number}", "p", name)
    assert store.receive(new_event(f"{name}", key=key)).result().status == "accepted"
    assert store.receive(new_event(f"{name}", key=key)).result().status == "duplicate"
    assert len(store.batch(key)) == 1
