"""The body of a change in the shape that Langfuse sends today, also where Langfuse sent none for it."""

from datetime import UTC, datetime

from msgspec import UNSET

from router.domain.change import Change, Version
from router.domain.event import PROMPT_VERSION, Action, PromptKey
from router.domain.json import Json, JsonObject
from router.engine.pair import previous


def body_of(change: Change) -> JsonObject:
    """Return the event's body; for a change inferred from another version's event, what its own event would say."""
    body = change.event.body
    if change.origin != "inferred" or change.prompt is None or change.version is None:
        return body
    return {**body, "action": change.action, "prompt": _prompt(change.prompt, change.version)}


def body_before(change: Change, label: str | None) -> JsonObject | None:
    """Return the body with the prompt as the version was that `change` replaced, for a rule that means `label`.

    It has the keys that the present body has: what is not known of one of the two versions is the same in both.
    None: nothing was replaced.
    """
    before = previous(change, label)
    body = body_of(change)
    prompt = body.get("prompt")
    if before is None or change.prompt is None or not isinstance(prompt, dict):
        return None
    known = _prompt(change.prompt, before)
    return {**body, "prompt": {key: known.get(key, value) for key, value in prompt.items()}}


def body_about(key: PromptKey, version: Version, action: Action, id: str, at: datetime) -> JsonObject:
    """Return the body of an event of our own making, sent `at`: that `version` is as it is since its `updated_at`."""
    return {
        "id": id,
        "timestamp": iso(at),
        "type": PROMPT_VERSION,
        "apiVersion": "v1",
        "action": action,
        "prompt": _prompt(key, version),
    }


def _prompt(key: PromptKey, version: Version) -> dict[str, Json]:
    """Return the table `prompt` of a body, as far as it is known: web/src/features/prompts/server."""
    table: dict[str, Json] = {
        "id": version.id,
        "name": key.name,
        "version": version.number,
        "projectId": key.project_id,
    }
    if version.labels is not None:
        table["labels"] = list(version.labels)
    if version.tags is not None:
        table["tags"] = list(version.tags)
    if version.updated_at is not None:
        table["updatedAt"] = iso(version.updated_at)
    content = version.content
    if content is None:
        return table
    table |= {"createdBy": content.created_by, "commitMessage": content.commit_message}
    if content.type is not None:
        table["type"] = content.type
    if content.prompt is not UNSET:
        table["prompt"] = content.prompt
    if content.config is not UNSET:
        table["config"] = content.config
    if content.created_at is not None:
        table["createdAt"] = iso(content.created_at)
    return table


def iso(time: datetime) -> str:
    """Return a time as Langfuse writes it: UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
