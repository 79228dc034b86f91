"""What is held back is told once, together, when its time has come, whoever else is at work."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from router.domain.routing import Firing, Hold, Later, Routing, Throttle
from router.storage import held as held_module
from router.storage.clock import from_ms
from router.storage.held import Telling, Window
from router.storage.records import DeliveryFilter, HeldRecord
from router.storage.store import Store
from router.storage.tables import firing_changes, windows
from tests.storage.make import KEY, NOW, change, commit, delivery, full_ledger, new_event, routing

RULE = "promoted"
TEN_MINUTES = timedelta(minutes=10)
THROTTLE = Throttle("cart", TEN_MINUTES)
COLLECT = Later("", TEN_MINUTES)


@pytest.fixture(autouse=True)
def _events(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        request.getfixturevalue("store").receive(new_event()).result()


def matched(hold: Hold | None, *ids: str, rule: str = RULE) -> Routing:
    """A routing in which `rule` matched those changes."""
    firing = Firing(id=f"f-{rule}-{'-'.join(ids)}", rule=rule, mode="live", changes=ids, hold=hold)
    deliveries = () if isinstance(hold, Later) else (delivery(f"k-{firing.id}", firing.id),)
    return routing(*deliveries, changes=tuple(map(change, ids)), firing=firing)


def store_it(store: Store, found: Routing) -> Firing | None:
    """Store a routing; return its firing as it was stored."""
    (stored,) = store.commit([found], NOW).result().routings
    assert stored is not None
    return stored.firings[0] if stored.firings else None


def fires(store: Store, hold: Hold, *ids: str) -> bool:
    firing = store_it(store, matched(hold, *ids))
    assert firing is not None
    return firing.hold is None


def telling(store: Store, window: Window, hold: Hold | None) -> Telling:
    found = store.held(window)
    firing = Firing(id=f"held-{'-'.join(found.changes)}", rule=window.rule, mode="live", changes=found.changes)
    return Telling(
        window=window,
        firing=firing,
        deliveries=(delivery(f"k-{firing.id}", firing.id),),
        ruleset="r-2",
        more=found.more,
        hold=hold,
    )


def due(store: Store) -> list[Window]:
    return [window for window in store.due_windows(100) if window.due_in <= timedelta()]


def tell_due(store: Store, hold: Hold | None) -> list[tuple[str, ...]]:
    """Tell what is due; return the changes of each firing."""
    tellings = [telling(store, window, hold) for window in due(store)]
    return [one.firing.changes for one in tellings if store.tell(one, NOW).result()]


def pass_time(store: Store, by: timedelta = TEN_MINUTES) -> None:
    """Let all windows be older."""
    span = by // timedelta(milliseconds=1)
    aged = update(windows).values(due_at=windows.c.due_at - span, opened_at=windows.c.opened_at - span)
    store._writer.submit(lambda connection: connection.execute(aged)).result()


def open_windows(store: Store) -> list[tuple[str, str]]:
    with store._database.read() as connection:
        return [(rule, subject) for rule, subject in connection.execute(select(windows.c.rule, windows.c.subject))]


def told(store: Store) -> set[str]:
    """The keys of all deliveries."""
    return {record.key for record in store.deliveries(DeliveryFilter(), limit=10_000).items}


# ---- throttle


def test_the_first_fires_at_once_and_what_follows_is_told_as_one_at_the_end(store: Store) -> None:
    assert fires(store, THROTTLE, "c-1")
    assert not fires(store, THROTTLE, "c-2")
    assert not fires(store, THROTTLE, "c-3")
    assert told(store) == {"k-f-promoted-c-1"}
    assert due(store) == []
    (window,) = store.due_windows(100)
    assert TEN_MINUTES - timedelta(minutes=1) < window.due_in <= TEN_MINUTES
    pass_time(store)
    assert tell_due(store, THROTTLE) == [("c-2", "c-3")]
    assert told(store) == {"k-f-promoted-c-1", "k-held-c-2-c-3"}
    assert due(store) == []


def test_what_was_told_at_the_end_begins_the_time_anew(store: Store) -> None:
    assert fires(store, THROTTLE, "c-1")
    assert not fires(store, THROTTLE, "c-2")
    pass_time(store)
    tell_due(store, THROTTLE)
    assert not fires(store, THROTTLE, "c-3")


def test_after_a_quiet_time_the_next_fires_at_once(store: Store) -> None:
    assert fires(store, THROTTLE, "c-1")
    pass_time(store)
    assert fires(store, THROTTLE, "c-2")
    assert store.due_windows(100) == []


def test_a_newer_change_does_not_overtake_what_is_due_and_not_told_yet(store: Store) -> None:
    assert fires(store, THROTTLE, "c-1")
    assert not fires(store, THROTTLE, "c-2")
    pass_time(store)
    assert not fires(store, THROTTLE, "c-3")
    assert tell_due(store, THROTTLE) == [("c-2", "c-3")]


def test_subjects_and_rules_have_times_of_their_own(store: Store) -> None:
    assert fires(store, THROTTLE, "c-1")
    assert fires(store, Throttle("search", TEN_MINUTES), "c-2")
    assert store_it(store, matched(THROTTLE, "c-3", rule="audit")) is not None
    assert told(store) == {"k-f-promoted-c-1", "k-f-promoted-c-2", "k-f-audit-c-3"}


def test_what_was_told_before_takes_no_time(store: Store) -> None:
    store_it(store, matched(None, "c-1"))
    assert store_it(store, matched(THROTTLE, "c-1")) is not None  # repeated: its deliveries are there already
    assert open_windows(store) == []
    again = msgspec.structs.replace(matched(THROTTLE, "c-1").firings[0], id="another id")
    assert store_it(store, routing(changes=(change("c-1"),), firing=again)) is None
    assert open_windows(store) == []


def test_what_is_held_fires_no_second_time(store: Store) -> None:
    fires(store, THROTTLE, "c-1")
    fires(store, THROTTLE, "c-2")
    for hold in (None, THROTTLE, Later("cart", TEN_MINUTES)):
        assert store_it(store, matched(hold, "c-2")) is None
    pass_time(store)
    assert tell_due(store, THROTTLE) == [("c-2",)]
    for hold in (None, THROTTLE, Later("cart", TEN_MINUTES)):
        firing = matched(hold, "c-2").firings[0]
        again = routing(changes=(change("c-2"),), firing=msgspec.structs.replace(firing, id="f-again"))
        assert store_it(store, again) is None
    assert told(store) == {"k-f-promoted-c-1", "k-held-c-2"}


def test_the_others_of_a_batch_wait_with_what_is_held(store: Store) -> None:
    first = matched(THROTTLE, "c-1")
    others = matched(Later("cart", TEN_MINUTES), "c-2", "c-3")
    both = msgspec.structs.replace(
        first, changes=(*first.changes, *others.changes), firings=(*first.firings, *others.firings)
    )
    (stored,) = store.commit([both], NOW).result().routings
    assert stored is not None
    assert [firing.hold for firing in stored.firings] == [None, Later("cart", TEN_MINUTES)]
    pass_time(store)
    assert tell_due(store, THROTTLE) == [("c-2", "c-3")]


def test_of_many_replicas_one_fires(url: str, store: Store) -> None:
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        for round in range(5):
            hold = Throttle(f"prompt {round}", TEN_MINUTES)
            answers = list(
                pool.map(
                    lambda n: fires([store, replica][n % 2], hold, f"c-{round}-{n}"),  # noqa: B023
                    range(8),
                )
            )
            assert answers.count(True) == 1
    pass_time(store)
    assert sorted(map(len, tell_due(store, THROTTLE))) == [7] * 5


# ---- collect


def test_what_is_gathered_is_told_as_one_a_span_after_the_first(store: Store) -> None:
    assert not fires(store, COLLECT, "c-1")
    pass_time(store, TEN_MINUTES / 2)
    assert not fires(store, COLLECT, "c-2")
    assert due(store) == []
    pass_time(store, TEN_MINUTES / 2)
    assert tell_due(store, COLLECT) == [("c-1", "c-2")]
    assert open_windows(store) == []
    assert not fires(store, COLLECT, "c-3")
    assert due(store) == []
    pass_time(store)
    assert tell_due(store, COLLECT) == [("c-3",)]


def test_a_moment_of_the_calendar_is_when_it_is_told(store: Store) -> None:
    moment = datetime.now(UTC) + timedelta(hours=3)
    assert not fires(store, Later("", moment), "c-1")
    assert not fires(store, Later("", moment + timedelta(days=1)), "c-2")
    (window,) = store.due_windows(100)
    assert timedelta(hours=2) < window.due_in <= timedelta(hours=3)
    pass_time(store, timedelta(hours=3))
    assert tell_due(store, Later("", moment)) == [("c-1", "c-2")]


def test_what_is_gathered_while_the_rest_is_told_is_told_next(store: Store) -> None:
    fires(store, COLLECT, "c-1")
    pass_time(store)
    (window,) = due(store)
    under_way = telling(store, window, COLLECT)
    fires(store, COLLECT, "c-2")
    assert store.tell(under_way, NOW).result()
    assert under_way.firing.changes == ("c-1",)
    assert due(store) == []
    pass_time(store)
    assert tell_due(store, COLLECT) == [("c-2",)]


def test_the_same_is_told_once_by_whoever_comes_first(url: str, store: Store) -> None:
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        for round in range(5):
            fires(store, COLLECT, f"c-{round}")
            pass_time(store)
            (window,) = due(store)
            one = telling(store, window, COLLECT)
            answers = list(pool.map(lambda store: store.tell(one, NOW).result(), [store, replica] * 4))  # noqa: B023
            assert answers.count(True) == 1
    assert told(store) == {f"k-held-c-{round}" for round in range(5)}


def test_more_than_a_firing_can_tell_comes_in_several_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_module, "MOST_TOLD", 2)
    fires(store, COLLECT, *(f"c-{n}" for n in range(5)))
    pass_time(store)
    assert [tell_due(store, COLLECT) for _ in range(3)] == [[("c-0", "c-1")], [("c-2", "c-3")], [("c-4",)]]
    assert open_windows(store) == []


def test_a_portion_is_told_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_module, "MOST_TOLD", 2)
    fires(store, COLLECT, "c-1", "c-2", "c-3")
    pass_time(store)
    (window,) = due(store)
    one, other = telling(store, window, COLLECT), telling(store, window, COLLECT)
    assert [store.tell(one, NOW).result(), store.tell(other, NOW).result()] == [True, False]
    assert tell_due(store, COLLECT) == [("c-3",)]


def test_large_events_are_told_in_smaller_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_module, "MOST_BYTES", 10)
    for n in range(3):
        store.receive(new_event(f"big-{n}", body=b"x" * 6)).result()
    changes = tuple(change(f"c-{n}", event_id=f"big-{n}") for n in range(3))
    firing = Firing(id="f", rule=RULE, mode="live", changes=("c-0", "c-1", "c-2"), hold=COLLECT)
    store_it(store, routing(changes=changes, firing=firing))
    pass_time(store)
    assert [tell_due(store, COLLECT) for _ in range(3)] == [[("c-0",)], [("c-1",)], [("c-2",)]]


def test_nothing_is_lost_or_told_twice_while_replicas_gather_and_tell(url: str, store: Store) -> None:
    short = Later("", timedelta(milliseconds=1))
    firings: list[tuple[str, ...]] = []
    done = threading.Event()

    def gather(where: Store, first: int) -> None:
        for n in range(first, first + 30):
            fires(where, short, f"c-{n}")

    def keep_telling(where: Store) -> None:
        while not done.is_set():
            firings.extend(tell_due(where, short))

    with Store.open(url) as replica:
        tellers = [threading.Thread(target=keep_telling, args=(where,)) for where in (store, replica)]
        gatherers = [
            threading.Thread(target=gather, args=(where, n * 30)) for n, where in enumerate((store, replica) * 2)
        ]
        for thread in (*tellers, *gatherers):
            thread.start()
        for thread in gatherers:
            thread.join()
        done.set()
        for thread in tellers:
            thread.join()
        pass_time(store)
        firings.extend(tell_due(store, short))
    assert Counter(id_ for ids in firings for id_ in ids) == Counter(f"c-{n}" for n in range(120))


# ---- when rules change


def test_what_waits_for_its_rule_is_told_when_the_rule_is_back(store: Store) -> None:
    fires(store, COLLECT, "c-1")
    pass_time(store)
    (window,) = due(store)
    assert store.park(window).result()
    assert not store.park(window).result()
    assert store.due_windows(100) == []
    assert store.windows_by_rule() == {RULE: 1}
    store.bring_forward({"another": COLLECT}).result()
    assert store.due_windows(100) == []
    store.bring_forward({RULE: COLLECT}).result()
    assert tell_due(store, COLLECT) == [("c-1",)]


def test_what_is_gathered_anew_wakes_what_waits_for_its_rule(store: Store) -> None:
    fires(store, COLLECT, "c-1")
    pass_time(store)
    assert store.park(due(store)[0]).result()
    fires(store, COLLECT, "c-2")
    pass_time(store)
    assert tell_due(store, COLLECT) == [("c-1", "c-2")]


@pytest.mark.parametrize(
    ("holds", "waits"),
    [
        (None, timedelta()),
        (Later("", timedelta(minutes=4)), timedelta(minutes=4)),
        (Throttle("", timedelta(minutes=4)), timedelta(minutes=4)),
        (Later("", timedelta(hours=2)), TEN_MINUTES),
    ],
)
def test_other_rules_bring_the_end_forward_and_never_put_it_off(
    store: Store, holds: Hold | None, waits: timedelta
) -> None:
    fires(store, COLLECT, "c-1")
    store.bring_forward({RULE: holds}).result()
    (window,) = store.due_windows(100)
    assert waits - timedelta(minutes=1) < window.due_in <= waits


def test_a_shorter_time_in_a_new_match_ends_the_window_earlier(store: Store) -> None:
    fires(store, COLLECT, "c-1")
    fires(store, Later("", timedelta(minutes=1)), "c-2")
    (window,) = store.due_windows(100)
    assert window.due_in <= timedelta(minutes=1)


def test_windows_that_are_over_and_hold_nothing_are_forgotten(store: Store) -> None:
    fires(store, THROTTLE, "c-1")
    fires(store, Throttle("search", TEN_MINUTES), "c-2")
    fires(store, Throttle("search", TEN_MINUTES), "c-3")
    store.forget_windows().result()
    assert len(open_windows(store)) == 2
    pass_time(store)
    store.forget_windows().result()
    assert open_windows(store) == [(RULE, "search")]


# ---- what people see


def test_an_event_shows_what_is_held_of_it_and_until_when(store: Store) -> None:
    fires(store, COLLECT, "c-1")
    (window,) = store.due_windows(100)
    shown = store.event("e-1")
    assert shown is not None
    assert shown.held == (HeldRecord(change="c-1", rule=RULE, due_at=from_ms(window.due_at)),)
    assert store.backlog().held == {RULE: 1}
    pass_time(store)
    assert store.park(due(store)[0]).result()
    shown = store.event("e-1")
    assert shown is not None
    assert shown.held[0].due_at is None
    store.bring_forward({RULE: None}).result()
    tell_due(store, None)
    shown = store.event("e-1")
    assert shown is not None
    assert shown.held == ()
    assert [one.key for one in shown.deliveries] == ["k-held-c-1"]


def test_what_tells_of_several_prompts_is_found_by_each_of_them(store: Store) -> None:
    keys = [msgspec.structs.replace(KEY, name=name) for name in ("cart", "search")]
    for n, key in enumerate(keys):
        firing = Firing(id=f"f-{n}", rule=RULE, mode="live", changes=(f"c-{n}",), hold=COLLECT)
        store_it(store, routing(ledger=full_ledger(key=key), changes=(change(f"c-{n}", key=key),), firing=firing))
    pass_time(store)
    assert tell_due(store, COLLECT) == [("c-0", "c-1")]
    for name, found in (("cart", 1), ("search", 1), ("other", 0)):
        records = store.deliveries(DeliveryFilter(prompt=name)).items
        assert [record.prompt for record in records] == [None] * found


# ---- whatever happens

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("match"), st.integers(0, 7), st.sampled_from(["cart", "search"])),
        st.tuples(st.just("gather"), st.integers(0, 7), st.just("")),
        st.tuples(st.just("time"), st.integers(1, 12), st.just("")),
        st.tuples(st.just("tell"), st.just(0), st.just("")),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("held")
    with Store.open(f"sqlite:///{path}/router.db", serve=True) as store:
        store.receive(new_event()).result()
        yield store


@settings(deadline=None, max_examples=60)
@given(ACTIONS)
def test_whatever_comes_each_change_is_told_once_by_each_rule_and_the_last_one_last(
    file: Store, actions: list[tuple[str, int, str]]
) -> None:
    """Changes come, some twice, time passes and the windows are told at any moment."""
    run = datetime.now(UTC).isoformat()
    throttled, collecting = f"throttled {run}", f"collecting {run}"
    came: dict[str, list[str]] = {}
    tellings: list[tuple[str, str, tuple[str, ...]]] = []

    def tell_all() -> None:
        for window in due(file):
            hold: Hold = COLLECT if window.rule == collecting else Throttle(window.subject, TEN_MINUTES)
            one = telling(file, window, hold)
            assert file.tell(one, NOW).result()
            tellings.append((window.rule, window.subject, one.firing.changes))

    for action, number, subject in actions:
        if action == "time":
            pass_time(file, timedelta(minutes=number))
        elif action == "tell":
            tell_all()
        else:
            rule = collecting if action == "gather" else throttled
            id_ = f"{run} {action} {subject} {number}"
            hold: Hold = COLLECT if action == "gather" else Throttle(subject, TEN_MINUTES)
            firing = store_it(file, matched(hold, id_, rule=rule))
            if firing is not None and id_ not in came.setdefault(f"{rule}/{subject}", []):
                came[f"{rule}/{subject}"].append(id_)
                if firing.hold is None:
                    tellings.append((rule, subject, (id_,)))
    for _ in range(2):
        pass_time(file)
        tell_all()
    for of, ids in came.items():
        in_turn = [id_ for rule, subject, told in tellings if f"{rule}/{subject}" == of for id_ in told]
        assert in_turn == ids


def test_a_held_change_is_stored_with_its_window_or_its_firing_but_not_both(store: Store) -> None:
    fires(store, THROTTLE, "c-1")
    fires(store, THROTTLE, "c-2")
    with store._database.read() as connection:
        rows = connection.execute(select(firing_changes).order_by(firing_changes.c.change_id)).all()
    assert [(row.change_id, row.firing is None, row.subject) for row in rows] == [
        ("c-1", False, None),
        ("c-2", True, "cart"),
    ]


def test_commit_tells_what_was_taken(store: Store) -> None:
    assert commit(store, matched(THROTTLE, "c-1"), matched(COLLECT, "c-2")) == [True, True]
