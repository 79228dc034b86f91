"""What becomes of a delivery after an attempt. Pure: the clock and the dice arrive as arguments."""

from datetime import datetime, timedelta
from typing import Final, Literal, assert_never

from msgspec import Struct

from router.domain.counted import counted
from router.domain.delivery import Accepted, Claim, Outcome, Refused, Rejected, Retry
from router.domain.destination import Limits

JITTER: Final = 0.2


class Next(Struct, frozen=True, kw_only=True):
    """The state to store. `wait`: until the next attempt. `pause`: leave the whole destination alone that long."""

    status: Literal["delivered", "retrying", "dead"]
    reason: str = ""
    wait: timedelta = timedelta()
    pause: timedelta | None = None


def after_attempt(outcome: Outcome, claim: Claim, limits: Limits, now: datetime, dice: float) -> Next:
    """Return what follows. `dice` is uniform in [0, 1) and moves the wait by ±20 %, so that deliveries refused by
    one outage do not all return in the same second.

    A refusal of everybody is no fault of this delivery: it is due again at once, behind those that waited meanwhile,
    and the destination's breaker says when.
    """
    match outcome:
        case Accepted(detail=detail):
            return Next(status="delivered", reason=detail)
        case Rejected(reason=reason):
            return Next(status="dead", reason=reason)
        case Refused(reason=reason):
            if claim.created_at + limits.max_age <= now:
                return _dead(f"older than `max_age`: {reason}")
            return Next(status="retrying", reason=reason)
        case Retry(reason=reason, after=after):
            if claim.attempt > len(limits.retry):
                return _dead(f"gave up after {counted(claim.attempt, 'attempt')}: {reason}")
            wait = limits.retry[claim.attempt - 1] * (1 + JITTER * (2 * dice - 1))
            wait = max(wait, after or timedelta())
            if claim.created_at + limits.max_age <= now + wait:
                return _dead(f"older than `max_age` before the next attempt: {reason}")
            return Next(status="retrying", reason=reason, wait=wait, pause=after)
        case _:
            assert_never(outcome)


def _dead(reason: str) -> Next:
    return Next(status="dead", reason=reason)
