"""The ledger against the model Langfuse: random sessions, webhooks in any order, late, doubled, in any batches.

What is told must have happened; what is known at the end must be so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.domain.change import Change
from router.domain.event import Event, EventStatus
from router.domain.ledger import Ledger
from router.engine.ledger import LATEST, derive, labels_held, tags_now
from tests.sessions import KEY, LABELS, Session, batches, sessions

PAIR = timedelta(seconds=10)


class Receiver:
    """What the service does with what arrives, without a store."""

    def __init__(self) -> None:
        self.ledger = Ledger(prompt=KEY)
        self.told: list[Change] = []
        self.statuses: dict[str, EventStatus] = {}
        self.waiting: list[Event] = []

    def take(self, events: Iterable[Event], now: datetime | None = None) -> list[Change]:
        """Route a settled batch, with what waits for its other half; `now` None: no more waiting."""
        batch = [*self.waiting, *events]
        derived = derive(self.ledger, batch, now=now, pair=PAIR)
        self.ledger = derived.ledger
        self.told += derived.changes
        self.statuses |= {id: status for id, (status, _) in derived.statuses.items()}
        self.waiting = [event for event in batch if event.id in derived.held]
        assert {event.id for event in batch} == derived.statuses.keys() | set(derived.held)
        return list(derived.changes)


def received(batched: Iterable[Sequence[Event]]) -> Receiver:
    receiver = Receiver()
    for batch in batched:
        receiver.take(batch)
    return receiver


def says(ledger: Ledger) -> object:
    """What the ledger knows, without when it heard of it."""
    holders = {label: version.id for label, version in labels_held(ledger).items()}
    alive = {version.id for version in ledger.versions.values() if not version.buried}
    return holders, tags_now(ledger), alive, {id: ledger.contents[id] for id in alive}


def in_time(data: st.DataObject, events: Iterable[Event]) -> Receiver:
    """Route as the service does: in the order of arrival, at any moments, waiting for other halves."""
    receiver = Receiver()
    left = sorted(events, key=lambda event: event.received_at)
    while left:
        size = data.draw(st.integers(1, len(left)))
        now = left[size - 1].received_at + timedelta(milliseconds=data.draw(st.sampled_from([0, 900])))
        size = sum(event.received_at <= now for event in left)
        receiver.take(left[:size], now)
        left = left[size:]
    receiver.take([])
    return receiver


# ---- the ledger ends the same


@given(sessions(silence=True, skew=True), st.data())
def test_any_order_and_any_batches_end_in_the_same_ledger(session: Session, data: st.DataObject) -> None:
    one = received(data.draw(batches(session.events)))
    other = received(data.draw(batches(session.events)))
    assert one.ledger == other.ledger


@given(sessions(silence=True), st.data())
def test_waiting_for_the_other_half_of_a_move_changes_nothing_in_the_end(session: Session, data: st.DataObject) -> None:
    assert in_time(data, session.events).ledger == received([session.events]).ledger


@given(sessions(silence=True), st.data())
def test_doubles_change_nothing_that_the_ledger_says(session: Session, data: st.DataObject) -> None:
    events = list(session.events)
    if events:
        for number, event in enumerate(data.draw(st.lists(st.sampled_from(events), max_size=8))):
            later = event.timestamp + timedelta(seconds=data.draw(st.integers(0, 99)))
            events.append(msgspec.structs.replace(event, id=f"double-{number}", timestamp=later))
    assert says(received(data.draw(batches(events))).ledger) == says(received([session.events]).ledger)


@given(sessions(silence=True), st.data())
def test_within_a_batch_the_changes_are_the_same_in_any_order(session: Session, data: st.DataObject) -> None:
    known = data.draw(st.integers(0, len(session.events)))
    receiver = received([session.events[:known]])
    batch = session.events[known:]
    expected = derive(receiver.ledger, batch)
    shuffled = derive(receiver.ledger, data.draw(st.permutations(batch)))
    assert shuffled.changes == expected.changes
    assert shuffled.statuses == expected.statuses


# ---- the ledger is right


@given(sessions(), st.data())
def test_when_everything_arrived_the_ledger_is_what_langfuse_has(session: Session, data: st.DataObject) -> None:
    ledger = received(data.draw(batches(session.events))).ledger
    held = labels_held(ledger)
    for label in LABELS:
        assert (held[label].id if label in held else None) == session.end.holder(label)
    if LATEST in held or complete(ledger):
        assert (held[LATEST].id if LATEST in held else None) == session.end.holder(LATEST)
    assert tags_now(ledger) == session.end.tags
    alive = {version.id: version.number for version in ledger.versions.values() if not version.buried}
    assert alive == {row.id: row.version for row in session.end.rows.values()}


@given(sessions(silence=True), st.data())
def test_the_ledger_errs_only_about_versions_deleted_in_silence(session: Session, data: st.DataObject) -> None:
    ledger = received(data.draw(batches(session.events))).ledger
    for label, version in labels_held(ledger).items():
        assert version.id in session.silently_deleted or version.id == session.end.holder(label)
    alive = {version.id for version in ledger.versions.values() if not version.buried}
    assert alive - session.end.rows.keys() <= session.silently_deleted


def complete(ledger: Ledger) -> bool:
    numbers = {version.number for version in ledger.versions.values()}
    return numbers == set(range(1, len(numbers) + 1))


# ---- what is told happened


@given(sessions(silence=True), st.data())
def test_nothing_is_told_that_did_not_happen(session: Session, data: st.DataObject) -> None:
    check_truth(session, received(data.draw(batches(session.events))).told)


@given(sessions(silence=True), st.data())
def test_nothing_is_told_that_did_not_happen_even_if_webhooks_are_lost(session: Session, data: st.DataObject) -> None:
    arrived = [event for event in session.events if data.draw(st.integers(0, 3))]
    check_truth(session, received(data.draw(batches(arrived))).told)


@given(sessions(), st.data())
def test_a_label_is_told_as_removed_only_if_nobody_held_it(session: Session, data: st.DataObject) -> None:
    """As long as both halves of a move arrive within `pair`."""
    removed = Counter(label for change in in_time(data, session.events).told for label in change.labels_removed)
    for label, times in removed.items():
        held = session.holders(label)
        assert times <= sum(after is None is not before for before, after in pairwise(held))


def gains_and_losses(told: Iterable[Change]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Count what each version was told to gain and to lose: (label, prompt id) → times.

    Not the guess who has `latest` after a deletion: versions deleted in silence, or not yet, count as there.
    """
    gained: Counter[tuple[str, str]] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    for change in told:
        assert change.version is not None
        guessed = {LATEST} if change.origin == "inferred" else set()
        gained.update((label, change.version.id) for label in change.labels_gained if label not in guessed)
        lost.update((label, change.version.id) for label in change.labels_lost if label not in guessed)
    return gained, lost


