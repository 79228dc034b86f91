"""Webhooks that are lost, and Langfuse's API that is asked: random sessions at the model Langfuse.

The API is read while people go on: what a look sees of one version may be younger than what it saw of another.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.domain.event import Event
from router.domain.ledger import Ledger
from router.domain.listing import Ask, Listed
from router.engine.ledger import labels_held, tags_now
from router.engine.reconcile import APART, absorb, compare, due
from router.langfuse.api import event_for, read_version
from router.langfuse.bodies import Row, prompt_json
from tests.sessions import KEY, LABELS, START, Moment, Session, sessions
from tests.test_ledger_model import Receiver, check_truth

OVERLAP = timedelta(minutes=5)


class Api:
    """What Langfuse's API shows, moment by moment: never an older one than before."""

    def __init__(self, session: Session, data: st.DataObject) -> None:
        self.moments = [Moment(START, {}), *session.moments]
        self.data = data
        self.place = 0
        self.now = START

    @property
    def rows(self) -> Sequence[Row]:
        return list(self.moments[self.place].rows.values())

    def go_to(self, now: datetime) -> None:
        self.now = now
        self.place = max(self.place, sum(moment.at <= now for moment in self.moments) - 1)

    def go_on(self) -> None:
        """Somebody may do something between two reads, within the second that a look takes."""
        soon = [moment for moment in self.moments[self.place + 1 :] if moment.at <= self.now + timedelta(seconds=1)]
        self.place += self.data.draw(st.integers(0, min(len(soon), 2)))

    def listed(self, since: datetime | None = None) -> Listed | None:
        self.go_on()
        rows = [row for row in self.rows if since is None or row.updated_at >= since]
        if not rows:
            return None
        return Listed(
            name=rows[0].name,
            versions=frozenset(row.version for row in rows),
            labels=frozenset(label for row in rows for label in row.labels),
            tags=frozenset(rows[0].tags),
            updated_at=max(row.updated_at for row in rows),
        )

    def version(self, ask: Ask, now: datetime) -> Event | None:
        self.go_on()
        for row in self.rows:
            if ask.label in row.labels or ask.version == row.version:
                return read_version(msgspec.json.encode(prompt_json(row)), KEY.source, now)
        return None


class Looker:
    """What the service does with the API, without a store."""

    def __init__(self, session: Session, data: st.DataObject) -> None:
        self.api = Api(session, data)
        self.receiver = Receiver()
        self.seen: dict[str, datetime] = {}
        self.looked_at = START

    def look(self, now: datetime) -> None:
        known = self.receiver.ledger
        self.api.go_to(now)
        listed, updated = self.api.listed(), self.api.listed(self.looked_at - OVERLAP)
        reading = compare(known, listed, updated, self.seen)
        try:
            asks = next(reading)
            while True:
                asks = reading.send([self.api.version(ask, now) for ask in asks])
        except StopIteration as end:
            found = end.value
        first = {one.version_id: self.seen.get(one.version_id, now) for one in found}
        told, self.seen = due(found, self.seen, known, now=now, there=now)
        self.receiver.take([event_for(one, known, first[one.version_id]) for one in told])
        self.looked_at = now

    def import_all(self, now: datetime, waiting: Iterable[Event] = ()) -> None:
        self.api.go_to(now)
        listed = self.api.listed()
        shown = [self.api.version(Ask(version=number), now) for number in sorted(listed.versions if listed else ())]
        self.receiver.ledger = absorb(
            self.receiver.ledger,
            [event for event in shown if event is not None],
            before=min((event.stamp.updated_at for event in waiting), default=None),
            fresh=now - timedelta(minutes=10),
        )

    def live(self, events: Iterable[Event], looks: Iterable[datetime], end: datetime) -> None:
        """Take the events as they arrive and look in between; then look until nothing can be new."""
        happenings: list[tuple[datetime, Event | None]] = [(event.received_at, event) for event in events]
        happenings += [(look, None) for look in looks]
        for now, event in sorted(happenings, key=lambda one: one[0]):
            if event is None:
                self.look(now)
            else:
                self.receiver.take([event])
        for _ in range(4):
            end += APART
            self.look(end)


