"""Telling again what happened, and telling a rule what is: planned portion by portion, counted first, then stored."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.ledger import Ledger
from router.domain.problem import RouterError
from router.engine.backfill import ACTIONS, body_now, change_now, versions_now
from router.engine.plan import judge
from router.engine.replay import Batch, Replay, matching, replay
from router.engine.ruleset import Rule, Ruleset
from router.engine.suggest import suggestion
from router.langfuse.wire import decode
from router.storage.records import EventFilter, PromptFilter
from router.storage.replays import Place
from router.storage.store import Store

PORTION: Final = 200
"""So many changes are planned and stored together, or a little more: a batch is never torn."""


Plans: TypeAlias = Iterable[tuple[int, Replay]]
"""Portions: how many changes, and what is to be done about them."""

_Step: TypeAlias = tuple[int, Replay, Sequence[str], Sequence[str]]
"""Changes, what is done about them, the keys let go, and those that are superseded."""


class Planned(Struct, frozen=True, kw_only=True):
    """Deliveries of a rule to a destination."""

    rule: str
    to: str
    count: int


class Counted(Struct, frozen=True, kw_only=True):
    """What telling again comes to. `changes`: those that are meant (of prompts: that the rule matches).

    `deliveries` will be made, or were; `released` captured ones will be sent; `there` exist and stay as they are;
    `held`: changes that a rule tells later anyway. `superseded`: made, but there is a newer one.
    """

    changes: int
    deliveries: tuple[Planned, ...]
    released: int
    there: int
    held: int
    superseded: int = 0

    @property
    def made(self) -> int:
        return sum(one.count for one in self.deliveries)


class Telling(Struct, frozen=True, kw_only=True):
    """How it is told: by which rules of `ruleset` (None: all that match), and whether once more (`force`)."""

    ruleset: Ruleset
    rules: frozenset[str] | None = None
    force: bool = False
    capture: bool = False

    def __post_init__(self) -> None:
        """Raises RouterError if a rule is not in force."""
        known = {rule.name: rule for rule in self.ruleset.rules}
        for name in sorted(self.rules or ()):
            if name not in known:
                raise RouterError(f"no rule {name!r}{suggestion(name, known)}")
            if not known[name].enabled:
                raise RouterError(f"the rule {name!r} is disabled")


def events_again(
    store: Store, telling: Telling, wanted: EventFilter | Collection[int], now: datetime
) -> Iterator[tuple[int, Replay]]:
    """Yield how many changes, and what is to be done about them: those that the wanted events made, as derived then."""
    for places in _portions(store.places(wanted)):
        ids = [place.change for place in places]
        found = {change.id: msgspec.structs.replace(change, replayed=True) for change in store.changes(ids)}
        batches = [
            [found[place.change] for place in batch if place.change in found]
            for _, batch in groupby(places, key=lambda place: place.batch)
        ]
        matched = matching(telling.ruleset, batches, telling.rules)
        yield len(found), _planned(store, telling, matched, ids, now)


def prompts_told(store: Store, telling: Telling, wanted: PromptFilter, now: datetime) -> Iterator[tuple[int, Replay]]:
    """Yield the same of what the ledger holds now, for the one rule of `telling`."""
    (rule,) = (rule for rule in telling.ruleset.rules if rule.name in (telling.rules or ()))
    batches: list[Batch] = []
    for ledger in _ledgers(store, wanted):
        batches.append(tuple(_states(telling.ruleset, rule, ledger, now)))
        if sum(map(len, batches)) >= PORTION:
            yield _told_now(store, telling, rule, batches, now)
            batches = []
    yield _told_now(store, telling, rule, batches, now)


def _told_now(
    store: Store, telling: Telling, rule: Rule, batches: Sequence[Batch], now: datetime
) -> tuple[int, Replay]:
    changes = tuple(change for batch in batches for change in batch)
    matched = [(rule, [batch for batch in batches if batch])]
    planned = _planned(store, telling, matched, [change.id for change in changes], now)
    return len(changes), msgspec.structs.replace(planned, backfill=changes)


def _planned(
    store: Store, telling: Telling, matched: Sequence[tuple[Rule, Sequence[Batch]]], ids: Iterable[str], now: datetime
) -> Replay:
    past = store.past(ids)
    again = {id: msgspec.structs.replace(change, replayed=True) for id, change in past.changes.items()}
    past = msgspec.structs.replace(past, changes=again)
    return replay(telling.ruleset, matched, past, now=now, capture=telling.capture, force=telling.force)


def count(plans: Plans) -> Counted:
    """Go through it without doing anything."""
    return _sum((changes, found, (), ()) for changes, found in plans)


def carry_out(store: Store, plans: Plans, now: datetime) -> Counted:
    """Store it, portion by portion; return what was done. After a crash, doing it again does the rest."""

    def done() -> Iterator[_Step]:
        for changes, found in plans:
            stored = store.replay(found, now).result()
            keys = {*stored.made}
            made = tuple(delivery for delivery in found.deliveries if delivery.key in keys)
            yield changes, msgspec.structs.replace(found, deliveries=made), stored.released, stored.superseded

    return _sum(done(), stored=True)


async def act(
    store: Store, plans: Plans, now: datetime, acted: Callable[[], None], *, dry_run: bool = False
) -> Counted:
    """Do it beside the event loop, and then say so with `acted`; with `dry_run` only count."""
    if dry_run:
        return await asyncio.to_thread(count, plans)
    done = await asyncio.to_thread(carry_out, store, plans, now)
    acted()
    return done


def _sum(steps: Iterable[_Step], *, stored: bool = False) -> Counted:
    changes = released = there = held = superseded = 0
    by: Counter[tuple[str, str]] = Counter()
    for count, found, let_go, older in steps:
        changes += count
        by.update((delivery.rule, delivery.destination) for delivery in found.deliveries)
        released += len(let_go) if stored else len(found.released)
        there += found.there
        held += found.held
        superseded += len(older)
    return Counted(
        changes=changes,
        deliveries=tuple(Planned(rule=rule, to=to, count=count) for (rule, to), count in sorted(by.items())),
        released=released,
        there=there,
        held=held,
        superseded=superseded,
    )


def _portions(places: Iterable[Place]) -> Iterator[list[Place]]:
    portion: list[Place] = []
    for _, batch in groupby(places, key=lambda place: place.batch):
        portion += batch
        if len(portion) >= PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _ledgers(store: Store, wanted: PromptFilter) -> Iterator[Ledger]:
    cursor: str | None = None
    while True:
        page = store.prompts(wanted, limit=PORTION, cursor=cursor)
        for ledger in page.items:
            yield store.whole_ledger(ledger.prompt)
        cursor = page.next_cursor
        if cursor is None:
            return


def _states(ruleset: Ruleset, rule: Rule, ledger: Ledger, now: datetime) -> Iterator[Change]:
    """Yield the versions that are left as changes that the rule matches."""
    for version in versions_now(ledger):
        for action in ACTIONS:
            body = msgspec.json.encode(body_now(ledger, version, action))
            change = change_now(version, decode(body, ledger.prompt.source, now, "backfill"))
            if judge(ruleset, rule, change).verdict == "match":
                yield change
                break