def check_truth(session: Session, told: Sequence[Change]) -> None:
    visible = [change for change in told if not change.quiet]
    assert len({change.id for change in visible}) == len(visible), "a change is told twice"
    gained, lost = gains_and_losses(told)
    made: Counter[tuple[str, str]] = Counter()
    for change in told:
        version = change.version
        assert version is not None
        assert set(change.labels_removed) <= set(change.labels_lost)
        check_moves(session, change)
        check_tags(session, change)
        if change.action in ("created", "deleted"):
            made[change.action, version.id] += 1
    for (label, id), times in gained.items():
        assert times <= session.times_gained(label, id), f"{id} gained {label} {times} times"
    for (label, id), times in lost.items():
        assert times <= session.times_lost(label, id), f"{id} lost {label} {times} times"
    assert all(times == 1 for times in made.values())
    assert {id for action, id in made if action == "deleted"} <= session.deleted


def check_moves(session: Session, change: Change) -> None:
    """Somebody of that number held the label, and this version did later."""
    assert change.version is not None
    numbers = {row.id: row.version for moment in session.moments for row in moment.rows.values()}
    for move in change.moved:
        holders = session.holders(move.label)
        before = next(place for place, id in enumerate(holders) if id and numbers[id] == move.from_)
        assert change.version.id in holders[before + 1 :], f"{move} is the wrong way round"
        assert move.to == change.version.number
        assert move.label in change.labels_gained


def check_tags(session: Session, change: Change) -> None:
    """The prompt had tags without the gained ones and with the lost ones, and later the other way round."""
    gained, lost = frozenset(change.tags_gained), frozenset(change.tags_lost)
    if not gained and not lost:
        return
    had = session.tags()
    assert any(
        had[later] - had[earlier] == gained and had[earlier] - had[later] == lost
        for later in range(len(had))
        for earlier in range(later)
    ), f"tags +{sorted(gained)} -{sorted(lost)} in {had}"


# ---- what happened is told


@given(sessions(at_once=True))
def test_everything_that_the_wire_shows_is_told_once(session: Session) -> None:
    told = received([session.events]).told
    gained, lost = gains_and_losses(told)
    ids = {id for moment in session.moments for id in moment.rows}
    for label in LABELS:
        for id in ids:
            assert gained[label, id] == session.times_gained(label, id)
            assert lost[label, id] == session.times_lost(label, id)
    for action, expected in (("created", ids), ("deleted", session.deleted)):
        assert {change.version.id for change in told if change.version and change.action == action} == expected


@given(sessions(silence=True), st.data())
def test_what_is_told_adds_up_to_what_is_known(session: Session, data: st.DataObject) -> None:
    receiver = received(data.draw(batches(session.events)))
    held: dict[str, str] = {}
    for change in receiver.told:
        assert change.version is not None
        for label in change.labels_lost:
            if held.get(label) == change.version.id:
                del held[label]
        held.update(dict.fromkeys(change.labels_gained, change.version.id))
    known = {label: version.id for label, version in labels_held(receiver.ledger).items()}
    if LATEST not in known:
        held.pop(LATEST, None)  # a guess that is none any more: a version turned up that leaves a gap below it
    assert held == known


@given(sessions(silence=True))
def test_in_the_order_of_events_every_visible_tag_is_told(session: Session) -> None:
    receiver = received([[event] for event in session.events])
    tags: set[str] = set()
    for change in receiver.told:
        tags = (tags | set(change.tags_gained)) - set(change.tags_lost)
    first = session.events[0] if session.events else None
    if first and first.snapshot and (first.action, first.snapshot.version) == ("created", 1):
        assert tags >= (tags_now(receiver.ledger) or frozenset())


@given(sessions(), st.data())
def test_an_old_snapshot_never_changes_anything(session: Session, data: st.DataObject) -> None:
    """Not even one that shows version 3 in production, long after version 4 took over."""
    receiver = received(data.draw(batches(session.events)))
    known = says(receiver.ledger)
    for event in session.events:
        late = msgspec.structs.replace(event, id=f"late-{event.id}", timestamp=event.timestamp + timedelta(hours=1))
        told = receiver.take([late])
        assert all(change.quiet for change in told)
        assert says(receiver.ledger) == known
