"""At most so many attempts in a time, kept by waiting. Pure; replicas share what was spent in the store.

Moments are milliseconds of any clock. A window slides: in no stretch of the rate's length more attempts begin than
it allows, and a destination that was left alone for that long may have them all at once.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from msgspec import Struct

from router.domain.destination import Rate

Spent: TypeAlias = tuple[tuple[int, int], ...]
"""When attempts began, and how many each time, the earliest first."""


class Spending(Struct, frozen=True):
    """What was spent of which rate, as it is kept."""

    rate: Rate
    spent: Spent


MOST_KEPT: Final = 64
"""Attempts of a rate with more are counted together, as if they had begun a little later than they did."""


def allowed(rate: Rate, spent: Spent, now: int) -> int:
    """Return how many attempts may begin now."""
    return max(0, rate.count - sum(count for _, count in _recent(rate, spent, now)))


def spend(rate: Rate, spent: Spent, count: int, now: int) -> Spent:
    """Return what is spent after `count` attempts began now; what no longer matters is dropped."""
    grain = _grain(rate)
    moment = -(-now // grain) * grain
    kept = _recent(rate, spent, now)
    if kept and kept[-1][0] >= moment:
        *kept, (moment, before) = kept
        count += before
    return (*kept, (moment, count))


def free_at(rate: Rate, spent: Spent, now: int) -> int:
    """Return when the next attempt may begin."""
    over = 1 - allowed(rate, spent, now)
    for moment, count in _recent(rate, spent, now) if over > 0 else ():
        over -= count
        if over <= 0:
            return moment + _length(rate)
    return now


def _recent(rate: Rate, spent: Spent, now: int) -> Sequence[tuple[int, int]]:
    """Return what still counts. What lies ahead was written before a clock was set back, and would block for long."""
    return [(at, count) for at, count in spent if now - _length(rate) < at <= now + _grain(rate)]


def _length(rate: Rate) -> int:
    return max(1, rate.per // timedelta(milliseconds=1))


def _grain(rate: Rate) -> int:
    return 1 if rate.count <= MOST_KEPT else max(1, _length(rate) // MOST_KEPT)
