"""What a batch of prompt events changes in the ledger.

`derive` folds the events in the order in which things happened (not in which they came) over the facts known, each
fact with its own time. The facts are joined (newest claim to a label, newest labels of each version, newest tags,
deletions for good), so the ledger ends the same whatever the order of arrival; what is told is the difference that
each event makes on the way.

What Langfuse sends, and what it keeps silent about: langfuse/langfuse web/src/features/prompts/server.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from router.domain.change import Change, Move, Version
from router.domain.event import Action, Content, Event, EventStatus, PromptKey, Snapshot, Stamp
from router.domain.ledger import LabelFact, Ledger, TagsFact, VersionFact

LATEST = "latest"
"""The label that Langfuse itself keeps on the newest version."""


class Derivation(Struct, frozen=True, kw_only=True):
    """What `derive` found. `statuses` is by event id; events named in `held` wait until `until`."""

    ledger: Ledger
    changes: tuple[Change, ...]
    statuses: dict[str, tuple[EventStatus, str]]
    held: tuple[str, ...] = ()
    until: datetime | None = None


def derive(
    known: Ledger, events: Iterable[Event], *, now: datetime | None = None, pair: timedelta = timedelta()
) -> Derivation:
    """Return what `events`, all of `known.prompt`, change.

    A label that an event lost and nobody gained holds that event, and what happened after it, back until `pair`
    after its arrival: its other half may be on the way. With `now` None the wait is taken as over.
    """
    story, doubles = _story(events)
    told = len(story)
    fold = _Fold(known)
    fold.run(story)
    until = None
    if now is not None:
        told, until = _cut(story, fold.losses, now, pair)
        if told < len(story):
            fold = _Fold(known)
            fold.run(story[:told])
    statuses = dict(fold.statuses)
    held: list[str] = [event.id for event in story[told:]]
    for double, shown_by in doubles.items():
        if shown_by in statuses:
            statuses[double] = ("duplicate", f"shows the same state as event {shown_by}")
        else:
            held.append(double)
    return Derivation(ledger=fold.ledger(), changes=fold.changes(), statuses=statuses, held=tuple(held), until=until)


def change_of(event: Event) -> Change:
    """Return the change that an event of another type than prompt-version is by itself."""
    return Change(id=_digest(event.source, event.type, event.id), event=event, type=event.type, origin=event.origin)


def contents_needed(changes: Iterable[Change]) -> frozenset[str]:
    """Return the prompt ids of the versions whose content `changes` refer to but do not hold."""
    return frozenset(
        version.id
        for change in changes
        for version in (change.version, *change.replaced.values())
        if version is not None and version.content is None
    )


def with_contents(change: Change, contents: dict[str, Content]) -> Change:
    """Return `change` with the contents of the versions it refers to, as far as they are known."""

    def loaded(version: Version) -> Version:
        if version.content is not None:
            return version
        return msgspec.structs.replace(version, content=contents.get(version.id))

    return msgspec.structs.replace(
        change,
        version=None if change.version is None else loaded(change.version),
        replaced={label: loaded(version) for label, version in change.replaced.items()},
    )


def labels_held(ledger: Ledger) -> dict[str, VersionFact]:
    """Return who holds which label now. A label has at most one holder."""
    return _Fold(ledger).holders()


def tags_now(ledger: Ledger) -> frozenset[str] | None:
    """Return the prompt's tags; None where nobody ever said. They go with the last version."""
    return _Fold(ledger).tags_in_force()


class _Loss(Struct, frozen=True):
    """A label that an event showed to be gone; `found` is the place in the story of the gain, if there is one."""

    place: int
    label: str
    found: int | None


class _Draft(Struct):
    """A change in the making: losses learn only later in the story whether the label went elsewhere."""

    event: Event
    version: Version
    inferred: bool = False
    created: bool = False
    deleted: bool = False
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    tags_gained: tuple[str, ...] = ()
    tags_lost: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    replaced: dict[str, Version] = {}
    versions_left: int | None = None
    assumed: bool = False


