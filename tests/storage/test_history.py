"""What people ask: lists by filter and page, prompts with their labels, counts, and giving up by hand."""

from datetime import timedelta

import msgspec
import pytest

from router.domain.delivery import Answer, Rejected, Retry
from router.domain.event import PromptKey, User
from router.domain.routing import Firing, Routing, RuleVerdict, SettledEvent
from router.storage import history
from router.storage.filters import NoCursor
from router.storage.records import Chosen, DeliveryFilter, EventFilter, PromptFilter
from router.storage.store import Store
from tests.acceptance.test_intake import body
from tests.storage.make import (
    KEY,
    NOW,
    change,
    claim_all,
    delivery,
    end,
    enqueue,
    full_ledger,
    new_event,
    routing,
    single_event,
)

BODY = msgspec.json.encode(body("e"))


def promoted(number: int, *, label: str, rule: str, destination: str, key: PromptKey = KEY) -> Routing:
    """Return a routing of event `e-NUMBER`: the label was gained, the rule fired for the destination."""
    told = msgspec.structs.replace(change(f"c-{number}", f"e-{number}", key), labels_gained=(label,))
    firing = Firing(id=f"f-{number}", rule=rule, mode="live", changes=(told.id,))
    planned = delivery(f"k-{number}", firing.id, destination=destination)
    return Routing(
        ledger=None,
        events=(SettledEvent(number, "routed"),),
        changes=(told,),
        verdicts={told.id: (RuleVerdict(rule=rule, verdict="match", clauses=()),)},
        firings=(firing,),
        deliveries=(msgspec.structs.replace(planned, rule=rule),),
        ruleset="r-1",
    )


@pytest.fixture
def told(store: Store) -> Store:
    """Three routed events: 1 and 3 for the team, 2 for ci; then one that waits."""
    for number in (1, 2, 3, 4):
        store.receive(new_event(f"e-{number}", BODY, received_at=NOW + timedelta(hours=number))).result()
    for routed in (
        promoted(1, label="production", rule="promoted", destination="team"),
        promoted(2, label="staging", rule="staged", destination="ci"),
        promoted(3, label="production", rule="promoted", destination="team"),
    ):
        assert store.commit([routed], NOW).result().routings != [None]
    return store


def seqs(store: Store, **wanted: object) -> list[int]:
    return [event.seq for event in store.events(EventFilter(**wanted)).items]  # type: ignore[arg-type]


def keys(store: Store, **wanted: object) -> list[str]:
    return [found.key for found in store.deliveries(DeliveryFilter(**wanted)).items]  # type: ignore[arg-type]