def drawn(session: Session, data: st.DataObject) -> tuple[list[Event], list[datetime], datetime]:
    """Return the events that arrive, some of them late, the times of looks, and when all is over."""
    kept = [
        msgspec.structs.replace(
            event, received_at=event.received_at + timedelta(seconds=data.draw(st.sampled_from([0, 0, 5, 200])))
        )
        for event in session.events
        if data.draw(st.integers(0, 2))
    ]
    end = max([session.end.at, *(event.received_at for event in kept)])
    looks = [START + (end - START) * part for part in data.draw(st.lists(st.floats(0, 1), max_size=5))]
    return kept, looks, end


def all_deleted(session: Session) -> Session:
    """The API shows what no webhook tells."""
    return msgspec.structs.replace(session, deleted=session.deleted | session.silently_deleted)


def check_ledger(session: Session, ledger: Ledger) -> None:
    held = {label: version.id for label, version in labels_held(ledger).items()}
    assert held == {label: row.id for row in session.end.rows.values() for label in row.labels}
    assert (tags_now(ledger) or frozenset()) == session.end.tags
    alive = {version.id for version in ledger.versions.values() if not version.buried}
    assert alive == session.end.rows.keys()


@given(sessions(silence=True), st.data())
def test_whatever_is_lost_the_ledger_is_what_langfuse_has_after_a_few_looks(
    session: Session, data: st.DataObject
) -> None:
    looker = Looker(session, data)
    looker.live(*drawn(session, data))
    check_ledger(session, looker.receiver.ledger)


@given(sessions(silence=True), st.data())
def test_no_transition_is_invented_and_none_told_twice(session: Session, data: st.DataObject) -> None:
    looker = Looker(session, data)
    looker.live(*drawn(session, data))
    check_truth(all_deleted(session), looker.receiver.told)


@given(sessions(silence=True), st.data())
def test_what_the_api_shows_is_told(session: Session, data: st.DataObject) -> None:
    looker = Looker(session, data)
    looker.live(*drawn(session, data))
    held: dict[str, str] = {}
    for change in looker.receiver.told:
        assert change.version is not None
        for label in change.labels_lost:
            if held.get(label) == change.version.id:
                del held[label]
        held.update(dict.fromkeys(change.labels_gained, change.version.id))
    for label in LABELS:
        assert held.get(label) == session.end.holder(label)
    made = {change.version.id for change in looker.receiver.told if change.version and change.action == "created"}
    gone = {change.version.id for change in looker.receiver.told if change.version and change.action == "deleted"}
    assert session.end.rows.keys() <= made
    assert not gone & session.end.rows.keys()


@given(sessions(silence=True, at_once=True), st.data())
def test_what_its_webhook_tells_within_a_minute_no_look_tells(session: Session, data: st.DataObject) -> None:
    looker = Looker(session, data)
    _, looks, end = drawn(session, data)
    looker.live(session.events, looks, end)
    told = [change for change in looker.receiver.told if change.origin == "reconcile" and not change.quiet]
    assert {change.version.id for change in told if change.version} <= session.silently_deleted


# ---- the import


@given(sessions(silence=True), st.data())
def test_an_import_tells_nothing_and_later_webhooks_and_looks_complete_it(
    session: Session, data: st.DataObject
) -> None:
    """The router comes when there is a past: some of it is shown by webhooks that are still on their way."""
    looker = Looker(session, data)
    kept, looks, end = drawn(session, data)
    begun = START + (session.end.at - START) * data.draw(st.floats(0, 1))
    waiting = [event for event in kept if event.timestamp <= begun < event.received_at]
    looker.import_all(begun, [event for event in waiting if data.draw(st.booleans())])
    assert looker.receiver.told == []
    arriving = [event for event in kept if event.received_at > begun]
    looker.live(arriving, [look for look in looks if look > begun], end)
    check_ledger(session, looker.receiver.ledger)
    sure = [change for change in looker.receiver.told if not change.assumed]
    check_truth(all_deleted(session), sure)
