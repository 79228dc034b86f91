"""What is claimed before there is a place for it: it goes when there is one, while the store is asked for more."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from router.domain.delivery import Claim

QUICK: Final = 0.1
"""Seconds: something is claimed ahead only for destinations that answer within them, so it does not wait for longer."""

LONGEST: Final = 1.0
"""Seconds after which what still waits is given back: the destination hangs, and another replica's may not."""


class Ahead:
    """Claims in the order in which they were made, by destination. Moments are seconds of one clock.

    After an attempt that was not accepted, or took long, nothing is claimed ahead: the breaker may open, the
    destination may want a pause, or others may be free sooner.
    """

    def __init__(self) -> None:
        self._claims: dict[str, deque[tuple[float, Claim]]] = {}
        self._quick: set[str] = set()

    def waiting(self, destination: str) -> int:
        return len(self._claims.get(destination, ()))

    def wanted(self, destination: str, concurrency: int) -> int:
        """Return how many more to claim: as many as are sent at a time, and not a few now and a few then."""
        waiting = self.waiting(destination)
        return concurrency - waiting if destination in self._quick and waiting <= concurrency // 2 else 0

    def put(self, claim: Claim, now: float) -> None:
        self._claims.setdefault(claim.destination, deque()).append((now, claim))

    def next(self, destination: str) -> Claim | None:
        """Take the one that waits for longest."""
        claims = self._claims.get(destination)
        return claims.popleft()[1] if claims else None

    def ended(self, destination: str, seconds: float, *, accepted: bool) -> list[Claim]:
        """Take in how an attempt ended; return what is to be given back."""
        if accepted and seconds <= QUICK:
            self._quick.add(destination)
            return []
        self._quick.discard(destination)
        return [] if accepted else self.all_of([destination])

    def late(self, now: float) -> list[Claim]:
        """Take what has waited for too long, or would."""
        self._quick -= {name for name in self if now - self._claims[name][0][0] > LONGEST}
        return self.all_of([name for name in self if name not in self._quick])

    def all_of(self, destinations: Iterable[str]) -> list[Claim]:
        """Take all that waits for those destinations."""
        return [claim for name in destinations for _, claim in self._claims.pop(name, ())]

    def __iter__(self) -> Iterator[str]:
        """The destinations for which something waits."""
        return iter([name for name, claims in self._claims.items() if claims])
