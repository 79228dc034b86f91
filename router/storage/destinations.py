"""What holds a whole destination back, shared by all replicas: pauses it asked for, its breaker, its rate."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, bindparam, or_, select, tuple_, update

from router.domain.delivery import Outcome
from router.domain.destination import Rate
from router.domain.message import DestinationType
from router.engine import breaker as breakers
from router.engine import rate as rates
from router.engine.breaker import CLOSED, Breaker
from router.engine.rate import Spending
from router.storage.bound import among
from router.storage.clock import Millis, from_ms, to_ms
from router.storage.statements import add_new, batched, put
from router.storage.tables import destinations

Name: TypeAlias = tuple[str, str]
"""A destination's name and type: under the same name, another type is another destination."""

# Made once: to make a statement takes longer than to execute it.
_GATES: Final = select(
    destinations.c.name,
    destinations.c.type,
    destinations.c.paused_until,
    destinations.c.breaker,
    destinations.c.spending,
)
_LOCKED: Final = (
    _GATES.where(among(destinations.c.name, "names"))
    .order_by(destinations.c.name, destinations.c.type)
    .with_for_update()
)
_IS: Final = (destinations.c.name == bindparam("of_name"), destinations.c.type == bindparam("of_type"))
_ONE: Final = _GATES.where(*_IS)
_SAVE: Final = update(destinations).where(*_IS).values(breaker=bindparam("breaker"), spending=bindparam("spending"))


class Gate(Struct, frozen=True, kw_only=True):
    """What stands between a destination and its deliveries."""

    paused_until: Millis = 0
    breaker: Breaker = CLOSED
    spending: Spending | None = None

    def opens_at(self, rate: Rate | None, now: Millis) -> Millis:
        """Return when something may be sent; past: now."""
        rest = self.breaker.open_until
        free = 0 if rate is None or self.spending is None else rates.free_at(rate, self.spending.spent, now)
        return max(self.paused_until, 0 if rest is None else to_ms(rest), free)

    def room(self, most: int, rate: Rate | None, now: Millis) -> int:
        """Return how many of `most` attempts may begin now."""
        if self.opens_at(rate, now) > now:
            return 0
        spent = self.spending.spent if self.spending else ()
        allowed = most if rate is None else min(most, rates.allowed(rate, spent, now))
        return breakers.room(self.breaker, allowed, from_ms(now))

    def passed(self, keys: Sequence[str], rate: Rate | None, now: Millis, lease_until: Millis) -> "Gate":
        """Return the gate after the attempts of `keys` began."""
        passed = self
        if rate is not None:
            spent = self.spending.spent if self.spending else ()
            passed = msgspec.structs.replace(passed, spending=Spending(rate, rates.spend(rate, spent, len(keys), now)))
        if self.breaker.open_until is not None:
            probed = breakers.probed(self.breaker, keys[0], from_ms(lease_until))
            passed = msgspec.structs.replace(passed, breaker=probed)
        return passed


def add(connection: Connection, names: Iterable[Name]) -> None:
    """Remember destinations that deliveries are made for."""
    add_new(connection, destinations, [{"name": name, "type": type_, "in_force": False} for name, type_ in names])


def put_in_force(connection: Connection, types: Mapping[str, DestinationType], changed: Iterable[str]) -> None:
    """Remember that the rules have these destinations and no others; nothing holds back those that `changed`."""
    connection.execute(update(destinations).where(destinations.c.in_force).values(in_force=False))
    put(connection, destinations, [{"name": name, "type": type_, "in_force": True} for name, type_ in types.items()])
    for some in batched((name, types[name]) for name in changed):
        connection.execute(
            update(destinations)
            .where(tuple_(destinations.c.name, destinations.c.type).in_(some))
            .values(breaker=None, paused_until=None)
        )


def gates(connection: Connection, names: Iterable[Name]) -> dict[Name, Gate]:
    """Return the gates of those destinations, in an order that is the same for everybody, and keep them from others."""
    wanted = set(names)
    rows = connection.execute(_LOCKED, {"names": [name for name, _ in wanted]}).mappings()
    return {name: gate_of(row) for row in rows if (name := (row["name"], row["type"])) in wanted}


def save(connection: Connection, name: Name, gate: Gate) -> None:
    """Keep a gate that `gates` returned in this transaction."""
    connection.execute(
        _SAVE,
        {
            "of_name": name[0],
            "of_type": name[1],
            "breaker": None if gate.breaker == CLOSED else msgspec.json.encode(gate.breaker).decode(),
            "spending": None if gate.spending is None else msgspec.json.encode(gate.spending).decode(),
        },
    )


def tell_breaker(
    connection: Connection, name: Name, ended: Sequence[tuple[Outcome, str]], now: Millis
) -> list[Breaker | None]:
    """Take in how attempts ended, each with its delivery's key. Return for each the breaker if it opened by that."""
    row = connection.execute(_ONE, {"of_name": name[0], "of_type": name[1]}).mappings().one_or_none()
    if row is None or _told(gate_of(row).breaker, ended, now)[-1] == gate_of(row).breaker:
        return [None] * len(ended)
    gate = gates(connection, [name])[name]
    told = _told(gate.breaker, ended, now)
    save(connection, name, msgspec.structs.replace(gate, breaker=told[-1]))
    return [one if one.openings > before.openings else None for before, one in pairwise([gate.breaker, *told])]


def _told(breaker: Breaker, ended: Sequence[tuple[Outcome, str]], now: Millis) -> list[Breaker]:
    """Return the breaker as it is after each of the attempts."""
    at = from_ms(now)
    told = accumulate(ended, lambda known, one: breakers.after(known, one[0], one[1], at), initial=breaker)
    return list(told)[1:]


def free_probes(connection: Connection, probes: Mapping[Name, Iterable[str]], now: Millis) -> None:
    """Let others try for those destinations whose probe is among the given deliveries."""
    for name, gate in gates(connection, probes).items():
        if gate.breaker.probe in set(probes[name]):
            freed = breakers.unprobed(gate.breaker, from_ms(now))
            save(connection, name, msgspec.structs.replace(gate, breaker=freed))


def pause(connection: Connection, name: Name, until: Millis) -> None:
    """Leave a destination alone until then; a longer pause stays."""
    shorter = or_(destinations.c.paused_until.is_(None), destinations.c.paused_until < until)
    pause = update(destinations).where(*_IS, shorter).values(paused_until=until)
    connection.execute(pause, {"of_name": name[0], "of_type": name[1]})


def gate_of(row: RowMapping) -> Gate:
    """Return the gate that stands in a row."""
    return Gate(
        paused_until=row["paused_until"] or 0,
        breaker=CLOSED if row["breaker"] is None else msgspec.json.decode(row["breaker"], type=Breaker),
        spending=None if row["spending"] is None else msgspec.json.decode(row["spending"], type=Spending),
    )
