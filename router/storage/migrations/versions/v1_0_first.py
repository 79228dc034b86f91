"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "1.0"
down_revision = None


def upgrade() -> None:
    # SQLite numbers rows by itself only in a column declared INTEGER
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "destinations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("paused_until", sa.BigInteger()),
        sa.Column("breaker", sa.Text()),
        sa.Column("spending", sa.Text()),
        sa.PrimaryKeyConstraint("name", "type", name="destinations_pkey"),
    )
    op.create_table(
        "events",
        sa.Column("seq", serial, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("action", sa.Text()),
        sa.Column("project_id", sa.Text()),
        sa.Column("prompt", sa.Text()),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ruleset", sa.Text()),
        sa.Column("routed_at", sa.BigInteger()),
        sa.Column("body_digest", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("action IN ('created', 'updated', 'deleted')", name=op.f("events_action_check")),
        sa.CheckConstraint(
            "origin IN ('webhook', 'reconcile', 'inferred', 'backfill')", name=op.f("events_origin_check")
        ),
        sa.CheckConstraint(
            "status IN ('waiting', 'routed', 'quiet', 'stale', 'duplicate', 'quarantined')",
            name=op.f("events_status_check"),
        ),
        sa.PrimaryKeyConstraint("seq", name="events_pkey"),
        sa.UniqueConstraint("id", "source", name="events_id_source_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "events_quarantined",
        "events",
        ["seq"],
        sqlite_where=sa.text("status = 'quarantined'"),
        postgresql_where=sa.text("status = 'quarantined'"),
    )
    op.create_index(
        "events_waiting_single",
        "events",
        ["seq"],
        sqlite_where=sa.text("status = 'waiting' AND prompt IS NULL"),
        postgresql_where=sa.text("status = 'waiting' AND prompt IS NULL"),
    )
    op.create_index(
        "events_waiting",
        "events",
        ["source", "project_id", "prompt", "received_at"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index("events_source_seq", "events", ["source", "seq"])
    op.create_index("events_prompt_seq", "events", ["prompt", "seq"])
    op.create_index("events_status_seq", "events", ["status", "seq"])
    op.create_index("events_received_at_source", "events", ["received_at", "source"])
    op.create_table(
        "firings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("ruleset", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'shadow')", name=op.f("firings_mode_check")),
        sa.PrimaryKeyConstraint("id", name="firings_pkey"),
    )
    op.create_index("firings_rule_at", "firings", ["rule", "at"])
    op.create_table(
        "prompts",
        sa.Column("id", serial, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text()),
        sa.Column("tags_updated_at", sa.BigInteger()),
        sa.Column("tags_sent_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="prompts_pkey"),
        sa.UniqueConstraint("source", "project_id", "name", name="prompts_source_project_id_name_key"),
    )
    op.create_table(
        "rulesets",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="rulesets_pkey"),
    )
    op.create_table(
        "threads",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "channel", "name", name="threads_pkey"),
    )
    op.create_table(
        "troubles",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="troubles_pkey"),
    )
    op.create_table(
        "windows",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("rule", "subject", name="windows_pkey"),
    )
    op.create_index("windows_due_at", "windows", ["due_at"])
    op.create_table(
        "api_sources",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text()),
        sa.Column("imported_at", sa.BigInteger()),
        sa.Column("looked_at", sa.BigInteger()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("source", name="api_sources_pkey"),
    )
    op.create_table(
        "api_prompts",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("differs", sa.Text()),
        sa.PrimaryKeyConstraint("source", "name", name="api_prompts_pkey"),
    )
    differs = sa.text("differs IS NOT NULL")
    op.create_index("api_prompts_differ", "api_prompts", ["source"], sqlite_where=differs, postgresql_where=differs)
    op.create_table(
        "changes",
        sa.Column("seq", serial, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", serial),
        sa.Column("prompt", serial),
        sa.Column("version_id", sa.Text()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("action", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("action IN ('created', 'updated', 'deleted')", name=op.f("changes_action_check")),
        sa.CheckConstraint(
            "origin IN ('webhook', 'reconcile', 'inferred', 'backfill')", name=op.f("changes_origin_check")
        ),
        sa.ForeignKeyConstraint(["event"], ["events.seq"], name="changes_event_fkey", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["prompt"], ["prompts.id"], name="changes_prompt_fkey"),
        sa.PrimaryKeyConstraint("seq", name="changes_pkey"),
        sa.UniqueConstraint("id", name="changes_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_at", "changes", ["at"])
    op.create_index("changes_event", "changes", ["event"])
    op.create_index("changes_prompt_happened_at", "changes", ["prompt", "happened_at"])
    op.create_table(
        "change_labels",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="change_labels_change_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("change_id", "label", name="change_labels_pkey"),
    )
    op.create_index("change_labels_label", "change_labels", ["label"])
    op.create_table(
        "deliveries",
        sa.Column("seq", serial, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("firing", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("prompt", serial),
        sa.Column("about_trouble", sa.Boolean(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("order_key", sa.Text()),
        sa.Column("lane", sa.Text()),
        sa.Column("again", sa.Integer(), nullable=False),
        sa.Column("trace", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name=op.f("deliveries_lease_check")),
        sa.CheckConstraint(
            "message IS NOT NULL OR status IN ('dead', 'skipped', 'cancelled')", name=op.f("deliveries_message_check")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'sending', 'retrying', 'delivered', 'dead', 'captured', 'skipped', 'cancelled')",
            name=op.f("deliveries_status_check"),
        ),
        sa.ForeignKeyConstraint(["firing"], ["firings.id"], name="deliveries_firing_fkey"),
        sa.ForeignKeyConstraint(["prompt"], ["prompts.id"], name="deliveries_prompt_fkey"),
        sa.PrimaryKeyConstraint("seq", name="deliveries_pkey"),
        sa.UniqueConstraint(
            "firing", "action", "destination", "again", name="deliveries_firing_action_destination_again_key"
        ),
        sa.UniqueConstraint("key", name="deliveries_key_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "deliveries_open",
        "deliveries",
        ["destination", "status", "queued_at"],
        sqlite_where=sa.text("status IN ('pending', 'retrying', 'sending', 'dead')"),
        postgresql_where=sa.text("status IN ('pending', 'retrying', 'sending', 'dead')"),
    )
    op.create_index(
        "deliveries_ordered",
        "deliveries",
        ["destination", "order_key", "status", "seq"],
        sqlite_where=sa.text("order_key IS NOT NULL"),
        postgresql_where=sa.text("order_key IS NOT NULL"),
    )
    op.create_index(
        "deliveries_sending",
        "deliveries",
        ["lease_until"],
        sqlite_where=sa.text("status = 'sending'"),
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.create_index(
        "deliveries_waiting",
        "deliveries",
        ["destination", "type", "due_at"],
        sqlite_where=sa.text("status IN ('pending', 'retrying')"),
        postgresql_where=sa.text("status IN ('pending', 'retrying')"),
    )
    op.create_index("deliveries_destination_seq", "deliveries", ["destination", "seq"])
    op.create_index("deliveries_rule_seq", "deliveries", ["rule", "seq"])
    op.create_index("deliveries_prompt_seq", "deliveries", ["prompt", "seq"])
    op.create_index("deliveries_status_seq", "deliveries", ["status", "seq"])
    op.create_index(
        "deliveries_status_ended_at_rule_destination", "deliveries", ["status", "ended_at", "rule", "destination"]
    )
    op.create_table(
        "labels",
        sa.Column("prompt", serial, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["prompt"], ["prompts.id"], name="labels_prompt_fkey"),
        sa.PrimaryKeyConstraint("prompt", "label", name="labels_pkey"),
    )
    op.create_table(
        "versions",
        sa.Column("prompt", serial, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Text()),
        sa.Column("labels_updated_at", sa.BigInteger()),
        sa.Column("labels_sent_at", sa.BigInteger()),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("buried", sa.Boolean(), nullable=False),
        sa.Column("untold", sa.Boolean(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.ForeignKeyConstraint(["prompt"], ["prompts.id"], name="versions_prompt_fkey"),
        sa.PrimaryKeyConstraint("prompt", "id", name="versions_pkey"),
    )
    op.create_table(
        "attempts",
        sa.Column("delivery", serial, nullable=False),
        sa.Column("fence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("outcome", sa.Text()),
        sa.Column("status", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'retry', 'rejected', 'refused', 'lost')", name=op.f("attempts_outcome_check")
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name=op.f("attempts_ended_check")),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.seq"], name="attempts_delivery_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery", "fence", name="attempts_pkey"),
    )
    op.create_table(
        "firing_changes",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("firing", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.CheckConstraint("(firing IS NULL) = (subject IS NOT NULL)", name=op.f("firing_changes_held_check")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="firing_changes_change_id_fkey"),
        sa.ForeignKeyConstraint(["firing"], ["firings.id"], name="firing_changes_firing_fkey"),
        sa.PrimaryKeyConstraint("change_id", "rule", name="firing_changes_pkey"),
    )
    op.create_index("firing_changes_firing", "firing_changes", ["firing"])
    op.create_index(
        "firing_changes_held",
        "firing_changes",
        ["rule", "subject"],
        sqlite_where=sa.text("firing IS NULL"),
        postgresql_where=sa.text("firing IS NULL"),
    )
    op.create_table(
        "verdicts",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("clauses", sa.Text(), nullable=False),
        sa.CheckConstraint("verdict IN ('match', 'no', 'error', 'disabled')", name=op.f("verdicts_verdict_check")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="verdicts_change_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("change_id", "rule", name="verdicts_pkey"),
    )
    op.create_index(
        "verdicts_errors",
        "verdicts",
        ["rule"],
        sqlite_where=sa.text("verdict = 'error'"),
        postgresql_where=sa.text("verdict = 'error'"),
    )
