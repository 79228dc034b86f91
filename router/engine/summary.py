"""A change in words: what the built-in messages of every channel say, before any channel's markup."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from router.domain.change import Change
from router.domain.counted import counted
from router.domain.destination import ContentShown
from router.domain.event import MONITOR_ALERT, PROJECT_NOTIFICATION, ROUTER_SOURCE
from router.domain.json import Json, JsonObject
from router.engine.content import config_text, text_of, variables_between
from router.engine.context import Setting, Told, author_of, prompt_url
from router.engine.difference import Difference, differ, shortened
from router.engine.ledger import LATEST
from router.engine.pair import is_rollback, previous

DIFF_LINES_SHOWN: Final = 30
DIFF_LINE_SHOWN: Final = 160
"""Characters; a prompt's paragraphs are long, and what differs in them should be seen."""


class Marked(Struct, frozen=True):
    """A label or tag: held before and after (""), gained ("+") or lost ("-")."""

    name: str
    mark: str = ""


class Summary(Struct, frozen=True, kw_only=True):
    """What there is to say. All text is as it came, unescaped; the diffs are unified ones or empty.

    `title` and `author` are one line, whatever names hold.
    """

    title: str
    headline: str
    author: str | None = None
    commit_message: str | None = None
    labels: tuple[Marked, ...] = ()
    tags: tuple[Marked, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    diff: str = ""
    config_diff: str = ""
    url: str | None = None

    @property
    def line(self) -> str:
        """Everything that matters, in one line."""
        by = f" ({self.author})" if self.author else ""
        return one_line(f"{self.title}: {self.headline}{by}")


def summary_of(told: Told, setting: Setting, shown: ContentShown) -> Summary:
    change = told.change
    if change.version is None or change.prompt is None:
        return _other(change)
    version = change.version
    content = version.content
    diff, config_diff, notes = _comparison(told, shown)
    return Summary(
        title=one_line(change.prompt.name),
        headline="; ".join(headlines(told)),
        author=one_line(author_of(change.event)),
        commit_message=content.commit_message if content else None,
        labels=_marked(version.labels, change.labels_gained, change.labels_lost),
        tags=_marked(version.tags, change.tags_gained, change.tags_lost),
        warnings=tuple(warnings(told)) if shown != "none" else (),
        notes=(*notes, *_notes(change)),
        diff=diff,
        config_diff=config_diff,
        url=prompt_url(
            setting.project_urls.get(change.event.source), change.prompt.project_id, change.prompt.name, version.number
        ),
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def headlines(told: Told) -> tuple[str, ...]:
    """Return what happened to a version, one fact each; a creation or deletion comes first."""
    return tuple(_headlines(told))


def _headlines(told: Told) -> Iterator[str]:
    change = told.change
    assert change.version is not None
    version = f"v{change.version.number}"
    moved = {move.label: move for move in change.moved if move.label != LATEST}
    if change.action == "created":
        yield f"{version} created"
    if change.action == "deleted":
        left = "" if change.versions_left is None else f", {change.versions_left} left"
        yield f"{version} deleted{left}"
    for label in change.labels_gained:
        if label in moved:
            verb = "rolled back" if is_rollback(change, label) else "moved"
            yield f"{label} {verb} v{moved[label].from_} → {version}"
        elif label != LATEST:
            yield f"{label} set on {version}"
    for label in change.labels_lost:
        if label != LATEST:
            yield f"{label} removed from {version}" if label in change.labels_removed else f"{label} left {version}"
    if change.tags_gained or change.tags_lost:
        tags = [*(f"+{tag}" for tag in change.tags_gained), *(f"−{tag}" for tag in change.tags_lost)]
        yield f"tags {' '.join(tags)}"
    if change.quiet:
        if LATEST in change.labels_gained:
            yield f"latest is now {version}"
        elif LATEST in change.labels_lost:
            yield f"{version} is no longer latest"
        else:
            yield f"{version} updated, nothing that Langfuse shows us changed"


def warnings(told: Told) -> Iterator[str]:
    """Yield what callers of the prompt have to know."""
    change = told.change
    before = previous(change, told.label)
    if before is None or change.version is None:
        return
    gained, lost = variables_between(before.content, change.version.content) or ((), ())
    for name in gained:
        yield f"new variable: {name} (callers must pass it)"
    for name in lost:
        yield f"variable gone: {name} (callers need not pass it any more)"


def _comparison(told: Told, shown: ContentShown) -> tuple[str, str, tuple[str, ...]]:
    """Return how text and config differ from those of the version replaced, as far as they may be shown; and notes."""
    before = previous(told.change, told.label)
    if shown == "none" or before is None or told.change.version is None:
        return "", "", ()
    old, new = before.content, told.change.version.content
    text, config = differ(text_of(old), text_of(new)), differ(config_text(old), config_text(new))
    notes = [
        f"{what} against v{before.number}: +{difference.added} −{difference.removed} lines"
        + (f" ({difference.note})" if difference.note else "")
        for what, difference in (("text", text), ("config", config))
        if difference.text
    ]
    if not text.text and text_of(old) is not None and text_of(new) is not None:
        notes.insert(0, f"the text is the same as in v{before.number}")
    if shown == "summary":
        return "", "", tuple(notes)
    return _short(text), _short(config), tuple(notes)


def _short(difference: Difference) -> str:
    lines = difference.text.split("\n")
    kept = shortened(lines[:DIFF_LINES_SHOWN], DIFF_LINE_SHOWN)
    if len(lines) > len(kept):
        kept.append(f"… {counted(len(lines) - len(kept), 'more line')}")
    return "\n".join(kept)


def _notes(change: Change) -> Iterator[str]:
    if change.assumed:
        yield "first sight of this version: what it held before is not known"
    if change.origin == "reconcile":
        yield "found by asking Langfuse: its webhook did not reach us"


def _marked(now: Sequence[str] | None, gained: Sequence[str], lost: Sequence[str]) -> tuple[Marked, ...]:
    held = [name for name in now or () if name not in gained and name not in lost]
    return (
        *(Marked(name, "+") for name in gained),
        *(Marked(name) for name in held),
        *(Marked(name, "-") for name in lost),
    )


# ---- events of other types


def _other(change: Change) -> Summary:
    body = change.event.body
    if change.type == MONITOR_ALERT:
        return _monitor_alert(body)
    if change.type == PROJECT_NOTIFICATION:
        return _project_notification(body)
    if change.event.source == ROUTER_SOURCE:
        return Summary(title="langfuse-router", headline=_text(body, "message") or change.type)
    return Summary(title=change.type, headline=f"event {change.event.id} from source {change.event.source}")


def _monitor_alert(body: JsonObject) -> Summary:
    """Source: packages/shared/src/features/monitors/types.ts."""
    payload = _table(body, "payload")
    message = _table(payload, "message")
    return Summary(
        title=_text(message, "title") or "Monitor alert",
        headline=_text(message, "body") or "a monitor raised an alert",
        notes=tuple(f"severity: {severity}" for severity in [_text(payload, "severity")] if severity),
        url=_text(payload, "permalink"),
    )


def _project_notification(body: JsonObject) -> Summary:
    """Source: packages/shared/src/server/notifications/types.ts."""
    event = _table(body, "event")
    names = [_text(event, key) for key in ("eventType", "severity", "resourceName")]
    return Summary(
        title=_text(event, "projectName") or "Langfuse project",
        headline=_text(event, "message") or "a notification",
        notes=tuple(name for name in names if name),
        url=_text(event, "url"),
    )


def _table(value: JsonObject, key: str) -> JsonObject:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: JsonObject, key: str) -> str | None:
    inner: Json = value.get(key)
    return inner if isinstance(inner, str) and inner else None
