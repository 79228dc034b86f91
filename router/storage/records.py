"""What people see of the store: records of events and deliveries, and how much is under way."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Generic, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct

from router.domain.change import Change
from router.domain.delivery import DELIVERY_STATUSES, DeliveryStatus, Mode
from router.domain.event import Action, EventStatus, Origin, PromptKey
from router.domain.ledger import Ledger
from router.domain.message import DestinationType, Message
from router.domain.routing import RuleVerdict
from router.storage.changes import Facts

T = TypeVar("T")
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A time with its zone."""

WantedStatus: TypeAlias = DeliveryStatus | Literal["waiting"]
WANTED_STATUSES: Final[tuple[WantedStatus, ...]] = ("waiting", *DELIVERY_STATUSES)
"""States that deliveries can be asked for by; those that are pending or retrying are waiting."""


class Page(Struct, Generic[T], frozen=True):
    """Some items, the newest first; `next_cursor` gives the ones after them, None: there are no more."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class EventFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events; None: any. `since` and `until` speak of `received_at`, `until` is not included.

    `prompt` is a name, or with `*` in it a pattern (any characters). `label`: it was gained or lost. `rule`: it fired.
    `destination`: something was planned for it.
    """

    source: str | None = None
    type: str | None = None
    status: EventStatus | None = None
    prompt: str | None = None
    label: str | None = None
    rule: str | None = None
    destination: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class DeliveryFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries; None: any. `prompt` is its name or a pattern; `since` and `until` speak of `created_at`.

    `source` is that of the events, `label` one that was gained or lost.
    """

    destination: str | None = None
    status: WantedStatus | None = None
    rule: str | None = None
    prompt: str | None = None
    source: str | None = None
    label: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class EventRecord(Struct, frozen=True, kw_only=True):
    """An event, without its body. `ruleset` is the digest of the rules that routed it."""

    seq: int
    source: str
    id: str
    origin: Origin
    type: str
    action: Action | None
    project_id: str | None
    prompt: str | None
    received_at: datetime
    sent_at: datetime | None
    status: EventStatus
    reason: str
    ruleset: str | None
    routed_at: datetime | None


class Wait(Struct, frozen=True, kw_only=True):
    """Why a delivery waits, and until when if that is known.

    `no destination`: the rules have none of this name and type. `breaker`, `pause`, `rate`: the whole destination
    waits, with the breaker's `detail`. `order`: for the delivery whose key is `detail`. `retry`: for its own next
    attempt. `turn`: for nothing but a free hand.
    """

    why: Literal["no destination", "breaker", "pause", "order", "retry", "rate", "turn"]
    until: datetime | None = None
    detail: str = ""


class DeliveryRecord(Struct, frozen=True, kw_only=True):
    """A delivery, without its message. `attempts` are those that count since it last began to wait.

    `id` is its `key`, by the name that whoever lists things and then asks for one looks for. `wait` None: it does not
    wait.
    """

    seq: int
    id: str
    key: str
    firing: str
    rule: str
    mode: Mode
    action: str
    position: int
    destination: str
    type: DestinationType
    status: DeliveryStatus
    reason: str
    prompt: PromptKey | None
    about_trouble: bool
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    lease_until: datetime | None
    attempts: int
    wait: Wait | None


class Chosen(Struct, frozen=True, kw_only=True):
    """How many of the deliveries that somebody chose are for a destination; `empty` of them have no message."""

    destination: str
    type: DestinationType
    count: int
    empty: int


class DestinationRecord(Struct, frozen=True, kw_only=True):
    """A destination that the rules have (`in_force`) or had, what holds it back, and how much waits for it.

    `failures` are those in a row; `open_until` None: the breaker is closed; `probe`: the delivery that is under way to
    find out whether it may close. `oldest`: for how long the oldest delivery waits.
    """

    name: str
    type: DestinationType
    in_force: bool
    breaker: Literal["closed", "open", "probing"]
    failures: int
    open_until: datetime | None
    probe: str | None
    reason: str
    paused_until: datetime | None
    waiting: int
    oldest: timedelta | None


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One try; `outcome` None: still under way. `lost`: nothing was heard of it."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    status: int | None
    reason: str
    excerpt: str


class ChangeRecord(Struct, frozen=True, kw_only=True):
    """A change as stored, with what the rules said to it. `happened_at` is Langfuse's time, `at` when it was routed."""

    id: str
    type: str
    action: Action | None
    origin: Origin
    author: str | None
    happened_at: datetime
    facts: Facts
    at: datetime
    verdicts: tuple[RuleVerdict, ...] = ()


class HeldRecord(Struct, frozen=True, kw_only=True):
    """A change that a rule tells later. `due_at` None: when a rule of that name is in force again."""

    change: str
    rule: str
    due_at: datetime | None


class EventDetail(Struct, frozen=True, kw_only=True):
    """An event with all that came of it."""

    event: EventRecord
    body: bytes
    changes: tuple[ChangeRecord, ...]
    held: tuple[HeldRecord, ...]
    deliveries: tuple[DeliveryRecord, ...]


class PromptFilter(Struct, frozen=True, kw_only=True):
    """Which prompts; None: any. `folder`: what the name begins with, up to a `/`; `like`: a pattern for it, with `*`.

    `label`: one that a version holds now.
    """

    source: str | None = None
    project_id: str | None = None
    name: str | None = None
    folder: str | None = None
    like: str | None = None
    label: str | None = None


class Holding(Struct, frozen=True, kw_only=True):
    """A version held a label, from `since` until `until` (None: not known, or it still does: `now`)."""

    label: str
    version: int
    since: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    assumed: bool = False
    now: bool = False


class PromptDetail(Struct, frozen=True, kw_only=True):
    """A prompt as it is, and how it came to be so.

    `changes` are neither quiet nor the losing half of a move; `more`: there are older ones.
    """

    ledger: Ledger
    holdings: tuple[Holding, ...]
    changes: tuple[ChangeRecord, ...]
    more: bool


class DeliveryDetail(Struct, frozen=True, kw_only=True):
    """A delivery with its message and its attempts."""

    delivery: DeliveryRecord
    message: Message | None
    attempts: tuple[AttemptRecord, ...]
    events: tuple[EventRecord, ...]


class PlannedFor(Struct, frozen=True, kw_only=True):
    """How many deliveries of an event are in one state."""

    status: DeliveryStatus
    count: int


class EventLine(Struct, frozen=True, kw_only=True):
    """An event as a list shows it: with what it changed (without contents) and what was planned.

    `matched`: some rule fired for it, or holds it back.
    """

    event: EventRecord
    changes: tuple[Change, ...]
    matched: bool
    deliveries: tuple[PlannedFor, ...]


class Queue(Struct, frozen=True, kw_only=True):
    """How many deliveries of a destination are in one unfinished state (or dead), and since when the oldest waits."""

    destination: str
    status: DeliveryStatus
    count: int
    oldest: timedelta


class Backlog(Struct, frozen=True, kw_only=True):
    """What is not finished. `oldest_waiting`: since when the oldest event waits to be routed, by the store's clock.

    `held`: how many changes each rule holds back.
    """

    waiting: int
    quarantined: int
    oldest_waiting: timedelta | None
    queues: tuple[Queue, ...]
    held: dict[str, int]
