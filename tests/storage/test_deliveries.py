"""The outbox: leases, fences, and no delivery in two hands."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from router.domain.delivery import Accepted, Answer, Refused, Rejected, Retry
from router.domain.message import LogMessage
from router.storage.records import DeliveryFilter, DeliveryRecord
from router.storage.store import Store
from tests.storage.make import LEASE, claim_all, delivery, end, enqueue, wanted

ACCEPTED = Answer(outcome=Accepted(), status=200, excerpt="ok\0")
FAILED = Answer(outcome=Retry("HTTP 503"), status=503)
AT_ONCE = timedelta()
LATER = timedelta(hours=1)


def record(store: Store, key: str = "k-1") -> DeliveryRecord:
    shown = store.delivery(key)
    assert shown is not None
    return shown.delivery


def test_a_claim_has_all_that_is_needed_to_send(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store)
    assert (claim.key, claim.destination, claim.type, claim.attempt) == ("k-1", "team", "log", 1)
    assert claim.message == LogMessage(text="moved")
    assert claim.lease_until - claim.created_at >= LEASE
    assert record(store).status == "sending"
    assert claim_all(store) == []


def test_only_named_destinations_of_the_same_type_are_claimed_up_to_their_limit(store: Store) -> None:
    enqueue(store, *(delivery(f"a-{n}", action=f"{n}", destination="a") for n in range(3)))
    assert claim_all(store, destination="b") == []
    assert store.claim({"a": wanted(type="slack")}).result() == []
    assert store.claim({"a": wanted(0)}).result() == []
    assert [claim.key for claim in claim_all(store, 2, destination="a")] == ["a-0", "a-1"]
    assert [claim.key for claim in claim_all(store, 2, destination="a")] == ["a-2"]


def test_a_delivered_delivery_stays_delivered(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store)
    assert end(store, claim, ACCEPTED, final="delivered")
    shown = store.delivery("k-1")
    assert shown is not None
    assert shown.delivery.status == "delivered"
    assert shown.delivery.ended_at is not None
    (attempt,) = shown.attempts
    assert (attempt.number, attempt.outcome, attempt.status, attempt.excerpt) == (1, "accepted", 200, "ok␀")
    assert not end(store, claim, FAILED, final="retrying")
    assert record(store).status == "delivered"


def test_a_retried_delivery_is_due_after_its_wait(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store)
    end(store, claim, FAILED, final="retrying", next_due=LATER)
    assert record(store).reason == "HTTP 503"
    assert claim_all(store) == []
    assert LATER - timedelta(minutes=1) < store.due_destinations({"team": wanted()})["team"] <= LATER


def test_a_delivery_can_end_for_a_reason_of_its_own(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store)
    end(store, claim, FAILED, final="dead", reason="gave up: HTTP 503")
    shown = store.delivery("k-1")
    assert shown is not None
    assert (shown.delivery.reason, shown.attempts[0].reason) == ("gave up: HTTP 503", "HTTP 503")


def test_attempts_count_up(store: Store) -> None:
    enqueue(store, delivery())
    for number in (1, 2, 3):
        (claim,) = claim_all(store)
        assert claim.attempt == number
        end(store, claim, FAILED, final="retrying", next_due=AT_ONCE)
    shown = store.delivery("k-1")
    assert shown is not None
    assert [attempt.number for attempt in shown.attempts] == [1, 2, 3]


def test_a_refusal_does_not_use_up_an_attempt(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store)
    end(store, claim, Answer(outcome=Refused("HTTP 401"), status=401), final="pending", next_due=AT_ONCE)
    store.put_in_force({"team": "log"}, ["team"]).result()
    (again,) = claim_all(store)
    assert (again.attempt, again.fence) == (1, 2)


def test_released_claims_are_as_if_they_had_never_been_made(store: Store) -> None:
    enqueue(store, delivery())
    claims = claim_all(store)
    store.release(claims).result()
    assert (record(store).status, record(store).attempts) == ("pending", 0)
    (again,) = claim_all(store)
    assert again.attempt == 1
    assert not end(store, claims[0], ACCEPTED, final="delivered")
    store.release(claims).result()
    assert record(store).status == "sending"
    shown = store.delivery("k-1")
    assert shown is not None
    assert len(shown.attempts) == 1


def test_a_lost_claim_is_made_again_and_its_late_word_changes_nothing(store: Store) -> None:
    enqueue(store, delivery())
    (lost,) = claim_all(store, lease=timedelta())
    (again,) = claim_all(store)
    assert (again.attempt, again.fence) == (2, 2)
    late = Answer(outcome=Rejected("HTTP 400"), status=400)
    assert not end(store, lost, late, final="dead", pause=LATER)
    assert record(store).status == "sending"
    assert end(store, again, ACCEPTED, final="delivered")
    shown = store.delivery("k-1")
    assert shown is not None
    assert [attempt.outcome for attempt in shown.attempts] == ["lost", "accepted"]


def test_an_expired_claim_nobody_took_over_can_still_be_settled(store: Store) -> None:
    enqueue(store, delivery())
    (claim,) = claim_all(store, lease=timedelta())
    assert end(store, claim, ACCEPTED, final="delivered")


def test_a_paused_destination_gives_nothing_and_another_is_not_delayed(store: Store) -> None:
    enqueue(store, delivery("a", action="1"), delivery("b", action="2"), delivery("c", destination="calm"))
    first, *_ = claim_all(store, 1)
    end(store, first, FAILED, final="retrying", next_due=AT_ONCE, pause=LATER)
    assert claim_all(store) == []
    due = store.due_destinations({"team": wanted(), "calm": wanted()})
    assert due["team"] > LATER - timedelta(minutes=1)
    assert due["calm"] == AT_ONCE
    assert [claim.key for claim in claim_all(store, destination="calm")] == ["c"]


def test_a_shorter_pause_does_not_cut_a_longer_one(store: Store) -> None:
    enqueue(store, delivery("a", action="1"), delivery("b", action="2"))
    claims = claim_all(store)
    for claim, pause in zip(claims, (LATER, timedelta(milliseconds=1)), strict=True):
        end(store, claim, FAILED, final="retrying", next_due=AT_ONCE, pause=pause)
    assert store.due_destinations({"team": wanted()})["team"] > LATER - timedelta(minutes=1)


def test_destinations_without_work_or_of_another_type_are_not_due(store: Store) -> None:
    enqueue(store, delivery("a", action="1"), delivery("b", destination="done"))
    (claim,) = claim_all(store, destination="done")
    assert store.due_destinations({"done": wanted()})["done"] > AT_ONCE  # its lease may run out
    end(store, claim, ACCEPTED, final="delivered")
    assert store.due_destinations({"done": wanted(), "team": wanted(type="slack"), "unknown": wanted()}) == {}


def test_the_oldest_due_goes_first(store: Store) -> None:
    enqueue(store, *(delivery(f"k-{n}", action=str(n)) for n in range(3)))
    first, *_ = claim_all(store, 1)
    end(store, first, FAILED, final="retrying", next_due=timedelta(milliseconds=1))
    seen: list[str] = []
    while len(seen) < 3:
        seen.extend(claim.key for claim in claim_all(store))
    assert seen == ["k-1", "k-2", "k-0"]


def test_dead_and_captured_deliveries_can_be_sent_under_the_same_key(store: Store) -> None:
    enqueue(store, delivery(), delivery("k-2", action="a-2", message=None), delivery("k-3", action="a-3"))
    (claim, _) = claim_all(store)
    end(store, claim, Answer(outcome=Rejected("HTTP 400"), status=400), final="dead")
    assert record(store).reason == "HTTP 400"
    assert store.retry(["k-1", "k-2", "k-3", "k-9"]).result() == ["k-1"]
    (again,) = claim_all(store)
    assert (again.key, again.attempt) == ("k-1", 1)
    assert again.created_at >= claim.created_at


def test_concurrent_claims_never_hand_out_a_delivery_twice(url: str, store: Store) -> None:
    enqueue(store, *(delivery(f"k-{n}", action=str(n)) for n in range(200)))
    with Store.open(url) as replica, ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda one: claim_all(one, 7), [store, replica] * 20)
        keys = [claim.key for some in claims for claim in some]
    keys += [claim.key for claim in claim_all(store)]
    assert len(keys) == 200
    assert len(set(keys)) == 200


def test_lists_are_filtered_and_paged_newest_first(store: Store) -> None:
    enqueue(store, *(delivery(f"k-{n}", action=str(n), destination="ab"[n % 2]) for n in range(7)))
    first = store.deliveries(DeliveryFilter(destination="a"), limit=3)
    assert [one.key for one in first.items] == ["k-6", "k-4", "k-2"]
    second = store.deliveries(DeliveryFilter(destination="a"), limit=3, cursor=first.next_cursor)
    assert [one.key for one in second.items] == ["k-0"]
    assert second.next_cursor is None


def test_the_backlog_counts_what_is_unfinished(store: Store) -> None:
    enqueue(store, delivery(), delivery("k-2", action="2"), delivery("k-3", action="3", message=None))
    (claim,) = claim_all(store, 1)
    queues = {(queue.destination, queue.status): queue.count for queue in store.backlog().queues}
    assert queues == {("team", "sending"): 1, ("team", "pending"): 1, ("team", "dead"): 1}
    end(store, claim, ACCEPTED, final="delivered")
    assert ("team", "sending") not in {(queue.destination, queue.status) for queue in store.backlog().queues}


def test_a_trouble_is_told_at_once_then_once_in_a_while_with_a_count(store: Store) -> None:
    def due(every: timedelta) -> int | None:
        return store.trouble_due("router.delivery_dead", "team", every).result()

    assert [due(LATER), due(LATER), due(LATER)] == [1, None, None]
    assert due(AT_ONCE) == 3
    assert store.trouble_due("router.delivery_dead", "ci", LATER).result() == 1
