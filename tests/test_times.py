"""Times of the week: zones, days, and hours that run over midnight."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.engine.times import Span, Times

OFFICE = Times(zone="Europe/Berlin", days=frozenset(range(5)), hours=(Span(time(9), time(18)),))
NIGHT = Times(zone="Europe/Berlin", days=frozenset({4}), hours=(Span(time(22), time(7)),))


@pytest.mark.parametrize(
    ("moment", "office", "night"),
    [
        ("2026-11-27T07:59Z", False, False),
        ("2026-11-27T08:00Z", True, False),
        ("2026-11-27T16:59Z", True, False),
        ("2026-11-27T17:00Z", False, False),
        ("2026-11-27T21:00Z", False, True),
        ("2026-11-28T05:59Z", False, True),
        ("2026-11-28T06:00Z", False, False),
        ("2026-11-28T21:30Z", False, False),
        ("2026-11-27T05:00Z", False, False),
        ("2026-07-03T07:00Z", True, False),
    ],
)
def test_the_clocks_of_the_zone_decide(moment: str, office: bool, night: bool) -> None:
    """27 November 2026 is a Friday; in summer Berlin is two hours ahead."""
    assert OFFICE.hold(datetime.fromisoformat(moment)) == office
    assert NIGHT.hold(datetime.fromisoformat(moment)) == night


def test_a_day_may_end_at_midnight() -> None:
    evening = Times(hours=(Span(time(20), None),))
    assert evening.hold(datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC))
    assert not evening.hold(datetime(2026, 1, 2, 0, 0, tzinfo=UTC))


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
CLOCK = st.times().map(lambda one: one.replace(second=0, microsecond=0))


@given(MOMENTS, CLOCK, CLOCK, st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]))
def test_a_span_and_the_one_from_its_end_to_its_start_part_the_day(
    moment: datetime, start: time, end: time, zone: str
) -> None:
    if start != end:
        inside = Times(zone=zone, hours=(Span(start, end),)).hold(moment)
        assert inside != Times(zone=zone, hours=(Span(end, start),)).hold(moment)


@given(MOMENTS, st.frozensets(st.integers(0, 6)), st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_without_hours_the_whole_days_count(moment: datetime, days: frozenset[int], zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    assert Times(zone=zone, days=days).hold(moment) == (local.weekday() in days)
