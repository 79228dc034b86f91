"""When a match becomes a firing: which changes a rule tells together, in which order, and what it holds back.

`group` decides what of a settled batch is told together, `throttle` and `collect` what has to wait. Whether a
throttled firing has to wait is not known here: the store decides it, with the routing that brought it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from router.domain.change import Change
from router.domain.routing import Firing, Hold, Later, Throttle
from router.engine.cron import Cron, next_time
from router.engine.order import in_order
from router.engine.ruleset import Rule

ALL: Final = ""
"""The subject of what a rule collects: everything it matches."""


def firings_of(rule: Rule, matched: Sequence[Change], now: datetime) -> Iterator[Firing]:
    """Yield the firings of `rule` for what it matched of one batch, each change in exactly one of them.

    `matched` is in the order in which the ledger tells it. Of a throttled rule the first of a subject may fire at
    once; the others of that subject are held in any case.
    """
    if not matched:
        return
    if rule.collect is not None:
        yield fire(rule, matched, Later(ALL, _due(rule.collect, now)))
        return
    groups = _of_one_prompt(matched) if rule.group == "prompt" else [[change] for change in matched]
    if rule.throttle is None:
        for group in groups:
            yield fire(rule, group)
        return
    subjects: dict[str, list[list[Change]]] = {}
    for group in groups:
        subjects.setdefault(subject_of(group[0]), []).append(group)
    for subject, (first, *others) in subjects.items():
        yield fire(rule, first, Throttle(subject, rule.throttle))
        if others:
            yield fire(rule, [change for group in others for change in group], Later(subject, rule.throttle))


def fire(rule: Rule, changes: Sequence[Change], hold: Hold | None = None) -> Firing:
    """Return the firing of `rule` for `changes`, given in the order in which the ledger tells them."""
    ids = tuple(change.id for change in in_order(changes))
    return Firing(id=digest(rule.name, *sorted(ids)), rule=rule.name, mode=rule.mode, changes=ids, hold=hold)


def hold_of(rule: Rule, subject: str, now: datetime) -> Hold | None:
    """Return how `rule` holds back what it has to tell about `subject` from now on; None: it does not."""
    if rule.collect is not None:
        return Later(subject, _due(rule.collect, now))
    return None if rule.throttle is None else Throttle(subject, rule.throttle)


def subject_of(change: Change) -> str:
    """Return what a throttle counts by: the change's prompt, else its type and source."""
    if change.prompt is None:
        return digest(change.event.source, change.type)
    return digest(*msgspec.structs.astuple(change.prompt))


def due_at(firing: Firing, now: datetime) -> datetime | None:
    """Return when a firing stored at `now` is told; None: at once, as far as its throttle allows."""
    if not isinstance(firing.hold, Later):
        return None
    due = firing.hold.due
    return now + due if isinstance(due, timedelta) else due


def digest(*facts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]


def _due(collect: timedelta | Cron, now: datetime) -> timedelta | datetime:
    return next_time(collect, now) if isinstance(collect, Cron) else collect


def _of_one_prompt(changes: Iterable[Change]) -> list[list[Change]]:
    """Return the changes prompt by prompt; one of no prompt stays alone."""
    groups: dict[object, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.prompt or change.id, []).append(change)
    return list(groups.values())
