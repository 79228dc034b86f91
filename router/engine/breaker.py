"""When a whole destination is left alone: a breaker opens after failures in a row, and one delivery tries for all.

Pure; replicas share its state in the store. Whoever asks says what time it is.
"""

from datetime import datetime, timedelta
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from router.domain.delivery import Accepted, Outcome, Refused, Rejected, Retry

FAILURES_TO_OPEN: Final = 5
FIRST_REST: Final = timedelta(minutes=1)
LONGEST_REST: Final = timedelta(minutes=15)


class Breaker(Struct, frozen=True, kw_only=True):
    """`failures` and `openings` count in a row. `open_until` None: closed; past: one probe may go.

    `probe` is the key of the delivery that is on its way to find out; `reason` is why the breaker opened.
    """

    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    probe: str | None = None
    reason: str = ""


CLOSED: Final = Breaker()


def room(breaker: Breaker, most: int, now: datetime) -> int:
    """Return how many of `most` attempts may begin: none while open, then one."""
    if breaker.open_until is None:
        return most
    return 0 if now < breaker.open_until else min(most, 1)


def probed(breaker: Breaker, key: str, until: datetime) -> Breaker:
    """Return the breaker while the delivery `key` finds out; nothing is heard of it after `until`."""
    return msgspec.structs.replace(breaker, probe=key, open_until=until)


def unprobed(breaker: Breaker, now: datetime) -> Breaker:
    """Return the breaker after a probe that was given back untried."""
    return msgspec.structs.replace(breaker, probe=None, open_until=now)


def after(breaker: Breaker, outcome: Outcome, key: str, now: datetime) -> Breaker:
    """Return the breaker after the attempt of delivery `key`.

    What began before the breaker opened and failed since says nothing new. A destination that names a time to come
    back answers, so that is no failure.
    """
    waits = breaker.open_until is not None and breaker.probe != key
    match outcome:
        case Accepted() | Rejected():
            return CLOSED
        case Retry(after=timedelta()):
            return unprobed(breaker, now) if breaker.probe == key else breaker
        case _ if waits:
            return breaker
        case Refused(reason=reason):
            return _opened(breaker, reason, now)
        case Retry(reason=reason):
            if breaker.probe == key or breaker.failures + 1 >= FAILURES_TO_OPEN:
                return _opened(breaker, reason, now)
            return msgspec.structs.replace(breaker, failures=breaker.failures + 1)
        case _:
            assert_never(outcome)


def _opened(breaker: Breaker, reason: str, now: datetime) -> Breaker:
    rest = min(FIRST_REST * 2 ** min(breaker.openings, 10), LONGEST_REST)
    return Breaker(failures=breaker.failures + 1, openings=breaker.openings + 1, open_until=now + rest, reason=reason)
