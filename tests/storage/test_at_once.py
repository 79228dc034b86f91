"""What is made for a destination that is free is claimed in the transaction that stores it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec

from router.domain.delivery import Claim, NewDelivery, Retry
from router.domain.destination import Rate
from router.domain.routing import Firing, Routing
from router.storage.deliveries import Wanted
from router.storage.store import Store
from tests.storage.make import NOW, change, claim_all, delivery, enqueue, routing, settle, wanted

HOUR = timedelta(hours=1)


def made(*keys: str, order: str | None = None) -> Routing:
    """A routing of its own, with deliveries of those keys."""
    (first, *_), firing = keys, f"f-{keys[0]}"
    planned = (delivery(key, firing, action=key, order=order) for key in keys)
    changes = (change(f"c-{first}"),)
    return routing(
        *planned, changes=changes, firing=Firing(id=firing, rule="promoted", mode="live", changes=(f"c-{first}",))
    )


def stored(store: Store, *routings: Routing, to: Mapping[str, Wanted]) -> list[Claim]:
    return list(store.commit(routings, NOW, wanted=to).result().claims)


def keys(claims: list[Claim]) -> list[str]:
    return [claim.key for claim in claims]


def state(store: Store, key: str) -> tuple[str, int]:
    found = store.delivery(key)
    assert found is not None
    return found.delivery.status, len(found.attempts)


def test_it_is_as_if_claimed_afterwards(store: Store) -> None:
    (claim,) = stored(store, made("k"), to={"team": wanted(5)})
    assert (claim.key, claim.attempt, claim.fence) == ("k", 1, 1)
    assert state(store, "k") == ("sending", 1)
    assert claim_all(store) == []
    store.release([claim]).result()
    assert state(store, "k") == ("pending", 0)
    assert keys(claim_all(store)) == ["k"]


def test_whoever_waits_for_longer_goes_first(store: Store) -> None:
    enqueue(store, delivery("old"))
    assert keys(stored(store, made("new"), to={"team": wanted(1)})) == ["old"]
    assert keys(claim_all(store)) == ["new"]


def test_nothing_goes_to_a_destination_that_is_to_be_left_alone(store: Store) -> None:
    (claim,) = stored(store, made("first"), to={"team": wanted(5)})
    settle(store, claim, Retry("HTTP 429", after=HOUR), HOUR)
    assert stored(store, made("second"), to={"team": wanted(5)}) == []
    assert state(store, "second") == ("pending", 0)


def test_no_more_go_than_the_rate_allows_whoever_claims(store: Store) -> None:
    once = {"team": wanted(5, rate=Rate(1, HOUR))}
    assert keys(stored(store, made("a", "b"), to=once)) == ["a"]
    assert store.claim(once).result() == []
    assert stored(store, made("c"), to=once) == []


def test_replicas_that_store_at_the_same_time_share_the_rate(url: str) -> None:
    once = {"team": wanted(5, rate=Rate(1, HOUR))}
    with Store.open(url) as one, Store.open(url) as other, ThreadPoolExecutor() as pool:
        claimed = pool.map(lambda at: stored(at[0], made(at[1]), to=once), [(one, "a"), (other, "b")])
        assert sorted(map(len, claimed)) == [0, 1]


def test_those_of_one_order_go_one_by_one(store: Store) -> None:
    assert keys(stored(store, made("a", order="cart"), made("b", order="cart"), to={"team": wanted(5)})) == ["a"]
    assert state(store, "b") == ("pending", 0)


def test_what_is_captured_or_for_others_stays(store: Store) -> None:
    def captured(one: NewDelivery) -> NewDelivery:
        return msgspec.structs.replace(one, status="captured")

    planned = made("k")
    capture = msgspec.structs.replace(planned, deliveries=tuple(map(captured, planned.deliveries)))
    assert stored(store, capture, to={"team": wanted(5)}) == []
    assert stored(store, made("other"), to={"elsewhere": wanted(5)}) == []
    assert (state(store, "k"), state(store, "other")) == (("captured", 0), ("pending", 0))


def test_what_is_stored_again_is_not_claimed_again(store: Store) -> None:
    assert keys(stored(store, made("k"), to={"team": wanted(5)})) == ["k"]
    assert stored(store, made("k"), to={"team": wanted(5)}) == []
