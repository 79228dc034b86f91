"""The order in which a firing tells its changes; the last one is what templates call `change`."""

from collections.abc import Iterable
from datetime import datetime

from router.domain.change import Change
from router.domain.event import PromptKey


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Return `changes` by time, what is lost before what is gained.

    Those of one prompt keep the order in which the ledger tells them: a deletion, for one, carries a time from long
    before.
    """
    given = list(changes)
    first_of: dict[tuple[str, str], int] = {}
    for place, change in enumerate(given):
        first_of.setdefault(_event(change), place)
    given.sort(key=lambda change: first_of[_event(change)])
    clocks: dict[PromptKey, datetime] = {}
    times: list[datetime] = []
    for change in given:
        time = change.happened_at
        if change.prompt is not None:
            time = clocks[change.prompt] = max(time, clocks.get(change.prompt, time))
        times.append(time)
    places = sorted(range(len(given)), key=lambda place: (times[place], not _only_loses(given[place])))
    return [given[place] for place in places]


def _event(change: Change) -> tuple[str, str]:
    return change.event.source, change.event.id


def _only_loses(change: Change) -> bool:
    told = (change.labels_gained, change.tags_gained, change.tags_lost)
    return change.action == "updated" and bool(change.labels_lost) and not any(told)
