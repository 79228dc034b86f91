"""Random sessions at a model Langfuse: what people do to one prompt, what really happened, and what the wire showed.

Langfuse reads the rows of its `updated` webhooks some time after the commit, sends them some time after that, in any
order, and once for each automation: all of that is drawn here.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from router.domain.event import Event, PromptKey
from router.langfuse.bodies import Person, Row, prompt_version
from router.langfuse.model import Langfuse, Queued
from router.langfuse.wire import decode

NAME = "checkout/cart"
ELSEWHERE = "before/the-webhook-was-set-up"
KEY = PromptKey("prod", "project", NAME)
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = (Person("u1", "Ann", "ann@example.com"), Person("u2", "Bob", "bob@example.com"))

LABELS = ("production", "staging", "canary")
TAGS = ("a", "b", "c")


class Moment(Struct, frozen=True):
    """What was true after a commit: when its last row was written, and all rows of the prompt by id."""

    at: datetime
    rows: dict[str, Row]

    def holder(self, label: str) -> str | None:
        return next((row.id for row in self.rows.values() if label in row.labels), None)

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(tag for row in self.rows.values() for tag in row.tags)


class Session(Struct, frozen=True):
    """`events` as they were sent, by the time of sending; `received_at` is when they arrived.

    `silently_deleted`: the ids of versions that were deleted without a webhook.
    """

    moments: tuple[Moment, ...]
    events: tuple[Event, ...]
    silently_deleted: frozenset[str]
    deleted: frozenset[str]

    def __repr__(self) -> str:
        return "\n".join(["a session:", *map(line, self.events)])

    @property
    def end(self) -> Moment:
        return self.moments[-1]

    def holders(self, label: str) -> list[str | None]:
        """Return who held a label, after each commit; first nobody."""
        return [None, *(moment.holder(label) for moment in self.moments)]

    def times_gained(self, label: str, version_id: str) -> int:
        held = [holder == version_id for holder in self.holders(label)]
        return sum(now and not before for before, now in pairwise(held))

    def times_lost(self, label: str, version_id: str) -> int:
        return self.times_gained(label, version_id) - (self.end.holder(label) == version_id)

    def tags(self) -> list[frozenset[str]]:
        """Return the tags after each commit; first none."""
        return [frozenset(), *(moment.tags for moment in self.moments)]


class _Play:
    """Carries out what was drawn."""

    def __init__(self, draw: st.DrawFn, *, silence: bool, skew: bool, at_once: bool) -> None:
        self.draw = draw
        self.silence = silence
        self.skew = skew
        self.at_once = at_once
        self.time = START
        self.offset = timedelta()
        self.numbers = count(1)
        self.langfuse = Langfuse("project", self.write_time, lambda: f"version-{next(self.numbers)}")
        self.moments: list[Moment] = []
        self.unread: list[tuple[int, list[Queued]]] = []
        self.events: list[Event] = []
        self.silently_deleted: set[str] = set()
        self.deleted: set[str] = set()

    def write_time(self) -> datetime:
        """Rows of one commit have the same `updatedAt`, or the next millisecond's."""
        self.time += timedelta(milliseconds=self.draw(st.integers(0, 1)))
        return self.time + self.offset

    def act(self) -> None:
        self.time += timedelta(milliseconds=self.draw(st.sampled_from([1, 2, 700, 60_000])))
        if self.skew:
            self.offset = timedelta(milliseconds=self.draw(st.sampled_from([0, 0, -900, 900, 50])))
        deed = self.draw(st.sampled_from(list(self.possible())))
        queued = deed()
        self.moments.append(Moment(self.time, {row.id: row for row in self.langfuse.versions(NAME)}))
        self.unread.append((0 if self.at_once else self.draw(st.sampled_from([0, 0, 0, 1, 2])), queued))
        self.read()

    def read(self, *, everything: bool = False) -> None:
        """The second query, for those whose time has come."""
        left = []
        for delay, queued in self.unread:
            if delay and not everything:
                left.append((delay - 1, queued))
            else:
                for one in queued:
                    self.send(one)
        self.unread = left

    def send(self, queued: Queued) -> None:
        row = self.langfuse.read(queued)
        if row is None:
            return
        for _ in range(self.draw(st.sampled_from([1, 1, 2]))):
            sent_at = self.time + timedelta(milliseconds=self.draw(st.sampled_from([0, 1, 30, 3_000])))
            received_at = sent_at + timedelta(milliseconds=self.draw(st.sampled_from([1, 20, 700, 4_000])))
            id = f"event-{next(self.numbers)}"
            body = prompt_version(queued.action, row, queued.by, id=id, sent_at=sent_at)
            self.events.append(decode(msgspec.json.encode(body), KEY.source, received_at))

    # ---- what can be done now

    def possible(self) -> Iterator[Callable[[], list[Queued]]]:
        rows = self.langfuse.versions(NAME)
        yield self.create
        if not rows:
            yield self.copy
            return
        yield from (self.set_labels, self.set_labels, self.set_labels, self.add_labels, self.set_tags)
        yield from (self.delete_version, self.delete_prompt)
        if self.silence:
            yield self.delete_in_silence

    def who(self) -> Person:
        return self.draw(st.sampled_from(PEOPLE))

    def some(self, words: Sequence[str]) -> list[str]:
        return self.draw(st.lists(st.sampled_from(words), unique=True, max_size=2))

    def version(self) -> int:
        return self.draw(st.sampled_from(self.langfuse.versions(NAME))).version

    def create(self) -> list[Queued]:
        tags = self.draw(st.one_of(st.none(), st.none(), st.just(self.some(TAGS))))
        by = self.draw(st.sampled_from([*PEOPLE, None]))
        return self.langfuse.create(NAME, f"text {next(self.numbers)}", by=by, labels=self.some(LABELS), tags=tags)

    def copy(self) -> list[Queued]:
        """Copy a prompt that was there before the webhook; its version 2 had been deleted."""
        if not self.langfuse.versions(ELSEWHERE):
            for number in (1, 2, 3):
                labels = ["production"] if number == 1 else []
                self.langfuse.create(ELSEWHERE, f"text {number}", by=PEOPLE[0], labels=labels, tags=["a"])
            self.langfuse.delete_version(ELSEWHERE, 2, by=PEOPLE[0])
        return self.langfuse.duplicate(ELSEWHERE, NAME, by=self.who(), single=self.draw(st.booleans()))

    def set_labels(self) -> list[Queued]:
        return self.langfuse.set_labels(NAME, self.version(), self.some(LABELS), by=self.who())

    def add_labels(self) -> list[Queued]:
        return self.langfuse.add_labels(NAME, self.version(), self.some(LABELS))

    def set_tags(self) -> list[Queued]:
        return self.langfuse.set_tags(NAME, self.some(TAGS), by=self.who())

    def delete_version(self) -> list[Queued]:
        return self.buried(self.langfuse.delete_version(NAME, self.version(), by=self.who()))

    def delete_prompt(self) -> list[Queued]:
        return self.buried(self.langfuse.delete_prompt(NAME, by=self.who()))

    def buried(self, queued: list[Queued]) -> list[Queued]:
        self.deleted.update(one.row.id for one in queued)
        return queued

    def delete_in_silence(self) -> list[Queued]:
        version = self.draw(st.one_of(st.none(), st.just(self.version())))
        self.silently_deleted.update(row.id for row in self.langfuse.delete_in_silence(NAME, version=version))
        return []


