"""What clauses look at: one fact of a change for each."""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import UNSET, Struct

from router.domain.change import Change, Version
from router.domain.event import ACTIONS, ORIGINS, Content
from router.domain.json import equal
from router.engine.content import text_of, variables_between
from router.engine.pair import is_rollback, moved_from, previous


class Unknown(Struct, frozen=True):
    """A fact that nobody knows, and why: a clause on it answers no, whatever it wants."""

    why: str


NOT_SAID: Final = Unknown("not in the event")
NOTHING_REPLACED: Final = Unknown("no version was replaced")

Fact: TypeAlias = str | tuple[str, ...] | int | bool | Unknown | None
Look: TypeAlias = Callable[[Change, str | None], Fact]
"""Takes the change and the label that is meant."""


def _said(fact: Fact) -> Fact:
    return NOT_SAID if fact is None else fact


def _of_version(get: Callable[[Version], Fact]) -> Look:
    return lambda change, _label: NOT_SAID if change.version is None else _said(get(change.version))


def _of_content(get: Callable[[Content], Fact]) -> Look:
    return _of_version(lambda version: None if version.content is None else get(version.content))


def _of_change(get: Callable[[Change], Fact]) -> Look:
    return lambda change, _label: NOT_SAID if change.version is None else get(change)


def _author(change: Change, _label: str | None) -> Fact:
    user = change.event.user
    names = tuple(name for name in (user.name, user.email) if name) if user else ()
    return names or ("",)


def _variables(which: int) -> Look:
    def look(change: Change, label: str | None) -> Fact:
        before = previous(change, label)
        if before is None or change.version is None:
            return NOTHING_REPLACED
        between = variables_between(before.content, change.version.content)
        return NOT_SAID if between is None else between[which]

    return look


def _differs(differ: Callable[[Content, Content], Fact]) -> Look:
    def look(change: Change, label: str | None) -> Fact:
        before = previous(change, label)
        if before is None or change.version is None:
            return False
        old, new = before.content, change.version.content
        return NOT_SAID if old is None or new is None else differ(old, new)

    return look


def _prompt_differs(old: Content, new: Content) -> Fact:
    if old.prompt is UNSET or new.prompt is UNSET:
        return NOT_SAID
    return old.type != new.type or not equal(old.prompt, new.prompt)


def _config_differs(old: Content, new: Content) -> Fact:
    if old.config is UNSET or new.config is UNSET:
        return NOT_SAID
    return not equal(old.config, new.config)


STRINGS: Final[dict[str, Look]] = {
    "type": lambda change, _label: change.type,
    "source": lambda change, _label: change.event.source,
    "action": lambda change, _label: _said(change.action),
    "project": lambda change, _label: _said(change.event.project_id),
    "origin": lambda change, _label: change.origin,
    "prompt": lambda change, _label: NOT_SAID if change.prompt is None else change.prompt.name,
    "prompt_type": _of_content(lambda content: content.type),
    "author": _author,
    "commit_message": _of_content(lambda content: content.commit_message or ""),
    "text": _of_content(text_of),
}
SETS: Final[dict[str, Look]] = {
    "labels": _of_version(lambda version: version.labels),
    "tags": _of_version(lambda version: version.tags),
    "labels_gained": _of_change(lambda change: change.labels_gained),
    "labels_lost": _of_change(lambda change: change.labels_lost),
    "labels_removed": _of_change(lambda change: change.labels_removed),
    "tags_gained": _of_change(lambda change: change.tags_gained),
    "tags_lost": _of_change(lambda change: change.tags_lost),
    "variables_gained": _variables(0),
    "variables_lost": _variables(1),
}
NUMBERS: Final[dict[str, Look]] = {
    "version": _of_version(lambda version: version.number),
    "moved_from": moved_from,
    "versions_left": lambda change, _label: change.versions_left,
}
BOOLS: Final[dict[str, Look]] = {
    "rollback": is_rollback,
    "content_changed": _differs(_prompt_differs),
    "config_changed": _differs(_config_differs),
    "assumed": lambda change, _label: change.assumed,
    "quiet": lambda change, _label: change.quiet,
}
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "action": ACTIONS,
    "origin": ORIGINS,
    "prompt_type": ("text", "chat"),
}
"""The clauses on a closed set of words."""
