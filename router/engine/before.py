"""What must have been known of a prompt, so that events change what they changed: the least that tells the same again.

The ledger keeps the present. What it was is read backwards from the changes: what was gained was not there, what was
lost was, and what was replaced is written down in them whole.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from router.domain.change import Change, Version
from router.domain.event import Action, PromptKey
from router.domain.json import JsonObject
from router.engine.body import body_about
from router.engine.ledger import LATEST

_STEP = timedelta(milliseconds=1)


class _Said(Struct, frozen=True):
    action: Action
    version: Version


def bodies_before(changes: Sequence[Change], batch: Sequence[Change]) -> list[JsonObject]:
    """Return bodies that, applied one by one, make `changes` what they are, in the ledger's order.

    They are of one prompt; `batch` is all that was told of it at that time.
    """
    key = changes[0].prompt
    assert key is not None
    lost = {(change.version.id, label) for change in batch if change.version for label in change.labels_lost}
    said = list(_said(_versions_before(changes, batch, lost), changes, lost))
    first = min(change.event.stamp.updated_at for change in changes)
    return [_body(key, one, first - _STEP * (len(said) - place), place) for place, one in enumerate(said)]


def _body(key: PromptKey, said: _Said, at: datetime, place: int) -> JsonObject:
    version = msgspec.structs.replace(said.version, updated_at=at)
    return body_about(key, version, said.action, f"before-{place + 1}", at)


def _versions_before(
    changes: Sequence[Change], batch: Sequence[Change], lost: Collection[tuple[str, str]]
) -> dict[str, Version]:
    """Return the versions that were there before, by prompt id, with the labels that they held."""
    found: dict[str, Version] = {}
    new = {change.version.id for change in changes if change.version and change.action == "created"}
    for change in changes:
        version = change.version
        assert version is not None
        for one in change.replaced.values():
            if one.id not in found and one.id not in new:
                found[one.id] = one
        if version.id not in found and version.id not in new and not change.assumed:
            found[version.id] = _undone(change, version)
    tags = next(
        (_tags_before(change) for change in changes if change.version and change.version.tags is not None), None
    )
    gained = {(change.version.id, label) for change in batch if change.version for label in change.labels_gained}
    for id, version in found.items():
        # a loss that was only inferred is told after all else
        labels = {*(version.labels or ()), *(label for one, label in lost if one == id and (id, label) not in gained)}
        held = version.labels is not None or labels
        found[id] = msgspec.structs.replace(version, tags=tags, labels=tuple(sorted(labels)) if held else None)
    return _holding_latest(found, changes)


def _undone(change: Change, version: Version) -> Version:
    """Return a version as it was before the change; what its text was, nobody asks."""
    labels = None
    if version.labels is not None or change.labels_lost:
        labels = tuple(sorted({*(version.labels or ()), *change.labels_lost} - {*change.labels_gained}))
    return Version(id=version.id, number=version.number, labels=labels)


def _tags_before(change: Change) -> tuple[str, ...]:
    assert change.version is not None
    now = {*(change.version.tags or ())}
    return tuple(sorted((now - {*change.tags_gained}) | {*change.tags_lost}))


def _holding_latest(found: dict[str, Version], changes: Sequence[Change]) -> dict[str, Version]:
    """Return the versions, with one that holds `latest` where it moved: a version is not kept for its sake."""
    move = next((move for change in changes for move in change.moved if move.label == LATEST), None)
    if move is None or any(LATEST in (version.labels or ()) for version in found.values()):
        return found
    if move.from_ in {change.version.number for change in changes if change.version and change.action == "created"}:
        return found
    by_number = {version.number: version for version in found.values()}
    holder = by_number.get(move.from_) or Version(id=f"version-{move.from_}", number=move.from_)
    labels = tuple(sorted({*(holder.labels or ()), LATEST}))
    return found | {holder.id: msgspec.structs.replace(holder, labels=labels)}


def _said(found: dict[str, Version], changes: Sequence[Change], lost: Collection[tuple[str, str]]) -> Iterator[_Said]:
    left_early = {label: version.id for label, version in _lost_before(changes, lost)}
    for version in sorted(found.values(), key=lambda version: version.number):
        gone = {label for label, id in left_early.items() if id == version.id}
        yield _Said("created", version)
        if gone:
            labels = tuple(label for label in version.labels or () if label not in gone)
            yield _Said("updated", msgspec.structs.replace(version, labels=labels, content=None))
    yield from _others(found, changes)


def _lost_before(changes: Sequence[Change], lost: Collection[tuple[str, str]]) -> Iterator[tuple[str, Version]]:
    """Yield the labels that had left the version which held them last before somebody gained them."""
    for change in changes:
        for label, version in change.replaced.items():
            if label and (version.id, label) not in lost:
                yield label, version


def _others(found: dict[str, Version], changes: Sequence[Change]) -> Iterator[_Said]:
    """Yield what has to be known of other versions, so that as many are left after a deletion as were."""
    places = [place for place, change in enumerate(changes) if change.action == "deleted"]
    if not places:
        return
    left = changes[places[-1]].versions_left
    seen = {id: version.number for id, version in found.items()}
    seen |= {one.version.id: one.version.number for one in changes[: places[-1] + 1] if one.version}
    top = max(seen.values())
    missing = [number for number in range(1, top) if number not in seen.values()]
    if left is None:
        if not missing:
            yield _other(top + 2)  # version top + 1 was never seen, so nobody can count them
        return
    gone = {version.id for place in places if (version := changes[place].version)}
    stay = left - len(seen.keys() - gone)
    missing += range(top + 1, top + 1 + max(0, stay - len(missing)))
    alive = set(missing[len(missing) - stay :]) if stay > 0 else set()
    for number in missing:
        yield _other(number)
        if number not in alive:
            yield msgspec.structs.replace(_other(number), action="deleted")


def _other(number: int) -> _Said:
    return _Said("created", Version(id=f"version-{number}", number=number, labels=()))