@st.composite
def sessions(draw: st.DrawFn, *, silence: bool = False, skew: bool = False, at_once: bool = False) -> Session:
    """Return a session.

    `silence`: with deletions through the API; `skew`: by servers whose clocks are 0.9 s off; `at_once`: every row is
    read before the next change, so that no state is overtaken.
    """
    play = _Play(draw, silence=silence, skew=skew, at_once=at_once)
    for _ in range(draw(st.integers(1, 10))):
        play.act()
    play.read(everything=True)
    return Session(
        tuple(play.moments),
        tuple(sorted(play.events, key=lambda event: event.timestamp)),
        frozenset(play.silently_deleted),
        frozenset(play.deleted),
    )


@st.composite
def batches(draw: st.DrawFn, events: Sequence[Event]) -> list[list[Event]]:
    """Return the events in any order, cut into batches anyhow."""
    order = draw(st.permutations(range(len(events))))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=6)))
    parts = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [[events[place] for place in part] for part in parts]


def line(event: Event) -> str:
    """Return an event in one line, for whoever reads a counterexample."""
    snapshot = event.snapshot
    assert snapshot is not None
    updated, sent, received = (
        f"{(time - START).total_seconds():.3f}" for time in (snapshot.updated_at, event.timestamp, event.received_at)
    )
    return (
        f"{event.id} {event.action} v{snapshot.version} {snapshot.version_id} {sorted(snapshot.labels or ())} "
        f"tags {sorted(snapshot.tags or ())} updated {updated} sent {sent} received {received}"
    )
