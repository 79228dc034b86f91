"""When a destination is left alone, and how it is found out that it is back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.delivery import Accepted, Outcome, Refused, Rejected, Retry
from router.engine.breaker import CLOSED, LONGEST_REST, Breaker, after, probed, room, unprobed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAILED = Retry("HTTP 503")
REFUSED = Refused("HTTP 401")
COME_BACK = Retry("HTTP 429", after=timedelta(seconds=30))


def told(*outcomes: Outcome, breaker: Breaker = CLOSED) -> Breaker:
    for number, outcome in enumerate(outcomes):
        breaker = after(breaker, outcome, f"k-{number}", NOW)
    return breaker


def rest(breaker: Breaker) -> timedelta | None:
    return None if breaker.open_until is None else breaker.open_until - NOW


def test_five_failures_in_a_row_open_it_for_a_minute() -> None:
    assert rest(told(*[FAILED] * 4)) is None
    opened = told(*[FAILED] * 5)
    assert (rest(opened), opened.reason, opened.failures) == (MINUTE, "HTTP 503", 5)


@pytest.mark.parametrize("answer", [Accepted(), Rejected("HTTP 422")])
def test_an_answer_between_them_begins_the_count_anew(answer: Outcome) -> None:
    assert told(*[FAILED] * 4, answer, *[FAILED] * 4).open_until is None


def test_a_refusal_opens_it_at_once() -> None:
    assert rest(told(REFUSED)) == MINUTE


def test_a_time_to_come_back_is_no_failure() -> None:
    assert told(*[COME_BACK] * 20) == CLOSED
    assert rest(told(*[FAILED] * 4, COME_BACK, FAILED)) == MINUTE


def test_failures_of_attempts_that_began_before_it_opened_change_nothing() -> None:
    opened = told(*[FAILED] * 5)
    assert after(opened, FAILED, "k-8", NOW + MINUTE) == opened
    assert after(opened, REFUSED, "k-9", NOW + MINUTE) == opened


def test_while_open_none_may_go_then_one_and_while_that_is_under_way_none() -> None:
    opened = told(*[FAILED] * 5)
    assert [room(CLOSED, 8, NOW), room(opened, 8, NOW), room(opened, 8, NOW + MINUTE)] == [8, 0, 1]
    assert room(opened, 0, NOW + MINUTE) == 0
    probing = probed(opened, "k-1", NOW + 2 * MINUTE)
    assert [room(probing, 8, NOW + MINUTE), room(probing, 8, NOW + 2 * MINUTE)] == [0, 1]
    assert room(unprobed(probing, NOW + MINUTE), 8, NOW + MINUTE) == 1


@given(st.lists(st.sampled_from([FAILED, REFUSED]), max_size=20))
def test_each_probe_that_fails_doubles_the_rest_up_to_fifteen_minutes(probes: list[Outcome]) -> None:
    breaker, now = told(*[FAILED] * 5), NOW
    for number, outcome in enumerate(probes, start=1):
        assert breaker.open_until is not None
        now = breaker.open_until
        breaker = after(probed(breaker, "k-1", now + MINUTE), outcome, "k-1", now)
        assert breaker.open_until is not None
        assert breaker.open_until - now == min(MINUTE * 2**number, LONGEST_REST)
        assert room(breaker, 8, breaker.open_until) == 1


def test_a_probe_that_is_answered_closes_it() -> None:
    assert after(probed(told(REFUSED), "k-1", NOW), Accepted(), "k-1", NOW) == CLOSED


def test_a_probe_that_shall_come_back_leaves_the_place_to_another() -> None:
    asked_back = after(probed(told(REFUSED), "k-1", NOW + MINUTE), COME_BACK, "k-1", NOW)
    assert room(asked_back, 8, NOW) == 1
