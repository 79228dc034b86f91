"""Deliveries that go one after the other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from router.domain.delivery import Accepted, Rejected, Retry
from router.storage.records import DeliveryRecord
from router.storage.store import Store
from tests.storage.make import claim_all, commit, delivery, enqueue, enqueue_ordered, routing, settle

FAILED = Retry("HTTP 503")
LATER = timedelta(hours=1)


def record(store: Store, key: str) -> DeliveryRecord:
    shown = store.delivery(key)
    assert shown is not None
    return shown.delivery


def keys(store: Store) -> list[str]:
    return [claim.key for claim in claim_all(store)]


def test_those_of_one_order_go_one_by_one_and_others_do_not_wait_for_them(store: Store) -> None:
    enqueue_ordered(store, "a", "b", "c")
    enqueue_ordered(store, "x", order="search")
    enqueue(store, delivery("free"))
    store.put_in_force({"team": "log"}, []).result()
    first, *others = claim_all(store)
    assert (first.key, {claim.key for claim in others}) == ("a", {"x", "free"})
    for waiting in ("b", "c"):
        wait = record(store, waiting).wait
        assert wait is not None
        assert (wait.why, wait.detail) == ("order", "a")
    settle(store, first, Accepted())
    assert keys(store) == ["b"]


def test_one_that_is_tried_again_holds_the_next_back_and_a_dead_one_does_not(store: Store) -> None:
    enqueue_ordered(store, "a", "b")
    (claim,) = claim_all(store)
    settle(store, claim, FAILED, LATER)
    assert keys(store) == []
    store.cancel(["a"], "by hand").result()
    assert keys(store) == ["b"]


def test_a_dead_one_sent_again_after_a_newer_was_delivered_is_superseded(store: Store) -> None:
    enqueue_ordered(store, "a", "b")
    settle(store, claim_all(store)[0], Rejected("HTTP 400"))
    settle(store, claim_all(store)[0], Accepted())
    assert record(store, "a").status == "dead"
    assert store.retry(["a"]).result() == []
    assert (record(store, "a").status, record(store, "a").reason) == ("cancelled", "superseded by b")


def test_what_waits_when_a_newer_one_is_delivered_is_superseded(store: Store) -> None:
    enqueue_ordered(store, "a", "b")
    settle(store, claim_all(store)[0], Rejected("HTTP 400"))
    (newer,) = claim_all(store)
    assert store.retry(["a"]).result() == ["a"]
    assert keys(store) == []  # the newer one is under way
    settle(store, newer, Accepted())
    assert (record(store, "a").status, record(store, "a").reason) == ("cancelled", "superseded by b")


def test_a_dead_one_can_be_sent_again_while_no_newer_was_delivered(store: Store) -> None:
    enqueue_ordered(store, "a", "b")
    settle(store, claim_all(store)[0], Rejected("HTTP 400"))
    settle(store, claim_all(store)[0], Rejected("HTTP 400"))
    assert store.retry(["a"]).result() == ["a"]
    assert keys(store) == ["a"]


def test_two_deliveries_about_one_change_do_not_supersede_each_other(store: Store) -> None:
    both = (delivery("a", action="1", order="cart"), delivery("b", action="2", order="cart"))
    assert commit(store, routing(*both)) == [True]
    settle(store, claim_all(store)[0], Rejected("HTTP 400"))
    settle(store, claim_all(store)[0], Accepted())
    assert store.retry(["a"]).result() == ["a"]


def test_an_order_is_kept_by_two_workers(url: str, store: Store) -> None:
    names = [f"{number:03}" for number in range(30)]
    enqueue_ordered(store, *names)
    seen: list[str] = []
    with Store.open(url) as replica, ThreadPoolExecutor(4) as pool:
        while len(seen) < len(names):
            claims = [claim for some in pool.map(claim_all, [store, replica] * 2) for claim in some]
            assert len(claims) <= 1
            for claim in claims:
                seen.append(claim.key)
                settle(store, claim, Accepted())
    assert seen == names


def test_of_one_lane_one_is_sent_at_a_time_and_none_overtakes_another(store: Store) -> None:
    lanes = [delivery(f"k-{n}", action=str(n), lane="branch main" if n < 3 else None) for n in range(4)]
    enqueue(store, *lanes)
    store.put_in_force({"team": "log"}, ["team"]).result()
    first = claim_all(store)
    assert [claim.key for claim in first] == ["k-0", "k-3"]
    assert claim_all(store) == []
    settle(store, first[0], Accepted())
    assert [claim.key for claim in claim_all(store)] == ["k-1"]
    again = store.delivery("k-0")
    assert again is not None
    assert again.delivery.status == "delivered"
