"""What Langfuse puts on the wire: rows of its table, and the bodies of its webhooks, key for key.

Sources: langfuse/langfuse worker/src/queues/webhooks.ts, packages/shared/src/domain/webhooks.ts,
packages/shared/src/features/monitors/types.ts, packages/shared/src/server/notifications/types.ts.
"""

from datetime import UTC, datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from router.domain.event import MONITOR_ALERT, PROJECT_NOTIFICATION, PROMPT_VERSION, Action
from router.domain.json import Json

Body: TypeAlias = dict[str, Json]


class Person(Struct, frozen=True):
    """Somebody who is logged in. `id` is what `createdBy` shows of them."""

    id: str
    name: str | None
    email: str | None


class Row(Struct, frozen=True, kw_only=True):
    """One prompt version, as it is in Langfuse's table."""

    id: str
    name: str
    version: int
    project_id: str
    created_by: str
    labels: tuple[str, ...]
    prompt: Json
    type: Literal["text", "chat"]
    config: Json
    commit_message: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


def prompt_json(row: Row) -> Body:
    """Return the row as webhooks and the public API show it."""
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "projectId": row.project_id,
        "createdBy": row.created_by,
        "labels": list(row.labels),
        "prompt": row.prompt,
        "type": row.type,
        "config": row.config,
        "commitMessage": row.commit_message,
        "tags": list(row.tags),
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
    }


def prompt_version(action: Action, row: Row, by: Person | None, *, id: str, sent_at: datetime) -> Body:
    """Return a `prompt-version` body; the prompt comes last. `by` None: somebody used the public API."""
    body = _envelope(PROMPT_VERSION, id, sent_at)
    body["action"] = action
    if by is not None:
        body["user"] = {"name": by.name, "email": by.email}
    body["prompt"] = prompt_json(row)
    return body


def monitor_alert(
    title: str, text: str, *, severity: str, project_id: str, monitor_id: str, id: str, sent_at: datetime
) -> Body:
    """Return the body that a monitor of Langfuse sends when its severity changes."""
    body = _envelope(MONITOR_ALERT, id, sent_at)
    body["payload"] = {
        "monitorId": monitor_id,
        "projectId": project_id,
        "permalink": f"https://cloud.langfuse.com/project/{project_id}/monitors/{monitor_id}",
        "message": {"title": title, "body": text},
        "severity": severity,
        "timestamp": iso(sent_at),
        "view": "observations",
        "filters": [{"column": "promptName", "type": "string", "operator": "=", "value": "checkout/cart"}],
        "window": "1h",
    }
    return body


def project_notification(
    message: str, *, event_type: str, severity: str, project_id: str, resource: str, id: str, sent_at: datetime
) -> Body:
    """Return the body that tells of a failure in the project itself."""
    body = _envelope(PROJECT_NOTIFICATION, id, sent_at)
    body["event"] = {
        "eventType": event_type,
        "severity": severity,
        "projectId": project_id,
        "projectName": "shop",
        "resourceId": project_id,
        "resourceName": resource,
        "message": message,
        "url": f"https://cloud.langfuse.com/project/{project_id}/settings/integrations",
        "disabled": False,
    }
    return body


def iso(time: datetime) -> str:
    """Return the time as JavaScript writes it: UTC, milliseconds, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _envelope(type: str, id: str, sent_at: datetime) -> Body:
    return {"id": id, "timestamp": iso(sent_at), "type": type, "apiVersion": "v1"}
