"""What is claimed before there is a place for it, and when it is given back."""

import msgspec
import pytest

from router.delivery.ahead import LONGEST, QUICK, Ahead
from router.domain.delivery import Claim
from tests.test_schedule import claim


def one(key: str, destination: str = "sink") -> Claim:
    return msgspec.structs.replace(claim(), key=key, destination=destination)


def quick(*keys: str) -> Ahead:
    """What waits for a destination that answered quickly, claimed at 0."""
    ahead = Ahead()
    assert ahead.ended("sink", QUICK, accepted=True) == []
    for key in keys:
        ahead.put(one(key), 0)
    return ahead


def test_as_many_are_wanted_as_are_sent_at_a_time_once_half_of_them_are_gone() -> None:
    assert [quick(*"abcdefgh"[:waiting]).wanted("sink", 8) for waiting in (0, 3, 4, 5, 8)] == [8, 5, 4, 0, 0]


def test_nothing_is_wanted_for_a_destination_that_is_not_known_to_be_quick() -> None:
    assert Ahead().wanted("sink", 8) == 0
    slow = quick()
    assert slow.ended("sink", QUICK * 2, accepted=True) == []
    assert slow.wanted("sink", 8) == 0
    assert quick().wanted("other", 8) == 0


def test_they_go_in_the_order_in_which_they_were_claimed() -> None:
    ahead = quick("a", "b")
    ahead.put(one("x", "other"), 0)
    assert list(ahead) == ["sink", "other"]
    found = [ahead.next("sink") for _ in range(3)]
    assert [claimed and claimed.key for claimed in found] == ["a", "b", None]
    assert list(ahead) == ["other"]


@pytest.mark.parametrize("seconds", [0.0, QUICK * 2])
def test_a_failure_gives_all_of_its_destination_back_and_of_no_other(seconds: float) -> None:
    ahead = quick("a", "b")
    ahead.put(one("x", "other"), 0)
    assert [given.key for given in ahead.ended("sink", seconds, accepted=False)] == ["a", "b"]
    assert list(ahead) == ["other"]
    assert ahead.wanted("sink", 8) == 0


def test_what_waits_for_too_long_is_given_back() -> None:
    ahead = quick("a", "b")
    assert ahead.late(LONGEST) == []
    assert [given.key for given in ahead.late(LONGEST + 0.1)] == ["a", "b"]
    assert list(ahead) == []
    assert ahead.wanted("sink", 8) == 0, "it hangs"


def test_what_would_wait_for_long_is_given_back_at_once() -> None:
    ahead = quick("a")
    ahead.ended("sink", QUICK * 2, accepted=True)
    assert [given.key for given in ahead.late(0)] == ["a"]
