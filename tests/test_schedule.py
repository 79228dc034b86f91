"""What becomes of a delivery after an attempt."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.delivery.schedule import after_attempt
from router.domain.delivery import Accepted, Claim, Refused, Rejected, Retry
from router.domain.destination import RETRY, Limits
from router.domain.message import LogMessage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMITS = Limits()


def claim(attempt: int = 1, age: timedelta = timedelta()) -> Claim:
    return Claim(
        key="k",
        rule="r",
        destination="d",
        type="log",
        message=LogMessage(text=""),
        attempt=attempt,
        fence=1,
        created_at=NOW - age,
        lease_until=NOW,
    )


def test_an_accepted_message_is_delivered() -> None:
    assert after_attempt(Accepted(), claim(), LIMITS, NOW, 0.5).status == "delivered"


def test_a_rejected_message_is_dead_with_the_reason() -> None:
    following = after_attempt(Rejected("HTTP 422"), claim(), LIMITS, NOW, 0.5)
    assert (following.status, following.reason) == ("dead", "HTTP 422")


@given(attempt=st.integers(1, len(RETRY)), dice=st.floats(0, 1, exclude_max=True))
def test_a_failed_attempt_waits_as_the_schedule_says_within_a_fifth(attempt: int, dice: float) -> None:
    following = after_attempt(Retry("HTTP 503"), claim(attempt), LIMITS, NOW, dice)
    assert following.status == "retrying"
    wait = RETRY[attempt - 1]
    assert wait * 0.8 <= following.wait <= wait * 1.2
    assert following.pause is None


@given(after=st.integers(0, 7200), dice=st.floats(0, 1, exclude_max=True))
def test_retry_after_is_never_undercut_and_pauses_the_destination(after: int, dice: float) -> None:
    following = after_attempt(Retry("HTTP 429", after=timedelta(seconds=after)), claim(), LIMITS, NOW, dice)
    assert following.wait >= timedelta(seconds=after)
    assert following.pause == timedelta(seconds=after)


def test_past_the_schedule_it_is_dead() -> None:
    following = after_attempt(Retry("HTTP 503"), claim(len(RETRY) + 1), LIMITS, NOW, 0.5)
    assert following.status == "dead"
    assert following.reason == f"gave up after {len(RETRY) + 1} attempts: HTTP 503"


def test_past_its_age_it_is_dead() -> None:
    following = after_attempt(Retry("HTTP 503"), claim(age=timedelta(days=3)), LIMITS, NOW, 0.5)
    assert following.status == "dead"
    assert "max_age" in following.reason


def test_a_refusal_of_everybody_is_due_again_at_once_whatever_the_attempt() -> None:
    following = after_attempt(Refused("HTTP 401"), claim(attempt=99), LIMITS, NOW, 0.5)
    assert (following.status, following.wait, following.pause) == ("retrying", timedelta(), None)


def test_a_refusal_past_its_age_is_dead() -> None:
    following = after_attempt(Refused("HTTP 401"), claim(age=timedelta(days=3)), LIMITS, NOW, 0.5)
    assert (following.status, following.reason) == ("dead", "older than `max_age`: HTTP 401")
