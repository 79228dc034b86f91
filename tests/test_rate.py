"""At most so many attempts in a time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.destination import Rate
from router.engine.rate import MOST_KEPT, Spent, allowed, free_at, spend

rates = st.builds(
    Rate,
    st.one_of(st.integers(1, 5), st.integers(100, 500)),
    st.integers(1, 5_000).map(lambda millis: timedelta(milliseconds=millis)),
)
pauses = st.lists(st.one_of(st.integers(0, 30), st.integers(0, 6_000)), max_size=60)


@given(rate=rates, pauses=pauses, greed=st.integers(1, 400))
def test_no_stretch_of_the_rates_length_sees_more_than_it_allows(rate: Rate, pauses: list[int], greed: int) -> None:
    now = 1_000_000
    spent: Spent = ()
    begun: list[tuple[int, int]] = []
    for pause in pauses:
        now += pause
        count = min(greed, allowed(rate, spent, now))
        if count:
            spent = spend(rate, spent, count, now)
            begun.append((now, count))
    length = rate.per // timedelta(milliseconds=1)
    for end, _ in begun:
        assert sum(count for at, count in begun if end - length < at <= end) <= rate.count
    assert len(spent) <= MOST_KEPT + 2


@given(rate=rates, pauses=pauses)
def test_what_has_to_wait_may_go_when_it_was_said_and_not_before(rate: Rate, pauses: list[int]) -> None:
    now = 1_000_000
    spent: Spent = ()
    for pause in pauses:
        now += pause
        if count := allowed(rate, spent, now):
            assert free_at(rate, spent, now) == now
            spent = spend(rate, spent, count, now)
        free = free_at(rate, spent, now)
        assert allowed(rate, spent, free) > 0
        assert allowed(rate, spent, free - 1) == 0


@given(rate=rates)
def test_a_destination_that_was_left_alone_may_have_all_at_once(rate: Rate) -> None:
    length = rate.per // timedelta(milliseconds=1)
    spent = spend(rate, (), rate.count, 1_000_000)
    assert allowed(rate, spent, 1_000_000) == 0
    assert allowed(rate, spent, 1_000_000 + length + length // MOST_KEPT + 1) == rate.count


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_blocks_nothing(hours: int) -> None:
    rate = Rate(1, timedelta(seconds=1))
    spent = spend(rate, (), 1, 10_000_000)
    assert allowed(rate, spent, 10_000_000 + hours * 3_600_000) == 1
