"""What templates can name: `event`, `prompt`, `author`, `change`, `changes`, `label`, `rule`, `vars`, `body`, `held`.

Absent things are null and absent lists empty, never undefined. Times are ISO 8601 text in UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import quote

from msgspec import Struct

from router.domain.change import Change, Version
from router.domain.event import Event
from router.domain.json import Json
from router.engine.body import body_of, iso
from router.engine.content import (
    config_of,
    config_text,
    messages_of,
    text_of,
    variables_between,
    variables_of,
)
from router.engine.difference import differ
from router.engine.pair import is_rollback, moved_from, previous
from router.engine.template import lenient

Context: TypeAlias = dict[str, object]

API_USER: Final = "API user"
"""Langfuse's own word for an author without name and e-mail: web/src/features/slack (buildPromptVersionMessage)."""

UNKNOWN_AUTHOR: Final = "unknown"
"""Langfuse's public API shows what changed, and the ledger what is, not by whom."""


class Told(Struct, frozen=True):
    """A change as a rule means it: with the label that its match named."""

    change: Change
    label: str | None


class Setting(Struct, frozen=True, kw_only=True):
    """What templates can name beside the changes. `project_urls` is by source.

    `held`: how many of the changes were held back and are told together now; 0 if the rule fired at once.
    """

    rule: str
    description: str = ""
    held: int = 0
    vars: Mapping[str, Json] = {}
    project_urls: Mapping[str, str | None] = {}


_OWN: Final = frozenset({"event", "prompt", "author", "label"})
"""What each of `changes` has beside all that `change` has."""


def context_of(told: Sequence[Told], setting: Setting) -> Context:
    """Return the template context of a firing; with several changes the last one is `change` and `prompt`."""
    views = [_view(one, setting) for one in told]
    last = views[-1]
    return {
        "event": last["event"],
        "prompt": last["prompt"],
        "author": last["author"],
        "label": last["label"],
        "change": {key: value for key, value in last.items() if key not in _OWN},
        "changes": views,
        "rule": {"name": setting.rule, "description": setting.description},
        "vars": setting.vars,
        "held": setting.held,
        "body": lenient(body_of(told[-1].change)),
    }


def author_of(event: Event) -> str:
    user = event.user
    if user and (user.name or user.email):
        return user.name or user.email or ""
    return UNKNOWN_AUTHOR if event.origin in ("reconcile", "backfill") else API_USER


def _view(told: Told, setting: Setting) -> Context:
    change, event = told.change, told.change.event
    view: Context = {
        "event": _event_view(event, change),
        "prompt": _prompt_view(change, setting.project_urls.get(event.source)),
        "author": author_of(event),
        "label": told.label,
        "labels_gained": change.labels_gained,
        "labels_lost": change.labels_lost,
        "labels_removed": change.labels_removed,
        "tags_gained": change.tags_gained,
        "tags_lost": change.tags_lost,
        "moved": [{"label": move.label, "from": move.from_, "to": move.to} for move in change.moved],
        "moved_from": moved_from(change, told.label),
        "rollback": is_rollback(change, told.label),
        "versions_left": change.versions_left,
        "assumed": change.assumed,
        "quiet": change.quiet,
    }
    return view | comparison(change, told.label)


NOTHING_REPLACED: Final[Context] = {
    "previous": None,
    "diff": "",
    "config_diff": "",
    "added": 0,
    "removed": 0,
    "variables_gained": (),
    "variables_lost": (),
}


def comparison(change: Change, label: str | None) -> Context:
    """Return what differs between the version and the one that it replaced."""
    before = previous(change, label)
    if before is None:
        return NOTHING_REPLACED
    old = before.content
    new = change.version.content if change.version else None
    text = differ(text_of(old), text_of(new))
    config = differ(config_text(old), config_text(new))
    gained, lost = variables_between(old, new) or ((), ())
    return {
        "previous": _previous_view(before),
        "diff": text.text,
        "config_diff": config.text,
        "added": text.added,
        "removed": text.removed,
        "variables_gained": list(gained),
        "variables_lost": list(lost),
    }


def _event_view(event: Event, change: Change) -> Context:
    user = event.user
    return {
        "id": event.id,
        "type": event.type,
        "action": change.action,
        "source": event.source,
        "origin": change.origin,
        "timestamp": _iso(event.timestamp),
        "user": user and {"name": user.name, "email": user.email},
        "replay": change.replayed,
    }


def _prompt_view(change: Change, project_url: str | None) -> Context | None:
    version, prompt = change.version, change.prompt
    if version is None or prompt is None:
        return None
    content = version.content
    folder, slash, _ = prompt.name.partition("/")
    return {
        "name": prompt.name,
        "folder": folder if slash else "",
        "version": version.number,
        "labels": list(version.labels or ()),
        "tags": list(version.tags or ()),
        "type": content.type if content else None,
        "text": text_of(content),
        "messages": lenient(messages_of(content)),
        "config": lenient(config_of(content)),
        "variables": sorted(variables_of(content) or ()),
        "commit_message": content.commit_message if content else None,
        "created_by": content.created_by if content else None,
        "project_id": prompt.project_id,
        "created_at": _iso(content.created_at if content else None),
        "updated_at": _iso(version.updated_at),
        "url": prompt_url(project_url, prompt.project_id, prompt.name, version.number),
    }


def prompt_url(base: str | None, project_id: str, name: str, version: int) -> str | None:
    """Return the page of a version in Langfuse: `{host}/project/{projectId}/prompts/{name}?version=N`."""
    if not base:
        return None
    return f"{base.rstrip('/')}/project/{quote(project_id, safe='')}/prompts/{quote(name, safe='')}?version={version}"


def _previous_view(version: Version) -> Context:
    content = version.content
    return {
        "version": version.number,
        "text": text_of(content),
        "labels": list(version.labels or ()),
        "config": lenient(config_of(content)),
        "commit_message": content.commit_message if content else None,
        "created_at": _iso(content.created_at if content else None),
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else iso(time)
