"""What a batch of prompt events changes in the ledger.

`derive` folds the events in the order in which things happened (not in which they came) over the facts known, each
fact with its own time. The facts are joined (newest claim to a label, newest labels of each version, newest tags,
deletions for good), so the ledger ends the same whatever the order of arrival; what is told is the difference that
each event makes on the way.

What Langfuse sends, and what it keeps silent about: langfuse/langfuse web/src/features/prompts/server.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from router.domain.change import Change, Move, Version
from router.domain.event import Action, Content, Event, EventStatus, PromptKey, Snapshot, Stamp
from router.domain.ledger import LabelFact, Ledger, TagsFact, VersionFact

LATEST = "latest"
"""The label that Langfuse itself keeps on the newest version."""


class Derivation(Struct, frozen=True, kw_only=True):
    """What `derive` found. `statuses` is by event id; events named in `held` wait until `until`.

    `awaited`: the labels whose other half they wait for.
    """

    ledger: Ledger
    changes: tuple[Change, ...]
    statuses: dict[str, tuple[EventStatus, str]]
    held: tuple[str, ...] = ()
    until: datetime | None = None
    awaited: frozenset[str] = frozenset()


def derive(
    known: Ledger,
    events: Iterable[Event],
    *,
    now: datetime | None = None,
    pair: timedelta = timedelta(),
    gone: Collection[str] = (),
) -> Derivation:
    """Return what `events`, all of `known.prompt`, change.

    A label that an event lost and nobody gained holds that event, and what happened after it, back until `pair`
    after its arrival: its other half may be on the way. With `now` None the wait is taken as over. `gone`: labels that
    no version holds, as somebody has asked; they are not waited for.
    """
    story, doubles = _story(events)
    told = len(story)
    fold = _Fold(known)
    fold.run(story)
    waits: dict[str, datetime] = {}
    if now is not None:
        told, waits = _cut(story, fold.losses, now, pair, gone)
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
    return Derivation(
        ledger=fold.ledger(),
        changes=fold.changes(),
        statuses=statuses,
        held=tuple(held),
        until=min(waits.values(), default=None),
        awaited=frozenset(waits),
    )


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


class _Draft(Struct):
    """A change in the making: losses learn only later in the story whether the label went elsewhere (`taken`)."""

    event: Event
    version: Version
    inferred: bool = False
    created: bool = False
    deleted: bool = False
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    tags_gained: tuple[str, ...] = ()
    tags_lost: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    replaced: dict[str, Version] = {}
    versions_left: int | None = None
    assumed: bool = False


class _Loss(Struct, frozen=True):
    """A label that an event showed to be gone; `found` is the place in the story of the gain, if there is one."""

    place: int
    draft: _Draft
    label: str
    found: int | None = None


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
    story: Sequence[Event], losses: Sequence[_Loss], now: datetime, pair: timedelta, gone: Collection[str]
) -> tuple[int, dict[str, datetime]]:
    """Return how much of the story can be told now, and until when the other half of which label is waited for."""
    ends = {loss.place: story[loss.place].received_at + pair for loss in losses}
    waiting = [loss for loss in losses if loss.found is None and loss.label not in gone and ends[loss.place] > now]
    if not waiting:
        return len(story), {}
    cut = min(loss.place for loss in waiting)
    while torn := [loss.place for loss in losses if loss.place < cut and loss.found is not None and loss.found >= cut]:
        cut = min(torn)
    return cut, {loss.label: ends[loss.place] for loss in waiting}


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
        self.heir: str | None = None if self.holder(LATEST) else self.inferred_latest()
        """Who was told to hold `latest` without having shown it."""

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
        heir = max(self.alive(), key=lambda version: (version.number, version.as_of, version.id), default=None)
        return None if heir is None else heir.id

    def told_holder(self, label: str) -> str | None:
        """Return who holds the label as far as was told, which for `latest` may have been inferred."""
        return self.holder(label) or (self.heir if label == LATEST else None)

    def holders(self) -> dict[str, VersionFact]:
        found = {label: self.holder(label) for label in self.labels}
        if found.get(LATEST) is None:
            found[LATEST] = self.inferred_latest()
        return {label: self.versions[id] for label, id in found.items() if id is not None}

    def alive(self) -> list[VersionFact]:
        return [version for version in self.versions.values() if not version.buried]

    def complete(self) -> bool:
        """Return whether every version ever made is known: Langfuse numbers them 1, 2, 3, …

        Above the highest that is known there are none if it was created when somebody listened, or held `latest`.
        """
        numbers = {version.number for version in self.versions.values()}
        if not numbers or numbers != set(range(1, max(numbers) + 1)):
            return False
        highest = [version for version in self.versions.values() if version.number == max(numbers)]
        return any(version.created or LATEST in (version.labels or ()) for version in highest)

    def tags_in_force(self) -> frozenset[str] | None:
        if self.tags is None:
            return None
        return self.tags.tags if self.exists() else frozenset()

    def exists(self) -> bool:
        """Return whether any version is left."""
        return any(not version.buried for version in self.versions.values())

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
        for event in story:
            self.observe(event)
        self.close(story)

    def observe(self, event: Event) -> None:
        snapshot = _snapshot(event)
        before = self.versions.get(snapshot.version_id)
        buried = before is not None and before.buried
        draft = self.recall(event, snapshot, before) if buried else self.learn(event, snapshot, before)
        if draft is not None:
            self.drafts.append(draft)

    def recall(self, event: Event, snapshot: Snapshot, before: VersionFact | None) -> _Draft | None:
        """Join what is said of a deleted version. Nothing of it is told; but the tags are the prompt's, and a label
        that it held may be thought to be with another one.
        """
        tags_before = self.tags_in_force()
        held_before = {label: self.told_holder(label) for label in snapshot.labels or ()}
        self.join(event, snapshot, before)
        self.await_losses(event, held_before)
        tags_gained, tags_lost, assumed = self.retag(event, snapshot, tags_before)
        if tags_gained or tags_lost:
            self.statuses[event.id] = "routed", ""
            draft = _drafted(event, snapshot)
            draft.tags_gained, draft.tags_lost, draft.assumed = tags_gained, tags_lost, assumed
            return draft
        again = event.action == "deleted"
        self.statuses[event.id] = (
            ("duplicate", "its deletion is known") if again else ("stale", "the version is deleted")
        )
        return None

    def learn(self, event: Event, snapshot: Snapshot, before: VersionFact | None) -> _Draft | None:
        """Join what the event says into the facts; return what changed, None if it is a duplicate or stale."""
        id, stamp = snapshot.version_id, event.stamp
        touched = sorted((snapshot.labels or frozenset()) | ((before and before.labels) or frozenset()))
        held_before = {label: self.told_holder(label) for label in touched}
        last_held = {label: self.labels[label].version_id if label in self.labels else None for label in touched}
        if _is_told_now(before, stamp):
            # what was read from Langfuse shows this very change: what the version held before it is not known
            held_before = {label: None if holder == id else holder for label, holder in held_before.items()}
            last_held = {label: None if holder == id else holder for label, holder in last_held.items()}
        previous = self.replaced_versions(event, snapshot, last_held)
        tags_before = self.tags_in_force()

        self.join(event, snapshot, before)
        held_after = {label: self.told_holder(label) for label in touched}
        gained = tuple(label for label in touched if held_after[label] == id != held_before[label])
        dropped = tuple(label for label in touched if held_before[label] == id != held_after[label])
        self.await_losses(event, held_before)
        shown = self.shown_losses(id, snapshot, before, stamp)
        tags_gained, tags_lost, tags_assumed = self.retag(event, snapshot, tags_before)

        draft = _drafted(event, snapshot)
        known = before is not None and before.created and not _is_told_now(before, stamp)
        draft.created = event.action == "created" and not known
        place = len(self.statuses)
        # `latest` is never lost without somebody gaining it: there is nothing to wait for
        self.losses += [_Loss(place, draft, label) for label in dropped if label != LATEST]
        # whoever lost `latest` without being deleted lost it to somebody, seen or not
        draft.taken = frozenset(shown) | (frozenset(dropped) & {LATEST})
        if event.action == "deleted":
            held = {label for label in touched if held_after[label] == id}
            self.bury(id)
            draft.deleted = True
            draft.lost = tuple(sorted({*held, *dropped, *shown}))
            if self.exists():
                draft.taken |= {LATEST}  # Langfuse passes it on
            draft.versions_left = len(self.alive()) if self.complete() else None
        else:
            draft.gained = gained
            draft.lost = tuple(sorted({*dropped, *shown}))
            draft.tags_gained, draft.tags_lost = tags_gained, tags_lost
            draft.replaced = previous
            draft.moved = tuple(
                Move(label, self.versions[last].number, snapshot.version)
                for label in gained
                if (last := held_before[label] or last_held[label]) is not None
                and last != id
                # Langfuse gives `latest` to the version created last; down it goes in silence only, by a deletion
                and (label != LATEST or self.versions[last].number < snapshot.version)
            )
            first_sight = before is None or before.labels is None or _is_told_now(before, stamp)
            unsure = event.action == "updated" and first_sight
            draft.assumed = tags_assumed or (unsure and any(last_held[label] is None for label in gained))
            self.infer_before(id, gained)
        self.resolve(place, gained)  # a deletion, too, may be all that shows where a label went
        changed = draft.created or draft.deleted or draft.gained or draft.lost or draft.tags_gained or draft.tags_lost
        self.statuses[event.id] = status = self.status(draft, before, stamp)
        return draft if changed or status[0] == "quiet" else None

    def join(self, event: Event, snapshot: Snapshot, before: VersionFact | None) -> None:
        """Join the snapshot into what is known of its version, and its claims to labels.

        The newest claim to a label counts, even of a version that lost it since or is deleted.
        """
        id, stamp = snapshot.version_id, event.stamp
        self.versions[id] = _joined(before, snapshot, stamp, event)
        if before is None or stamp >= before.as_of:
            self.contents[id] = snapshot.content
        for label in snapshot.labels or ():
            old = self.labels.get(label)
            new = LabelFact(id, snapshot.version, stamp)
            if old is None or (new.as_of, new.version, new.version_id) > (old.as_of, old.version, old.version_id):
                self.labels[label] = new
        if self.holder(LATEST) is not None:
            self.heir = None

    def bury(self, id: str) -> None:
        self.versions[id] = msgspec.structs.replace(self.versions[id], buried=True)
        if self.heir == id:
            self.heir = None

    def await_losses(self, event: Event, held_before: dict[str, str | None]) -> None:
        """Expect the losers of the labels that `event` shows its version to have taken."""
        for label, loser in held_before.items():
            if loser not in (None, _snapshot(event).version_id) and self.told_holder(label) != loser:
                assert loser is not None
                self.awaited[loser, label] = event

    def shown_losses(self, id: str, snapshot: Snapshot, before: VersionFact | None, stamp: Stamp) -> tuple[str, ...]:
        """Return the labels whose loss a gain in this story implied and which this event shows itself."""
        if before is None or snapshot.labels is None or (before.labels_as_of and stamp <= before.labels_as_of):
            return ()
        shown = tuple(x for x in before.labels or () if x not in snapshot.labels and (id, x) in self.awaited)
        for label in shown:
            del self.awaited[id, label]
        return shown

    def retag(
        self, event: Event, snapshot: Snapshot, before: frozenset[str] | None
    ) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        """Join the tags; return those gained and lost, and whether the gain is only assumed.

        A deletion says nothing about them: the versions that remain will.
        """
        stamp = event.stamp
        if event.action == "deleted" or snapshot.tags is None:
            return (), (), False
        if self.tags is None or (stamp, sorted(snapshot.tags)) > (self.tags.as_of, sorted(self.tags.tags)):
            self.tags = TagsFact(snapshot.tags, stamp)
        after = self.tags_in_force()
        if before is not None and after is not None:
            # also where this is older than what is known: it may be the first version again after all were deleted
            return tuple(sorted(after - before)), tuple(sorted(before - after)), False
        if not self.exists():
            return (), (), False
        if event.action == "created" and snapshot.version > 1:
            return (), (), False  # a new version takes over the tags of the one before, which we never saw
        return tuple(sorted(snapshot.tags)), (), event.action == "updated" and bool(snapshot.tags)

    def replaced_versions(
        self, event: Event, snapshot: Snapshot, last_held: dict[str, str | None]
    ) -> dict[str, Version]:
        """Return the version each label was on before; under "" the highest lower version, for a creation."""
        replaced = {
            label: self.as_version(id, also=label)
            for label, id in last_held.items()
            if id is not None and label != LATEST and id != snapshot.version_id
        }
        if event.action == "created":
            lower = [version for version in self.alive() if version.number < snapshot.version]
            if lower:
                replaced[""] = self.as_version(max(lower, key=lambda version: version.number).id)
        return replaced

    def resolve(self, place: int, gained: Iterable[str]) -> None:
        """A gain is the other half of the losses of that label told before it."""
        labels = set(gained)
        for index, loss in enumerate(self.losses):
            if loss.found is None and loss.label in labels:
                loss.draft.taken |= {loss.label}
                self.losses[index] = msgspec.structs.replace(loss, found=place)

    def status(self, draft: _Draft, before: VersionFact | None, stamp: Stamp) -> tuple[EventStatus, str]:
        if draft.created or draft.deleted:
            return "routed", ""
        if draft.gained or draft.lost or draft.tags_gained or draft.tags_lost:
            quiet = not _visible(draft)
            return ("quiet", "only latest moved") if quiet else ("routed", "")
        if before is None or stamp.updated_at > before.as_of.updated_at or _is_told_now(before, stamp):
            return "quiet", "nothing that we can see changed"
        if stamp.updated_at == before.as_of.updated_at:
            return "duplicate", "shows a state that is known"
        return "stale", f"version {draft.version.number} is known as of {before.as_of.updated_at.isoformat()}"

    def close(self, story: Sequence[Event]) -> None:
        """Tell what the batch implies and no event of it shows."""
        implied: dict[str, list[tuple[str, Event]]] = {}
        for (loser, label), event in self.awaited.items():
            implied.setdefault(loser, []).append((label, event))
        for loser, losses in implied.items():
            _, event = max(losses, key=lambda loss: loss[1].stamp)
            self.infer(loser, event, lost=tuple(sorted(label for label, _ in losses)))
        heir = None if self.holder(LATEST) else self.inferred_latest()
        if heir is not None and heir != self.heir:
            # not always a deletion: a version that was missing in between may have come
            implying = next((event for event in reversed(story) if event.action == "deleted"), story[-1])
            self.infer(heir, implying, gained=(LATEST,))

    def infer_before(self, id: str, gained: Iterable[str]) -> None:
        """Tell the losses that no event showed of a version that has its labels back: it lost them before."""
        for label in gained:
            if (id, label) in self.awaited:
                self.infer(id, self.awaited.pop((id, label)), lost=(label,))

    def infer(self, id: str, event: Event, *, gained: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> None:
        version = self.as_version(id)
        labels = ({*(version.labels or ())} | {*gained}) - {*lost}
        version = msgspec.structs.replace(version, labels=tuple(sorted(labels)))
        self.drafts.append(
            _Draft(event=event, version=version, inferred=True, gained=gained, lost=lost, taken=frozenset(lost))
        )

    # ---- results

    def ledger(self) -> Ledger:
        return msgspec.structs.replace(
            self.known, versions=self.versions, labels=self.labels, tags=self.tags, contents=self.contents
        )

    def changes(self) -> tuple[Change, ...]:
        kept = set(self.holders())
        if self.exists() or not self.complete():
            kept.add(LATEST)  # held by some version, even if it is not known which
        return tuple(_finished(self.known.prompt, draft, kept) for draft in self.drafts)


def _drafted(event: Event, snapshot: Snapshot) -> _Draft:
    return _Draft(
        event=event,
        version=Version(
            id=snapshot.version_id,
            number=snapshot.version,
            labels=None if snapshot.labels is None else tuple(sorted(snapshot.labels)),
            tags=None if snapshot.tags is None else tuple(sorted(snapshot.tags)),
            updated_at=snapshot.updated_at,
            content=snapshot.content,
        ),
    )


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
    newer = snapshot.labels is not None and (
        before.labels_as_of is None
        or before.labels is None
        # even of equal stamps the same one wins, whichever comes first
        or (stamp, sorted(snapshot.labels)) > (before.labels_as_of, sorted(before.labels))
    )
    return msgspec.structs.replace(
        before,
        as_of=max(before.as_of, stamp),
        labels=snapshot.labels if newer else before.labels,
        labels_as_of=stamp if newer else before.labels_as_of,
        created=before.created or created,
        untold=before.untold and stamp.updated_at < before.as_of.updated_at,
    )


def _is_told_now(before: VersionFact | None, stamp: Stamp) -> bool:
    """Whether an event of that time shows the state of the version that nobody told yet."""
    return before is not None and before.untold and stamp.updated_at == before.as_of.updated_at


def _visible(draft: _Draft) -> bool:
    """Whether there is more to see than Langfuse moving `latest` by itself."""
    labels = {*draft.gained, *draft.lost} - {LATEST}
    return bool(draft.created or draft.deleted or labels or draft.tags_gained or draft.tags_lost)


def _finished(prompt: PromptKey, draft: _Draft, kept: Collection[str]) -> Change:
    """Return the change, now that it is known where the lost labels went: `kept` are those that somebody holds."""
    action: Action = "created" if draft.created else "deleted" if draft.deleted else "updated"
    removed = tuple(label for label in draft.lost if label not in kept and label not in draft.taken)
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
