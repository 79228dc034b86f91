"""What arrived: events, and what an event says about one prompt version."""

from datetime import datetime
from typing import Literal, TypeAlias, get_args

from msgspec import UNSET, Struct, UnsetType

from router.domain.json import Json, JsonObject

Action: TypeAlias = Literal["created", "updated", "deleted"]
ACTIONS: tuple[Action, ...] = get_args(Action)

Origin: TypeAlias = Literal["webhook", "reconcile", "inferred", "backfill"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)

EventStatus: TypeAlias = Literal["waiting", "routed", "quiet", "stale", "duplicate", "quarantined"]
EVENT_STATUSES: tuple[EventStatus, ...] = get_args(EventStatus)

PROMPT_VERSION = "prompt-version"
MONITOR_ALERT = "monitor-alert"
PROJECT_NOTIFICATION = "project-notification"

ROUTER_SOURCE = "router"
"""The source of our own events (troubles); no rules file can have a source of this name."""


class User(Struct, frozen=True):
    """Who acted, as far as Langfuse says."""

    name: str | None = None
    email: str | None = None


class PromptKey(Struct, frozen=True, order=True):
    """What the ledger is kept by: one prompt of one project of one source."""

    source: str
    project_id: str
    name: str


class Stamp(Struct, frozen=True, order=True):
    """When a fact held: the row's `updatedAt`; of equal ones the event sent last is right."""

    updated_at: datetime
    sent_at: datetime


class Content(Struct, frozen=True, kw_only=True):
    """What a version is, apart from its labels and tags. UNSET: the event does not say.

    `prompt` is the text, or the list of chat messages and placeholders.
    """

    type: str | None = None
    prompt: Json | UnsetType = UNSET
    config: Json | UnsetType = UNSET
    commit_message: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """What an event says about one prompt version. `labels` or `tags` None: the event does not say."""

    version_id: str
    version: int
    updated_at: datetime
    labels: frozenset[str] | None
    tags: frozenset[str] | None
    content: Content


class Event(Struct, frozen=True, kw_only=True):
    """One authentic webhook, decoded; or one of our own making (`origin`, or a `router.*` type).

    `id` is unique within `source`. `timestamp` is when it was sent, `received_at` when it reached us.
    `body` is in the shape Langfuse sends today, whatever envelope it came in.
    A prompt event has `action`, `prompt` and `snapshot`; every other type has none of them.
    `trace` is the `traceparent` of whatever had to do with it last, if that is traced.
    """

    id: str
    source: str
    type: str
    timestamp: datetime
    received_at: datetime
    body: JsonObject
    origin: Origin = "webhook"
    action: Action | None = None
    user: User | None = None
    project_id: str | None = None
    prompt: PromptKey | None = None
    snapshot: Snapshot | None = None
    trace: str | None = None

    @property
    def stamp(self) -> Stamp:
        """The time of what a prompt event says."""
        assert self.snapshot is not None
        return Stamp(self.snapshot.updated_at, self.timestamp)