def _story(events: Iterable[Event]) -> tuple[list[Event], dict[str, str]]:
    """Return the events in the order in which things happened, and the doubles: event id → id of the one kept.

    Of events that show the same state the one sent last names the author. A creation comes first among what is said
    of its version even if its row was read after later updates, a deletion last. Of equal times the higher version
    comes first, so that a tag edit on all versions is told with the newest one.
    """
    by_state: dict[object, list[Event]] = {}
    for event in events:
        by_state.setdefault(_state(event), []).append(event)
    kept: list[Event] = []
    doubles: dict[str, str] = {}
    for same in by_state.values():
        same.sort(key=lambda event: (event.timestamp, event.id))
        kept.append(same[-1])
        doubles.update((event.id, same[-1].id) for event in same[:-1])
    times: dict[str, list[datetime]] = {}
    for event in kept:
        snapshot = _snapshot(event)
        times.setdefault(snapshot.version_id, []).append(snapshot.updated_at)

    def place(event: Event) -> tuple[datetime, int, str, int, datetime, str]:
        snapshot = _snapshot(event)
        when, rank = snapshot.updated_at, 1
        if event.action == "created":
            when, rank = min(times[snapshot.version_id]), 0
        elif event.action == "deleted":
            when, rank = max(times[snapshot.version_id]), 2
        return when, -snapshot.version, snapshot.version_id, rank, event.timestamp, event.id

    return sorted(kept, key=place), doubles


def _state(event: Event) -> object:
    snapshot = _snapshot(event)
    return snapshot.version_id, event.action, snapshot.updated_at, snapshot.labels, snapshot.tags


def _snapshot(event: Event) -> Snapshot:
    assert event.snapshot is not None, "only prompt events reach the ledger"
    return event.snapshot


def _cut(
    story: Sequence[Event], losses: Sequence[_Loss], now: datetime, pair: timedelta
) -> tuple[int, datetime | None]:
    """Return how much of the story can be told now, and when the first wait is over."""
    waits = {
        loss.place: story[loss.place].received_at + pair
        for loss in losses
        if loss.found is None and story[loss.place].received_at + pair > now
    }
    if not waits:
        return len(story), None
    cut = min(waits)
    while torn := [loss.place for loss in losses if loss.place < cut and loss.found is not None and loss.found >= cut]:
        cut = min(torn)
    return cut, min(waits.values())


