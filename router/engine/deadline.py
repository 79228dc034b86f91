"""A time by which somebody wants to know: what they try may be hostile, and nobody can end a thread."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Final


class OutOfTime(Exception):
    """The time is over. What is in force has no deadline and never meets this."""


_deadline: Final[ContextVar[float]] = ContextVar("deadline", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all templates and patterns together take no longer than `seconds` in this block. Raises OutOfTime."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def check() -> None:
    """Raise OutOfTime if no time is left."""
    at_most(0)


def at_most(seconds: float) -> float:
    """Return `seconds`, or what is left if that is less. Raises OutOfTime if nothing is."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise OutOfTime
    return min(seconds, left)
