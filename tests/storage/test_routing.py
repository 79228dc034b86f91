"""Routing is stored whole or not at all, and once."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from router.domain.event import Content, PromptKey
from router.domain.ledger import LabelFact, Ledger, Occurred
from router.domain.routing import Firing, Routing, SettledEvent
from router.storage.records import DeliveryFilter, EventFilter
from router.storage.store import Store
from tests.storage.make import (
    KEY,
    NOW,
    STAMP,
    change,
    claim_all,
    commit,
    delivery,
    full_ledger,
    new_event,
    routing,
    single_event,
    verdict,
)


def without_contents(ledger: Ledger) -> Ledger:
    return msgspec.structs.replace(ledger, contents={})


def keys(store: Store) -> list[str]:
    return sorted(record.key for record in store.deliveries(DeliveryFilter()).items)


def test_a_ledger_comes_back_as_it_was_stored(store: Store) -> None:
    assert store.ledger(KEY) == Ledger(prompt=KEY)
    assert commit(store, routing(ledger=full_ledger())) == [True]
    assert store.ledger(KEY) == without_contents(full_ledger(revision=1))
    assert store.contents(KEY, ["v-4", "v-3", "unknown"]) == full_ledger().contents
    assert store.whole_ledger(KEY) == full_ledger(revision=1)


def test_a_later_revision_changes_only_what_differs(store: Store) -> None:
    commit(store, routing(ledger=full_ledger()))
    read = store.ledger(KEY)
    moved = msgspec.structs.replace(
        read, labels={"staging": LabelFact("v-3", 3, STAMP)}, tags=None, contents={"v-3": Content(prompt="old")}
    )
    assert commit(store, routing(ledger=moved)) == [True]
    assert store.ledger(KEY) == without_contents(msgspec.structs.replace(moved, revision=2))
    assert store.contents(KEY, ["v-3", "v-4"]) == {"v-3": Content(prompt="old"), **full_ledger().contents}


def test_what_differs_is_told_from_what_was_read_if_it_is_of_that_revision(store: Store) -> None:
    first = store.ledger(KEY)
    store.commit([routing(ledger=full_ledger())], NOW, {KEY: first}).result()
    read = store.ledger(KEY)
    less = msgspec.structs.replace(read, versions={"v-3": read.versions["v-3"]}, labels={})
    store.commit([routing(ledger=less)], NOW, {KEY: first}).result()
    assert store.ledger(KEY) == msgspec.structs.replace(less, revision=2)
    more = full_ledger(revision=2)
    store.commit([routing(ledger=more)], NOW, {KEY: store.ledger(KEY)}).result()
    assert store.ledger(KEY) == without_contents(msgspec.structs.replace(more, revision=3))


def test_what_ever_occurred_stays_known(store: Store) -> None:
    assert store.occurred() == Occurred(frozenset(), frozenset())
    store.commit([routing(ledger=full_ledger())], NOW).result()
    read = store.ledger(KEY)
    store.commit([routing(ledger=msgspec.structs.replace(read, versions={}))], NOW).result()
    assert store.occurred() == Occurred(frozenset({KEY.name}), frozenset(full_ledger().labels))


def test_a_routing_derived_from_an_outdated_ledger_stores_nothing(store: Store) -> None:
    store.receive(new_event()).result()
    (event,) = store.batch(KEY)
    commit(store, routing(ledger=full_ledger()))
    late = routing(
        delivery(),
        ledger=full_ledger(revision=0),
        events=(SettledEvent(event.seq, "routed"),),
        firing=Firing(id="f-2", rule="late", mode="live", changes=("c-1",)),
    )
    assert commit(store, late) == [False]
    assert keys(store) == []
    assert store.ledger(KEY).revision == 1
    assert len(store.batch(KEY)) == 1


def test_of_many_routings_of_one_revision_exactly_one_is_stored(url: str, store: Store) -> None:
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        for revision in range(5):
            found = routing(ledger=full_ledger(revision))
            answers = list(
                pool.map(lambda one: commit(one, found), [store, replica] * 4)  # noqa: B023
            )
            assert sorted(answers) == [[False]] * 7 + [[True]]


def test_routing_settles_its_events_and_tells_why(store: Store) -> None:
    for id_ in ("e-1", "e-2", "e-3"):
        store.receive(new_event(id_)).result()
    first, second, third = store.batch(KEY)
    settled = (SettledEvent(first.seq, "routed"), SettledEvent(second.seq, "stale", "overtaken"))
    commit(store, routing(delivery(), ledger=full_ledger(), events=settled))
    assert [event.seq for event in store.batch(KEY)] == [third.seq]
    (stale,) = store.events(EventFilter(status="stale")).items
    assert (stale.reason, stale.ruleset, stale.routed_at) == ("overtaken", "r-1", NOW)


def test_an_event_of_no_prompt_is_routed_once(store: Store) -> None:
    store.receive(single_event("alert")).result()
    (batch,) = store.waiting()
    found = routing(events=(SettledEvent(batch.seq, "routed"),), changes=(change(event_id="alert"),))
    assert commit(store, found) == [True]
    assert commit(store, found) == [False]


def test_an_event_shows_its_changes_verdicts_and_deliveries_but_not_the_text_twice(store: Store) -> None:
    store.receive(new_event(body=b"raw")).result()
    (event,) = store.batch(KEY)
    commit(store, routing(delivery(), ledger=full_ledger(), events=(SettledEvent(event.seq, "routed"),)))
    shown = store.event("e-1")
    assert shown is not None
    assert shown.body == b"raw"
    (told,) = shown.changes
    assert told.facts.labels_gained == ("production",)
    assert told.facts.version is not None
    assert told.facts.version.content is None
    assert told.verdicts == (verdict(),)
    assert [one.key for one in shown.deliveries] == ["k-1"]
    assert shown.deliveries[0].prompt == KEY
    assert store.event("e-1", source="dev") is None


def test_repeating_a_routing_adds_nothing(store: Store) -> None:
    for _ in range(2):
        assert commit(store, routing(delivery(), delivery("k-2", action="a-2"))) == [True]
    assert keys(store) == ["k-1", "k-2"]


def test_a_new_action_of_the_same_firing_is_added(store: Store) -> None:
    commit(store, routing(delivery()))
    commit(store, routing(delivery(), delivery("k-2", action="a-2")))
    assert keys(store) == ["k-1", "k-2"]


def test_a_change_fires_a_rule_once(store: Store) -> None:
    commit(store, routing(delivery()))
    again = Firing(id="f-2", rule="promoted", mode="live", changes=("c-1",))
    commit(store, routing(delivery("k-2", "f-2"), firing=again))
    assert keys(store) == ["k-1"]
    another_rule = Firing(id="f-3", rule="audit", mode="live", changes=("c-1",))
    commit(store, routing(delivery("k-3", "f-3"), firing=another_rule))
    assert keys(store) == ["k-1", "k-3"]


def test_a_firing_with_something_new_to_tell_is_kept(store: Store) -> None:
    commit(store, routing(delivery()))
    found = routing(delivery("k-2", "f-2"), changes=(change("c-1"), change("c-2")))
    both = Firing(id="f-2", rule="promoted", mode="live", changes=("c-1", "c-2"))
    commit(store, msgspec.structs.replace(found, firings=(both,)))
    assert keys(store) == ["k-1", "k-2"]


def test_several_routings_are_stored_together(store: Store) -> None:
    other = PromptKey("prod", "p-1", "search")
    second = Routing(
        ledger=full_ledger(key=other),
        events=(),
        changes=(change("c-2", key=other),),
        verdicts={},
        firings=(Firing(id="f-2", rule="promoted", mode="shadow", changes=("c-2",)),),
        deliveries=(delivery("k-2", "f-2"),),
        ruleset="r-1",
    )
    outdated = routing(ledger=full_ledger(revision=7))
    first = routing(delivery(), ledger=full_ledger())
    assert commit(store, first, outdated, second) == [True, False, True]
    assert keys(store) == ["k-1", "k-2"]
    assert {claim.key for claim in claim_all(store)} == {"k-1", "k-2"}


def test_a_routing_that_cannot_be_stored_leaves_no_trace_and_harms_no_other(store: Store) -> None:
    broken = routing(delivery("k-2", "f-1"), ledger=full_ledger(), changes=())
    broken = msgspec.structs.replace(broken, verdicts={"no such change": (verdict(),)})
    bad, good = store.commit([broken], NOW), store.receive(new_event())
    with pytest.raises(IntegrityError):
        bad.result()
    assert good.result().status == "accepted"
    assert store.ledger(KEY).revision == 0


def test_rulesets_are_kept_by_digest(store: Store) -> None:
    for _ in range(2):
        store.save_ruleset("r-1", "[[rules]]").result()
    assert store.ruleset("r-1") == "[[rules]]"
    assert store.ruleset("r-2") is None