class _Fold:
    """The ledger while the story is told."""

    def __init__(self, known: Ledger) -> None:
        self.known = known
        self.versions = dict(known.versions)
        self.labels = dict(known.labels)
        self.tags = known.tags
        self.contents = dict(known.contents)
        self.drafts: list[_Draft] = []
        self.statuses: dict[str, tuple[EventStatus, str]] = {}
        self.losses: list[_Loss] = []
        self.awaited: dict[tuple[str, str], Event] = {}
        """Losses implied by a gain in this story, not yet shown by the loser's own event: the gaining event."""

    # ---- reading

    def holder(self, label: str) -> str | None:
        """Return the prompt id of the version that was seen to hold `label` last, if it still does."""
        claim = self.labels.get(label)
        if claim is None:
            return None
        version = self.versions[claim.version_id]
        return version.id if not version.buried and label in (version.labels or ()) else None

    def inferred_latest(self) -> str | None:
        """Return who holds `latest` after its holder was deleted: Langfuse moves it without telling."""
        claim = self.labels.get(LATEST)
        if claim is None or not self.complete():
            return None
        gone = self.versions[claim.version_id]
        if not gone.buried or LATEST not in (gone.labels or ()):
            return None
        return max((version for version in self.alive()), key=lambda v: v.number, default=gone).id

    def holders(self) -> dict[str, VersionFact]:
        found = {label: self.holder(label) for label in self.labels}
        if found.get(LATEST) is None:
            found[LATEST] = self.inferred_latest()
        return {
            label: self.versions[id] for label, id in found.items() if id is not None and not self.versions[id].buried
        }

    def alive(self) -> list[VersionFact]:
        return [version for version in self.versions.values() if not version.buried]

    def complete(self) -> bool:
        """Return whether every version ever made is known: Langfuse numbers them 1, 2, 3, …"""
        numbers = {version.number for version in self.versions.values()}
        return bool(numbers) and numbers == set(range(1, max(numbers) + 1))

    def tags_in_force(self) -> frozenset[str] | None:
        if self.tags is None:
            return None
        return self.tags.tags if self.alive() else frozenset()

    def as_version(self, id: str, *, also: str | None = None) -> Version:
        """Return a known version as it is now; `also`: a label that it held until a moment ago."""
        fact = self.versions[id]
        labels = {label for label in fact.labels or () if self.labels[label].version_id == id}
        tags = self.tags_in_force()
        return Version(
            id=id,
            number=fact.number,
            labels=tuple(sorted(labels | ({also} if also else set()))),
            tags=None if tags is None else tuple(sorted(tags)),
            updated_at=fact.as_of.updated_at,
        )

    # ---- telling

    def run(self, story: Sequence[Event]) -> None:
        latest_before = self.holder(LATEST) or self.inferred_latest()
        for event in story:
            self.observe(event)
        self.close(story, latest_before)

    def observe(self, event: Event) -> None:
        snapshot = _snapshot(event)
        before = self.versions.get(snapshot.version_id)
        if before is not None and before.buried:
            self.claim(snapshot, event.stamp)
            again = event.action == "deleted"
            self.statuses[event.id] = (
                ("duplicate", "its deletion is known") if again else ("stale", "the version is deleted")
            )
            return
        draft = self.learn(event, snapshot, before)
        if draft is not None:
            self.drafts.append(draft)

    def learn(self, event: Event, snapshot: Snapshot, before: VersionFact | None) -> _Draft | None:
        """Join what the event says into the facts; return what changed, None if it is a duplicate or stale."""
        id, stamp = snapshot.version_id, event.stamp
        touched = sorted((snapshot.labels or frozenset()) | ((before and before.labels) or frozenset()))
        held_before = {label: self.holder(label) for label in touched}
        claims_before = {label: self.labels.get(label) for label in touched}
        previous = self.replaced_versions(event, snapshot, claims_before)
        tags_before = self.tags_in_force()

        self.versions[id] = _joined(before, snapshot, stamp, event)
        if before is None or stamp >= before.as_of:
            self.contents[id] = snapshot.content
        self.claim(snapshot, stamp)
        gained = tuple(x for x in touched if self.holder(x) == id and held_before[x] != id)
        dropped = tuple(x for x in touched if held_before[x] == id and self.holder(x) != id)
        implied = [x for x in touched if held_before[x] not in (None, id) and self.holder(x) != held_before[x]]
        shown = self.shown_losses(id, snapshot, before, stamp)
        tags_gained, tags_lost, tags_assumed = self.retag(event, snapshot, stamp, tags_before)

        draft = _Draft(
            event=event,
            version=Version(
                id=id,
                number=snapshot.version,
                labels=None if snapshot.labels is None else tuple(sorted(snapshot.labels)),
                tags=None if snapshot.tags is None else tuple(sorted(snapshot.tags)),
                updated_at=snapshot.updated_at,
                content=snapshot.content,
            ),
            created=event.action == "created" and (before is None or not before.created),
        )
        place = len(self.statuses)
        for label in dropped:
            self.losses.append(_Loss(place, label, None))
        if event.action == "deleted":
            held = {label for label in touched if self.holder(label) == id}
            self.versions[id] = msgspec.structs.replace(self.versions[id], buried=True)
            draft.deleted = True
            draft.lost = tuple(sorted(held | set(dropped)))
            draft.versions_left = len(self.alive()) if self.complete() else None
        else:
            draft.gained = gained
            draft.lost = tuple(sorted({*dropped, *shown}))
            draft.tags_gained, draft.tags_lost = tags_gained, tags_lost
            draft.replaced = previous
            draft.moved = tuple(
                Move(label, claim.version, snapshot.version)
                for label in gained
                if (claim := claims_before[label]) is not None and claim.version_id != id
            )
            unsure = event.action == "updated" and (before is None or before.labels is None)
            draft.assumed = tags_assumed or (unsure and any(claims_before[label] is None for label in gained))
            self.resolve(place, gained)
            for label in implied:
                loser = held_before[label]
                assert loser is not None
                self.awaited[loser, label] = event
        changed = draft.created or draft.deleted or draft.gained or draft.lost or draft.tags_gained or draft.tags_lost
        self.statuses[event.id] = status = self.status(draft, before, stamp)
        return draft if changed or status[0] == "quiet" else None

    def claim(self, snapshot: Snapshot, stamp: Stamp) -> None:
        """Join the snapshot's claims to labels: the newest claim counts, even of a version that lost it since."""
        for label in snapshot.labels or ():
            old = self.labels.get(label)
            new = LabelFact(snapshot.version_id, snapshot.version, stamp)
            if old is None or (new.as_of, new.version, new.version_id) > (old.as_of, old.version, old.version_id):
                self.labels[label] = new

    def shown_losses(self, id: str, snapshot: Snapshot, before: VersionFact | None, stamp: Stamp) -> tuple[str, ...]:
        """Return the labels whose loss a gain in this story implied and which this event shows itself."""
        if before is None or snapshot.labels is None or (before.labels_as_of and stamp <= before.labels_as_of):
            return ()
        shown = tuple(x for x in before.labels or () if x not in snapshot.labels and (id, x) in self.awaited)
        for label in shown:
            del self.awaited[id, label]
        return shown

    def retag(
        self, event: Event, snapshot: Snapshot, stamp: Stamp, before: frozenset[str] | None
    ) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        """Join the tags; return those gained and lost, and whether the gain is only assumed.

        A deletion says nothing about them: the versions that remain will.
        """
        if event.action == "deleted" or snapshot.tags is None:
            return (), (), False
        if self.tags is not None and stamp <= self.tags.as_of:
            return (), (), False
        self.tags = TagsFact(snapshot.tags, stamp)
        if before is not None:
            return tuple(sorted(snapshot.tags - before)), tuple(sorted(before - snapshot.tags)), False
        if event.action == "created" and snapshot.version > 1:
            return (), (), False  # a new version takes over the tags of the one before, which we never saw
        return tuple(sorted(snapshot.tags)), (), event.action == "updated" and bool(snapshot.tags)

    def replaced_versions(
        self, event: Event, snapshot: Snapshot, claims: dict[str, LabelFact | None]
    ) -> dict[str, Version]:
        """Return the version each label was on before; under "" the highest lower version, for a creation."""
        replaced = {
            label: self.as_version(claim.version_id, also=label)
            for label, claim in claims.items()
            if claim is not None and label != LATEST and claim.version_id != snapshot.version_id
        }
        lower = [version for version in self.alive() if version.number < snapshot.version]
        if event.action == "created" and lower:
            replaced[""] = self.as_version(max(lower, key=lambda version: version.number).id)
        return replaced

    def resolve(self, place: int, gained: Iterable[str]) -> None:
        """A gain is the other half of the losses of that label told before it."""
        labels = set(gained)
        self.losses = [
            _Loss(loss.place, loss.label, place) if loss.found is None and loss.label in labels else loss
            for loss in self.losses
        ]

    def status(self, draft: _Draft, before: VersionFact | None, stamp: Stamp) -> tuple[EventStatus, str]:
        if draft.created or draft.deleted:
            return "routed", ""
        if draft.gained or draft.lost or draft.tags_gained or draft.tags_lost:
            quiet = not _visible(draft)
            return ("quiet", "only latest moved") if quiet else ("routed", "")
        if before is None or stamp.updated_at > before.as_of.updated_at:
            return "quiet", "nothing that we can see changed"
        if stamp.updated_at == before.as_of.updated_at:
            return "duplicate", "shows a state that is known"
        return "stale", f"version {draft.version.number} is known as of {before.as_of.updated_at.isoformat()}"

    def close(self, story: Sequence[Event], latest_before: str | None) -> None:
        """Tell what the batch implies and no event of it shows."""
        implied: dict[str, list[tuple[str, Event]]] = {}
        for (loser, label), event in self.awaited.items():
            implied.setdefault(loser, []).append((label, event))
        for loser, losses in implied.items():
            _, event = max(losses, key=lambda loss: loss[1].stamp)
            self.infer(loser, event, lost=tuple(sorted(label for label, _ in losses)))
        latest = None if self.holder(LATEST) else self.inferred_latest()
        if latest is not None and latest != latest_before and not self.versions[latest].buried:
            deletion = next(event for event in reversed(story) if event.action == "deleted")
            self.infer(latest, deletion, gained=(LATEST,))

    def infer(self, id: str, event: Event, *, gained: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> None:
        version = self.as_version(id)
        if gained:
            version = msgspec.structs.replace(version, labels=tuple(sorted({*(version.labels or ()), *gained})))
        self.drafts.append(_Draft(event=event, version=version, inferred=True, gained=gained, lost=lost))

    # ---- results

    def ledger(self) -> Ledger:
        return msgspec.structs.replace(
            self.known, versions=self.versions, labels=self.labels, tags=self.tags, contents=self.contents
        )

    def changes(self) -> tuple[Change, ...]:
        held = self.holders()
        return tuple(_finished(self.known.prompt, draft, held) for draft in self.drafts)


def _joined(before: VersionFact | None, snapshot: Snapshot, stamp: Stamp, event: Event) -> VersionFact:
    created = event.action == "created"
    if before is None:
        return VersionFact(
            id=snapshot.version_id,
            number=snapshot.version,
            as_of=stamp,
            labels=snapshot.labels,
            labels_as_of=None if snapshot.labels is None else stamp,
            created=created,
        )
    newer = snapshot.labels is not None and (before.labels_as_of is None or stamp > before.labels_as_of)
    return msgspec.structs.replace(
        before,
        as_of=max(before.as_of, stamp),
        labels=snapshot.labels if newer else before.labels,
        labels_as_of=stamp if newer else before.labels_as_of,
        created=before.created or created,
    )


def _visible(draft: _Draft) -> bool:
    """Whether there is more to see than Langfuse moving `latest` by itself."""
    labels = {*draft.gained, *draft.lost} - {LATEST}
    return bool(draft.created or draft.deleted or labels or draft.tags_gained or draft.tags_lost)


def _finished(prompt: PromptKey, draft: _Draft, held: dict[str, VersionFact]) -> Change:
    """Return the change, now that it is known where the lost labels went."""
    action: Action = "created" if draft.created else "deleted" if draft.deleted else "updated"
    removed = tuple(label for label in draft.lost if label not in held)
    only_losses = not (draft.created or draft.deleted or draft.gained or draft.tags_gained or draft.tags_lost)
    at = draft.event.stamp.updated_at.isoformat()
    facts: list[object] = [[action]] if draft.created or draft.deleted else []
    facts += [["label", label, draft.version.number, at] for label in draft.gained]
    facts += [["lost", label, draft.version.number, at] for label in draft.lost]
    if draft.tags_gained or draft.tags_lost:
        facts.append(["tags", draft.tags_gained, draft.tags_lost, at])
    if not facts:
        facts.append(["seen", at])
    return Change(
        id=_digest(prompt.source, prompt.project_id, prompt.name, draft.version.id, draft.version.number, facts),
        event=draft.event,
        type=draft.event.type,
        origin="inferred" if draft.inferred else draft.event.origin,
        action=action,
        prompt=prompt,
        version=draft.version,
        labels_gained=draft.gained,
        labels_lost=draft.lost,
        labels_removed=removed,
        tags_gained=draft.tags_gained,
        tags_lost=draft.tags_lost,
        moved=draft.moved,
        replaced={label: version for label, version in draft.replaced.items() if not label or label in draft.gained},
        versions_left=draft.versions_left,
        assumed=draft.assumed,
        quiet=not _visible(draft),
        half=only_losses and bool(draft.lost) and not removed,
    )


def _digest(*facts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]