@pytest.mark.parametrize("few", [0, 1_000])
def test_events_are_found_by_what_came_of_them(told: Store, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_FEW", few)  # both ways of looking
    assert seqs(told, label="production") == [3, 1]
    assert seqs(told, rule="staged") == [2]
    assert seqs(told, destination="team") == [3, 1]
    assert seqs(told, label="production", rule="staged") == []
    assert seqs(told, status="waiting") == [4]
    from_two = {"since": NOW + timedelta(hours=2)}
    assert seqs(told, **from_two, until=NOW + timedelta(hours=4)) == [3, 2]
    assert seqs(told, **from_two, source="prod", status="routed") == [3, 2]
    assert seqs(told, **from_two, status="waiting", label="production") == []
    assert seqs(told, **from_two, source="dev") == []


@pytest.mark.parametrize("few", [0, 1_000])
def test_deliveries_are_found_by_what_led_to_them(told: Store, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_FEW", few)
    assert keys(told, label="production") == ["k-3", "k-1"]
    assert keys(told, source="prod") == ["k-3", "k-2", "k-1"]
    assert keys(told, source="dev") == []
    assert told.delivery_keys(DeliveryFilter(rule="promoted", status="pending")) == ["k-1", "k-3"]
    assert told.delivery_keys(DeliveryFilter(status="dead")) == []


def test_those_that_wait_are_found_and_counted_by_where_they_go(told: Store) -> None:
    claims = {claim.key: claim for claim in claim_all(told)}
    end(told, claims["k-1"], Answer(outcome=Retry("busy")), final="retrying")
    waiting = DeliveryFilter(status="waiting")
    assert keys(told, status="waiting") == ["k-2", "k-1"], "k-3 is being sent"
    assert told.delivery_keys(waiting, only=("retrying", "dead")) == ["k-1"]
    assert [(one.destination, one.count) for one in told.chosen(waiting)] == [("ci", 1), ("team", 1)]
    assert told.chosen(DeliveryFilter(), only=("sending",)) == (
        Chosen(destination="team", type="log", count=1, empty=0),
    )


def test_what_has_no_message_is_counted_apart(store: Store) -> None:
    enqueue(store, delivery("k-1"), delivery("k-2", action="b", message=None))
    assert store.chosen(DeliveryFilter()) == (Chosen(destination="team", type="log", count=2, empty=1),)


@pytest.mark.parametrize("few", [0, 1_000])
def test_a_star_in_a_prompts_name_stands_for_anything_and_nothing_else_does(
    store: Store, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_FEW", few)
    for place, name in enumerate(("checkout/cart", "Checkout_50%", "search")):
        key = PromptKey("prod", "p-1", name)
        store.receive(new_event(f"e-{place}", key=key)).result()
        ledger = msgspec.structs.replace(full_ledger(), prompt=key)
        routing = Routing(ledger=ledger, events=(), changes=(), verdicts={}, firings=(), deliveries=(), ruleset="r-1")
        assert store.commit([routing], NOW).result().routings != [None]
    assert seqs(store, prompt="checkout*") == [2, 1]
    assert seqs(store, prompt="checkout*", since=NOW - timedelta(days=1)) == [2, 1]
    assert seqs(store, prompt="*_50%") == [2]
    assert seqs(store, prompt="checkout/cart") == [1]
    assert seqs(store, prompt="checkout") == []
    names = [found.prompt.name for found in store.prompts(PromptFilter(like="*c*t*")).items]
    assert sorted(names) == ["Checkout_50%", "checkout/cart"]


def test_lists_are_paged_to_their_end_without_gap_or_double(told: Store) -> None:
    found: list[int] = []
    cursor: str | None = None
    while True:
        page = told.events(EventFilter(), limit=3, cursor=cursor)
        found += [event.seq for event in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [4, 3, 2, 1]


def test_lists_of_a_time_are_in_the_order_of_arrival_and_paged_to_their_end(store: Store) -> None:
    arrived = [5, 2, 2, 9, 1, 4]  # what came out of a spool was stored late
    for number, minute in enumerate(arrived, 1):
        store.receive(new_event(f"e-{number}", BODY, received_at=NOW + timedelta(minutes=minute))).result()
    wanted = EventFilter(since=NOW + timedelta(minutes=2), until=NOW + timedelta(minutes=9))
    found: list[int] = []
    cursor: str | None = None
    for _ in range(2):
        page = store.events(wanted, limit=2, cursor=cursor)
        found += [event.seq for event in page.items]
        cursor = page.next_cursor
    assert (found, cursor) == ([1, 6, 3, 2], None)
    assert store.events(wanted, cursor="0").items == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1 OR 1", "٣", "9" * 30])
def test_what_is_no_cursor_is_said(store: Store, cursor: str) -> None:
    with pytest.raises(NoCursor):
        store.events(EventFilter(), cursor=cursor)
    with pytest.raises(NoCursor):
        store.prompts(PromptFilter(), cursor=cursor)


def test_a_line_of_the_list_says_what_changed_and_what_was_planned(told: Store) -> None:
    waiting, third, *_ = told.event_lines(EventFilter()).items
    assert (waiting.changes, waiting.deliveries) == ((), ())
    assert third.changes[0].labels_gained == ("production",)
    assert third.changes[0].event.user == User("Ann", "ann@example.com")
    assert [(planned.status, planned.count) for planned in third.deliveries] == [("pending", 1)]


def test_an_event_is_found_by_its_number_too(told: Store) -> None:
    found = told.event(2)
    assert found is not None
    assert (found.event.id, found.deliveries[0].key) == ("e-2", "k-2")
    assert told.event(99) is None


# ---- prompts


def test_prompts_are_found_by_the_label_that_a_version_holds_now(store: Store) -> None:
    for name in ("b", "a"):
        ledger = msgspec.structs.replace(full_ledger(), prompt=PromptKey("prod", "p-1", name))
        assert store.commit([routing(ledger=ledger, changes=())], NOW).result().routings != [None]
    assert [found.prompt.name for found in store.prompts(PromptFilter(label="production")).items] == ["a", "b"]
    assert store.prompts(PromptFilter(label="staging")).items == ()
    gone = store.ledger(PromptKey("prod", "p-1", "a"))
    buried = msgspec.structs.replace(gone.versions["v-4"], buried=True)
    gone = msgspec.structs.replace(gone, versions=gone.versions | {"v-4": buried})
    assert store.commit([routing(ledger=gone, changes=())], NOW).result().routings != [None]
    assert [found.prompt.name for found in store.prompts(PromptFilter(label="production")).items] == ["b"]


# ---- counts


def test_what_happened_is_counted_by_the_hour(told: Store) -> None:
    (one,) = claim_all(told, most=1)
    assert end(told, one, Answer(outcome=Rejected("no")), final="dead")
    hours = told.hours(NOW, NOW + timedelta(hours=4))
    assert [hour.events for hour in hours] == [0, 1, 1, 1, 1]
    assert hours[0].at == NOW.replace(minute=0, second=0, microsecond=0)
    later = told.hours(NOW + timedelta(hours=2, minutes=1), NOW + timedelta(hours=4))
    assert [hour.events for hour in later] == [0, 1, 1], "what a list of the same time shows"
    ended = told.delivery(one.key)
    assert ended is not None
    assert ended.delivery.ended_at is not None
    today = told.hours(ended.delivery.ended_at, ended.delivery.ended_at)
    assert [(hour.delivered, hour.dead) for hour in today] == [(0, 1)]


def test_rules_sources_and_destinations_are_counted(told: Store) -> None:
    (one,) = claim_all(told, most=1)
    assert end(told, one, Answer(outcome=Rejected("no")), final="dead")
    rules = told.rule_counts(["promoted", "staged", "never"], NOW - timedelta(days=1))
    assert [(name, count.fired, count.dead) for name, count in rules.items()] == [
        ("promoted", 2, 1),
        ("staged", 1, 0),
        ("never", 0, 0),
    ]
    assert rules["promoted"].last_fired_at == NOW
    assert rules["never"].last_fired_at is None
    told.receive(single_event("alert")).result()
    sources = told.source_counts(["prod", "dev"], NOW + timedelta(hours=2))
    assert (sources["prod"].events, sources["dev"].events) == (3, 0)
    assert sources["prod"].last_received_at == NOW  # the last one to come, whenever it says
    assert sources["dev"].last_received_at is None
    assert told.destination_counts(["team", "ci"], NOW - timedelta(days=1))["team"].dead == 1


def test_verdicts_that_erred_are_counted(store: Store) -> None:
    store.receive(new_event("e-1")).result()
    erred = RuleVerdict(rule="promoted", verdict="error", clauses=())
    routing = msgspec.structs.replace(
        promoted(1, label="x", rule="other", destination="team"), verdicts={"c-1": (erred,)}
    )
    store.commit([routing], NOW).result()
    assert store.rule_counts(["promoted"], NOW - timedelta(days=1))["promoted"].errors == 1
    assert store.rule_counts(["promoted"], NOW + timedelta(days=1))["promoted"].errors == 0
