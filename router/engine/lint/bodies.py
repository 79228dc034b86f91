"""What the bodies of Langfuse's webhooks have, as far as it is known.

Fields are added over time, so a body is never refused for what it has, and a template never for what it shows.
Sources: packages/shared/src/domain/webhooks.ts, packages/shared/src/features/monitors/types.ts,
packages/shared/src/server/notifications/types.ts.
"""

from collections.abc import Mapping
from typing import Final

from router.domain.event import MONITOR_ALERT, PROJECT_NOTIFICATION, PROMPT_VERSION
from router.engine.template.names import FREE, Shape


def _table(names: str, **inner: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), FREE) | inner


BODIES: Final[Mapping[str, Shape]] = {
    PROMPT_VERSION: _table(
        "id timestamp type apiVersion action",
        user=_table("name email"),
        prompt=_table(
            """id name version projectId createdBy labels prompt type config commitMessage tags createdAt
            updatedAt"""
        ),
    ),
    MONITOR_ALERT: _table(
        "id timestamp type apiVersion",
        payload=_table(
            """monitorId projectId permalink dataPermalink severity timestamp fromTimestamp toTimestamp view filters
            window""",
            message=_table("title body"),
        ),
    ),
    PROJECT_NOTIFICATION: _table("id timestamp type apiVersion event"),
}
"""Each type's body; `event` of a notification differs from kind to kind."""
