"""What holds a whole destination back: its breaker, its own word, its rate, and that it is not there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from router.domain.delivery import Accepted, Refused, Rejected, Retry
from router.domain.destination import Rate
from router.storage.records import DestinationRecord, Wait
from router.storage.store import Store
from tests.storage.make import LEASE, claim_all, delivery, enqueue, pass_time, settle, wanted

FAILED = Retry("HTTP 503")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def fill(store: Store, count: int, destination: str = "team") -> None:
    enqueue(store, *(delivery(f"k-{n}", action=str(n), destination=destination) for n in range(count)))
    store.put_in_force({destination: "log"}, [destination]).result()


def the_destination(store: Store) -> DestinationRecord:
    (found,) = store.destinations()
    return found


def wait_of(store: Store, key: str) -> Wait | None:
    found = store.delivery(key)
    assert found is not None
    return found.delivery.wait


def test_failures_in_a_row_open_the_breaker_and_what_waits_uses_up_no_attempts(store: Store) -> None:
    fill(store, 20)
    claims = claim_all(store, 5)
    opened = [settle(store, claim, FAILED) for claim in claims]
    assert [one is not None and one.opened is not None for one in opened] == [False] * 4 + [True]
    assert claim_all(store) == []
    found = the_destination(store)
    assert (found.breaker, found.failures, found.reason, found.waiting) == ("open", 5, "HTTP 503", 20)
    assert MINUTE - timedelta(seconds=5) < store.due_destinations({"team": wanted()})["team"] <= MINUTE
    wait = wait_of(store, "k-10")
    assert wait is not None
    assert (wait.why, wait.until, wait.detail) == ("breaker", found.open_until, "HTTP 503")
    waiting = store.delivery("k-10")
    assert waiting is not None
    assert waiting.delivery.attempts == 0


def test_the_longest_waiting_one_tries_for_all_and_then_the_next(store: Store) -> None:
    fill(store, 8)
    for claim in claim_all(store, 5):
        settle(store, claim, FAILED)
    pass_time(store, MINUTE)
    (probe,) = claim_all(store)
    assert probe.key == "k-5"
    assert (the_destination(store).breaker, the_destination(store).probe) == ("probing", "k-5")
    assert claim_all(store) == []
    settle(store, probe, FAILED, HOUR)
    pass_time(store, MINUTE)
    assert claim_all(store) == []  # twice as long
    pass_time(store, MINUTE)
    (probe,) = claim_all(store)
    assert probe.key == "k-6"
    settle(store, probe, Accepted())
    assert the_destination(store).breaker == "closed"
    assert len(claim_all(store)) == 6


def test_a_refusal_opens_at_once_and_counts_no_attempt(store: Store) -> None:
    fill(store, 2)
    (claim,) = claim_all(store, 1)
    assert settle(store, claim, Refused("HTTP 401")) is not None
    assert claim_all(store) == []
    pass_time(store, MINUTE)
    (probe,) = claim_all(store)
    assert probe.key == "k-1"
    settle(store, probe, Accepted())
    (again,) = claim_all(store)
    assert (again.key, again.attempt) == ("k-0", 1)


def test_the_probe_of_a_worker_that_died_is_replaced(store: Store) -> None:
    fill(store, 2)
    settle(store, claim_all(store, 1)[0], Refused("HTTP 401"))
    pass_time(store, MINUTE)
    assert len(claim_all(store)) == 1
    assert claim_all(store) == []
    pass_time(store, LEASE)
    assert len(claim_all(store)) == 1


def test_a_probe_that_is_given_back_leaves_the_place_to_another(store: Store) -> None:
    fill(store, 2)
    settle(store, claim_all(store, 1)[0], Refused("HTTP 401"))
    pass_time(store, MINUTE)
    store.release(claim_all(store)).result()
    assert len(claim_all(store)) == 1


def test_a_destination_that_changed_begins_anew_and_the_others_do_not(store: Store) -> None:
    enqueue(store, *(delivery(f"{name}-{n}", action=str(n), destination=name) for name in "ab" for n in range(2)))
    types = {"a": "log", "b": "log"}
    store.put_in_force({"a": "log", "b": "log"}, types).result()
    for name in types:
        settle(store, claim_all(store, 1, destination=name)[0], Refused("HTTP 401"))
    store.put_in_force({"a": "log", "b": "log"}, ["a"]).result()
    assert [found.breaker for found in store.destinations()] == ["closed", "open"]
    assert len(claim_all(store, destination="a")) == 2
    assert claim_all(store, destination="b") == []


def test_a_time_to_come_back_pauses_all_and_is_no_failure(store: Store) -> None:
    fill(store, 2)
    settle(store, claim_all(store, 1)[0], Retry("HTTP 429", after=HOUR), HOUR)
    assert claim_all(store) == []
    found = the_destination(store)
    assert (found.breaker, found.failures) == ("closed", 0)
    assert wait_of(store, "k-1") == Wait(why="pause", until=found.paused_until)
    pass_time(store, HOUR)
    assert len(claim_all(store)) == 2


def test_a_rate_is_kept_over_all_workers(url: str, store: Store) -> None:
    fill(store, 100)
    some = {"team": wanted(7, rate=Rate(10, HOUR))}
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda one: one.claim(some).result(), [store, replica] * 20))
    assert sum(map(len, claims)) == 10
    assert timedelta() < store.due_destinations(some)["team"] <= HOUR
    wait = wait_of(store, "k-99")
    assert wait is not None
    assert (wait.why, wait.until is not None) == ("rate", True)
    pass_time(store, HOUR)
    assert len(store.claim({"team": wanted(rate=Rate(10, HOUR))}).result()) == 10


def test_a_probe_is_one_even_for_two_workers(url: str, store: Store) -> None:
    fill(store, 50)
    settle(store, claim_all(store, 1)[0], Refused("HTTP 401"))
    pass_time(store, MINUTE)
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda one: claim_all(one, 7), [store, replica] * 10)
    assert sum(map(len, claims)) == 1


@pytest.mark.parametrize("types", [{}, {"other": "log"}, {"team": "http"}])
def test_what_no_destination_takes_waits_and_says_so(store: Store, types: dict[str, str]) -> None:
    fill(store, 1)
    store.put_in_force(types, types).result()  # type: ignore[arg-type]
    assert wait_of(store, "k-0") == Wait(why="no destination")
    (lost,) = [found for found in store.destinations() if not found.in_force]
    assert (lost.name, lost.type, lost.waiting) == ("team", "log", 1)
    store.put_in_force({"team": "log"}, ["team"]).result()
    assert wait_of(store, "k-0") == Wait(why="turn")


def test_what_waits_for_longer_than_its_age_is_given_up_and_never_goes_out(store: Store) -> None:
    fill(store, 3)
    settle(store, claim_all(store, 1)[0], FAILED, HOUR)
    pass_time(store, HOUR)
    young = {"team": wanted(max_age=HOUR)}
    assert store.claim(young).result() == []
    assert store.give_up({"other": wanted(max_age=HOUR), "team": wanted(type="http", max_age=HOUR)}).result() == []
    given_up = {one.key: one.reason for one in store.give_up(young).result()}
    assert given_up == {
        "k-0": "older than `max_age`: HTTP 503",
        "k-1": "older than `max_age`",
        "k-2": "older than `max_age`",
    }
    assert the_destination(store).waiting == 0
    assert store.give_up(young).result() == []


def test_a_clock_set_back_holds_up_nothing_that_comes_after(store: Store) -> None:
    fill(store, 2)
    some = {"team": wanted(1, rate=Rate(1, MINUTE))}
    assert len(store.claim(some).result()) == 1
    pass_time(store, -HOUR)
    assert store.claim(some).result() == []
    assert store.due_destinations(some)["team"] > HOUR - MINUTE  # k-1 was to go at a time that has yet to come
    enqueue(store, delivery("new", action="new"))
    assert [claim.key for claim in store.claim(some).result()] == ["new"]


def test_a_clock_set_forward_sends_again_what_is_under_way_and_believes_the_second(store: Store) -> None:
    fill(store, 1)
    (first,) = claim_all(store)
    pass_time(store, HOUR)
    (second,) = claim_all(store)
    assert settle(store, first, Rejected("HTTP 400")) is None
    assert settle(store, second, Accepted()) is not None
