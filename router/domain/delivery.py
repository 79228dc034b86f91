"""A message to one destination, and how its attempts ended."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from router.domain.message import DestinationType, Message

DeliveryStatus: TypeAlias = Literal[
    "pending", "sending", "retrying", "delivered", "dead", "captured", "skipped", "cancelled"
]
DELIVERY_STATUSES: tuple[DeliveryStatus, ...] = get_args(DeliveryStatus)
WAITING: tuple[DeliveryStatus, ...] = ("pending", "retrying")

Mode: TypeAlias = Literal["live", "shadow"]


class Trace(Struct, frozen=True, kw_only=True):
    """Where the attempts at a delivery belong among other systems' work, and what they are about.

    `parent` is the `traceparent` of what asked for it, `links` are those of the other events that it tells:
    https://www.w3.org/TR/trace-context/#traceparent-header. `event` and `change` are the ids of the last ones told.
    """

    parent: str
    event: str
    change: str
    links: tuple[str, ...] = ()


class NewDelivery(Struct, frozen=True, kw_only=True):
    """What the plan asks to be stored.

    `key` is the idempotency key: a digest of firing, action and destination. `action` is the action's own
    identity (its `id` or the digest of its table), `position` its place in the rule, for people.
    `message` None: it could not be rendered (status dead) or its `if` said no (status skipped); `reason` says why.
    Where a templated `to` came to no destination, `destination` is what it came to, or the template if it failed.
    `order`: deliveries of one destination that share it go one after the other. None: it waits for no other.
    `lane`: those of one destination that share it are never sent at the same time, whatever their order.
    `again`: how often the same was made before, each time on request and under a key of its own.
    `arrived_at`: when the event came that it tells of; None where something else than an event let it be made.
    """

    key: str
    firing: str
    rule: str
    action: str
    position: int
    destination: str
    type: DestinationType
    status: Literal["pending", "captured", "skipped", "dead"]
    message: Message | None
    reason: str = ""
    about_trouble: bool = False
    order: str | None = None
    lane: str | None = None
    again: int = 0
    trace: Trace | None = None
    arrived_at: datetime | None = None


class Claim(Struct, frozen=True, kw_only=True):
    """The right to make one attempt at a delivery until `lease_until`; `fence` outdates every earlier claim.

    `created_at`: when it was made, or last sent again by hand; then there is no `arrived_at` any more.
    """

    key: str
    rule: str
    destination: str
    type: DestinationType
    message: Message
    attempt: int
    fence: int
    created_at: datetime
    lease_until: datetime
    about_trouble: bool = False
    trace: Trace | None = None
    arrived_at: datetime | None = None


class Accepted(Struct, frozen=True, tag="accepted"):
    """The destination took it."""

    detail: str = ""


class Retry(Struct, frozen=True, tag="retry"):
    """It failed in a way that may pass. `after`: the destination's own word when to come back, never sooner."""

    reason: str
    after: timedelta | None = None


class Rejected(Struct, frozen=True, tag="rejected"):
    """The destination will never take this message."""

    reason: str


class Refused(Struct, frozen=True, tag="refused"):
    """The destination takes nothing from us at present (credentials, address): not this message's fault."""

    reason: str


Outcome: TypeAlias = Accepted | Retry | Rejected | Refused


class Answer(Struct, frozen=True, kw_only=True):
    """How an attempt ended, with what an operator wants to see of the answer (at most 2 KiB, no secrets).

    `posted`: what the destination calls the message, for others that answer it.
    """

    outcome: Outcome
    status: int | None = None
    excerpt: str = ""
    posted: str | None = None


class Thread(Struct, frozen=True, kw_only=True):
    """A conversation at a destination, which its first message begins. `channel` is as it may be shown."""

    destination: str
    channel: str
    name: str
