"""The schema. What is stored is what the domain's values say; the constraints repeat what must never be otherwise.

Times are milliseconds since 1970 UTC (`clock`). JSON stands in text columns, as msgspec wrote it: PostgreSQL's own
JSON types would refuse U+0000, which a prompt may hold, and change numbers.
"""

from collections.abc import Iterable
from typing import get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from router.domain.delivery import DELIVERY_STATUSES, Mode
from router.domain.event import ACTIONS, EVENT_STATUSES, ORIGINS
from router.domain.routing import RuleAnswer

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

OUTCOMES = ("accepted", "retry", "rejected", "refused", "lost")
"""How an attempt ended; `lost`: whoever made it was never heard of again."""

# Literal SQL, because a partial index serves only queries whose condition reads exactly like its own.
EVENT_WAITS = text("status = 'waiting'")
SINGLE_EVENT_WAITS = text("status = 'waiting' AND prompt IS NULL")
EVENT_QUARANTINED = text("status = 'quarantined'")
DELIVERY_WAITS = text("status IN ('pending', 'retrying')")
DELIVERY_IS_SENDING = text("status = 'sending'")
DELIVERY_IS_ORDERED = text("order_key IS NOT NULL")
PROMPT_DIFFERS = text("differs IS NOT NULL")
DELIVERY_IS_OPEN = text("status IN ('pending', 'retrying', 'sending', 'dead')")
CHANGE_IS_HELD = text("firing IS NULL")
VERDICT_IS_ERROR = text("verdict = 'error'")


def words(value: str) -> str:
    """Return `value` as it can be stored: PostgreSQL has no U+0000, so its picture ␀ stands for it everywhere."""
    return value.replace("\0", "␀") if "\0" in value else value


def storable(value: object) -> object:
    """Return a value as databases take it: `words`, where it is text."""
    return words(value) if isinstance(value, str) else value


