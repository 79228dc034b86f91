"""What Langfuse shows against what the ledger knows: what to import in silence, and what was missed.

`compare` asks for what it wants to see and gets answers: whoever drives it does the reading. Reads of several
versions show several moments; what one of them shows is true of its version at the time of its row.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from router.domain.event import Action, Event, Snapshot, Stamp
from router.domain.ledger import Ledger, VersionFact
from router.domain.listing import Ask, Listed
from router.engine.ledger import derive, labels_held, tags_now

APART: Final = timedelta(minutes=1)
"""A difference is left to its webhook for so long, and has to be seen again after it."""


class Difference(Struct, frozen=True, kw_only=True):
    """A version of which Langfuse shows more than the ledger knows. `event` None: it is gone."""

    action: Action
    version_id: str
    event: Event | None


Reading: TypeAlias = Generator[Sequence[Ask], Sequence[Event | None], tuple[Difference, ...]]
"""Yields what it asks, wants the answers in the same order (None: there is no such version), returns what differs."""


# ---- the import


def absorb(known: Ledger, shown: Iterable[Event], *, before: datetime | None, fresh: datetime) -> Ledger:
    """Return the ledger with what Langfuse shows of a prompt, nothing of which is told.

    `before`: when the first change happened whose event waits. What is as new or newer must not count as known before
    it: of such a version only its existence and its content are. `fresh`: events of what happened since then may
    still be on their way.
    """
    waiting = [event for event in shown if before is not None and event.stamp.updated_at >= before]
    late = {event.id for event in waiting}
    usual = [event for event in shown if event.id not in late]
    ledger = derive(known, usual).ledger
    versions = dict(ledger.versions)
    for event in usual:
        fact = versions[_snapshot(event).version_id]
        untold = fact.untold or (fact.as_of == event.stamp and event.stamp.updated_at >= fresh)
        versions[fact.id] = msgspec.structs.replace(fact, created=True, untold=untold)
    contents = dict(ledger.contents)
    for event in waiting:
        snapshot = _snapshot(event)
        made = snapshot.content.created_at
        if before is not None and made is not None and made < before and snapshot.version_id not in versions:
            versions[snapshot.version_id] = VersionFact(
                id=snapshot.version_id, number=snapshot.version, as_of=Stamp(made, made), created=True
            )
            contents[snapshot.version_id] = snapshot.content
    return msgspec.structs.replace(ledger, versions=versions, contents=contents)


# ---- the comparison


def compare(
    known: Ledger, listed: Listed | None, updated: Listed | None = None, seen: Collection[str] = frozenset()
) -> Reading:
    """Find out what differs of a prompt; nothing that is absent is believed without having been asked for itself.

    `listed`: what the list shows of the prompt (None: nothing), `updated`: the same of the versions that were updated
    lately. `seen`: the ids of those versions that differed at the look before; the list may not show it a second time.
    """
    numbers, labels = _in_doubt(known, listed, updated)
    numbers |= {fact.number for id, fact in known.versions.items() if id in seen and not fact.buried}
    shown: dict[int, Event | None] = {}
    asked: set[str] = set()
    asks = [*(Ask(version=number) for number in sorted(numbers)), *(Ask(label=label) for label in sorted(labels))]
    while asks:
        asked |= {ask.label for ask in asks if ask.label is not None}
        answers = yield asks
        for ask, event in zip(asks, answers, strict=True):
            if event is not None:
                shown[_snapshot(event).version] = event
            elif ask.version is not None:
                shown[ask.version] = None
        asks = [Ask(label=label) for label in sorted(_homeless(known, shown) - asked)]
    return tuple(differences(known, shown))


def _in_doubt(known: Ledger, listed: Listed | None, updated: Listed | None) -> tuple[set[int], set[str]]:
    """Return the numbers of the versions to be read, and the labels whose holders are to be read."""
    alive = _alive(known)
    if listed is None:
        return set(alive), set()
    held = labels_held(known)
    numbers = set(listed.versions ^ alive.keys())
    numbers |= {number for number, facts in alive.items() if len(facts) > 1 or not facts[0].created}
    numbers |= {fact.number for label, fact in held.items() if label not in listed.labels}
    labels = set(listed.labels - held.keys())
    if (tags_now(known) or frozenset()) != listed.tags and listed.versions:
        numbers.add(max(listed.versions))
    if updated is not None:
        numbers |= {number for number in updated.versions if _is_older(alive.get(number, ()), updated.updated_at)}
    everything = [fact for facts in alive.values() for fact in facts]
    if not numbers and not labels and _is_older(everything, listed.updated_at):
        numbers |= listed.versions
    return numbers, labels


def _is_older(facts: Iterable[VersionFact], time: datetime | None) -> bool:
    """Tell whether nothing of these versions is known as of then."""
    return time is not None and not any(fact.as_of.updated_at >= time for fact in facts)


def _homeless(known: Ledger, shown: Mapping[int, Event | None]) -> set[str]:
    """Return the labels that are not where they were known to be, and nowhere else as far as was read."""
    found = {label for event in shown.values() if event is not None for label in _snapshot(event).labels or ()}
    return {label for label, fact in labels_held(known).items() if fact.number in shown and label not in found}


def differences(known: Ledger, shown: Mapping[int, Event | None]) -> Iterable[Difference]:
    """Return what differs, `shown` being what was read of each version, by number (None: there is none)."""
    alive = _alive(known)
    for number, event in sorted(shown.items()):
        id = None if event is None else _snapshot(event).version_id
        for fact in alive.get(number, ()):
            if fact.id != id:
                yield Difference(action="deleted", version_id=fact.id, event=None)
        if event is None or id is None:
            continue
        known_version = known.versions.get(id)
        if known_version is None or not (known_version.created or known_version.buried):
            yield Difference(action="created", version_id=id, event=event)
        elif not known_version.buried and event.stamp.updated_at > known_version.as_of.updated_at:
            yield Difference(action="updated", version_id=id, event=event)


# ---- believing


def due(
    found: Sequence[Difference], seen: Mapping[str, datetime], known: Ledger, *, now: datetime, there: datetime
) -> tuple[tuple[Difference, ...], dict[str, datetime]]:
    """Return the differences to be told now, and when each of the others was seen first, by prompt id.

    `seen` is what this returned at the look before; `there`: what time it is at Langfuse. What is told was seen a
    minute ago already, and what is shown is a minute old; with a loss the gain of the same label is told.
    """
    first = {difference.version_id: seen.get(difference.version_id, now) for difference in found}
    ripe = [
        difference
        for difference in found
        if now - first[difference.version_id] >= APART
        and (difference.event is None or there - difference.event.stamp.updated_at >= APART)
    ]
    lost = {label for difference in ripe for label in _lost(known, difference)}
    told = tuple(difference for difference in found if difference in ripe or lost & _labels(difference))
    gone = {difference.version_id for difference in told}
    return told, {id: time for id, time in first.items() if id not in gone}


def _lost(known: Ledger, difference: Difference) -> frozenset[str]:
    held = {label for label, fact in labels_held(known).items() if fact.id == difference.version_id}
    return frozenset(held - _labels(difference))


def _labels(difference: Difference) -> frozenset[str]:
    return frozenset() if difference.event is None else _snapshot(difference.event).labels or frozenset()


def _alive(known: Ledger) -> dict[int, list[VersionFact]]:
    alive: dict[int, list[VersionFact]] = {}
    for fact in known.versions.values():
        if not fact.buried:
            alive.setdefault(fact.number, []).append(fact)
    return alive


def _snapshot(event: Event) -> Snapshot:
    assert event.snapshot is not None
    return event.snapshot