class Words(TypeDecorator[str]):
    """Text that may come from outside."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else words(value)


def _one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _serial(name: str) -> Column[int]:
    # SQLite numbers rows by itself only in a column declared INTEGER
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


events = Table(
    "events",
    metadata,
    _serial("seq"),
    Column("source", Words, nullable=False),
    Column("id", Words, nullable=False),
    Column("origin", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("action", Words),
    Column("project_id", Words),
    Column("prompt", Words),
    Column("received_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("status", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("ruleset", Words),
    Column("routed_at", BigInteger),
    Column("body_digest", Words, nullable=False),
    Column("trace", Words),  # a W3C traceparent
    Column("body", LargeBinary, nullable=False),  # last: SQLite reads past everything that stands before a column
    UniqueConstraint("id", "source"),  # in this order it also finds an id of any source
    _one_of("origin", ORIGINS),
    _one_of("action", ACTIONS),
    _one_of("status", EVENT_STATUSES),
    Index(
        "events_waiting",
        "source",
        "project_id",
        "prompt",
        "received_at",
        sqlite_where=EVENT_WAITS,
        postgresql_where=EVENT_WAITS,
    ),
    # for people, newest first: lists by one filter, and counts by the hour
    Index(None, "source", "seq"),
    Index(None, "prompt", "seq"),
    Index(None, "status", "seq"),
    Index(None, "received_at", "source"),
    Index("events_waiting_single", "seq", sqlite_where=SINGLE_EVENT_WAITS, postgresql_where=SINGLE_EVENT_WAITS),
    Index("events_quarantined", "seq", sqlite_where=EVENT_QUARANTINED, postgresql_where=EVENT_QUARANTINED),
    sqlite_autoincrement=True,
)

prompts = Table(
    "prompts",
    metadata,
    _serial("id"),
    Column("source", Words, nullable=False),
    Column("project_id", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("tags", Words),
    Column("tags_updated_at", BigInteger),
    Column("tags_sent_at", BigInteger),
    UniqueConstraint("source", "project_id", "name"),
)

versions = Table(
    "versions",
    metadata,
    Column("prompt", ForeignKey(prompts.c.id), primary_key=True),
    Column("id", Words, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("labels", Words),
    Column("labels_updated_at", BigInteger),
    Column("labels_sent_at", BigInteger),
    Column("created", Boolean, nullable=False),
    Column("buried", Boolean, nullable=False),
    Column("untold", Boolean, nullable=False),
    Column("content", Words),
)

labels = Table(
    "labels",
    metadata,
    Column("prompt", ForeignKey(prompts.c.id), primary_key=True),
    Column("label", Words, primary_key=True),
    Column("version_id", Words, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    _serial("seq"),  # in the order in which the ledger tells them
    Column("id", Words, nullable=False, unique=True),
    Column("event", ForeignKey(events.c.seq, ondelete="SET NULL"), index=True),
    Column("prompt", ForeignKey(prompts.c.id)),
    Column("version_id", Words),
    Column("version", BigInteger),
    Column("type", Words, nullable=False),
    Column("action", Words),
    Column("origin", Words, nullable=False),
    Column("author", Words),
    Column("happened_at", BigInteger, nullable=False),
    Column("facts", Words, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    _one_of("action", ACTIONS),
    _one_of("origin", ORIGINS),
    Index("changes_prompt_happened_at", "prompt", "happened_at"),
    sqlite_autoincrement=True,
)

change_labels = Table(
    "change_labels",
    metadata,
    Column("change_id", ForeignKey(changes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("label", Words, primary_key=True),  # gained or lost by the change
    Index(None, "label"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("change_id", ForeignKey(changes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("rule", Words, primary_key=True),
    Column("verdict", Words, nullable=False),
    Column("clauses", Words, nullable=False),
    _one_of("verdict", get_args(RuleAnswer)),
    Index("verdicts_errors", "rule", sqlite_where=VERDICT_IS_ERROR, postgresql_where=VERDICT_IS_ERROR),
)

firings = Table(
    "firings",
    metadata,
    Column("id", Words, primary_key=True),
    Column("rule", Words, nullable=False),
    Column("mode", Words, nullable=False),
    Column("ruleset", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    _one_of("mode", get_args(Mode)),
    Index(None, "rule", "at"),
)

firing_changes = Table(
    "firing_changes",
    metadata,
    Column("change_id", ForeignKey(changes.c.id), primary_key=True),
    Column("rule", Words, primary_key=True),  # a change fires a rule once
    Column("firing", ForeignKey(firings.c.id), index=True),  # NULL: it is held
    Column("subject", Words),  # of the window in which it is held
    CheckConstraint("(firing IS NULL) = (subject IS NOT NULL)", name="held"),
    Index(
        "firing_changes_held",
        "rule",
        "subject",
        sqlite_where=CHANGE_IS_HELD,
        postgresql_where=CHANGE_IS_HELD,
    ),
)

windows = Table(
    "windows",
    metadata,
    Column("rule", Words, primary_key=True),
    Column("subject", Words, primary_key=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, index=True),  # NULL: it waits for a rule of that name
)

deliveries = Table(
    "deliveries",
    metadata,
    _serial("seq"),
    Column("key", Words, nullable=False, unique=True),
    Column("firing", ForeignKey(firings.c.id), nullable=False),
    Column("rule", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("position", Integer, nullable=False),
    Column("destination", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("prompt", ForeignKey(prompts.c.id)),
    Column("about_trouble", Boolean, nullable=False),
    Column("arrived_at", BigInteger),  # of the event; NULL: nobody measures from there
    Column("created_at", BigInteger, nullable=False),
    Column("queued_at", BigInteger, nullable=False),  # when it last began to wait: at first, or by `retry`
    Column("due_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("order_key", Words),  # those of one destination that share it go one after the other
    Column("lane", Words),  # those of one destination that share it are never sent at the same time
    Column("again", Integer, nullable=False),  # made on request beside so many before, each under its own key
    Column("trace", Words),  # JSON
    Column("message", Words),
    UniqueConstraint("firing", "action", "destination", "again"),
    _one_of("status", DELIVERY_STATUSES),
    CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("message IS NOT NULL OR status IN ('dead', 'skipped', 'cancelled')", name="message"),
    Index(
        "deliveries_waiting",
        "destination",
        "type",
        "due_at",
        sqlite_where=DELIVERY_WAITS,
        postgresql_where=DELIVERY_WAITS,
    ),
    Index(
        "deliveries_sending",
        "lease_until",
        sqlite_where=DELIVERY_IS_SENDING,
        postgresql_where=DELIVERY_IS_SENDING,
    ),
    Index(
        "deliveries_ordered",
        "destination",
        "order_key",
        "status",
        "seq",
        sqlite_where=DELIVERY_IS_ORDERED,
        postgresql_where=DELIVERY_IS_ORDERED,
    ),
    Index(
        "deliveries_open",
        "destination",
        "status",
        "queued_at",
        sqlite_where=DELIVERY_IS_OPEN,
        postgresql_where=DELIVERY_IS_OPEN,
    ),
    # for people, newest first: lists by one filter, and counts of what ended since
    Index(None, "destination", "seq"),
    Index(None, "rule", "seq"),
    Index(None, "prompt", "seq"),
    Index(None, "status", "seq"),
    Index(None, "status", "ended_at", "rule", "destination"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", ForeignKey(deliveries.c.seq, ondelete="CASCADE"), primary_key=True),
    Column("fence", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", Words),
    Column("status", Integer),
    Column("reason", Words, nullable=False),
    Column("excerpt", Words, nullable=False),
    _one_of("outcome", OUTCOMES),
    CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name="ended"),
)

rulesets = Table(
    "rulesets",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("text", Words, nullable=False),
    Column("first_used_at", BigInteger, nullable=False),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Words, primary_key=True),
    Column("type", Words, primary_key=True),  # under the same name, another type is another destination
    Column("in_force", Boolean, nullable=False),  # the rules have it
    Column("paused_until", BigInteger),  # the destination's own word
    Column("breaker", Words),
    Column("spending", Words),
)

threads = Table(
    "threads",
    metadata,
    Column("destination", Words, primary_key=True),
    Column("channel", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("root", Words, nullable=False),
)

troubles = Table(
    "troubles",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("subject", Words, primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
)

api_sources = Table(
    "api_sources",
    metadata,
    Column("source", Words, primary_key=True),
    Column("project_id", Words),
    Column("imported_at", BigInteger),
    Column("looked_at", BigInteger),  # Langfuse's time
    Column("lease_until", BigInteger),
)

api_prompts = Table(
    "api_prompts",
    metadata,
    Column("source", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("imported", Boolean, nullable=False),
    Column("differs", Words),  # JSON: prompt id → since when
    Index(
        "api_prompts_differ",
        "source",
        sqlite_where=PROMPT_DIFFERS,
        postgresql_where=PROMPT_DIFFERS,
    ),
)
