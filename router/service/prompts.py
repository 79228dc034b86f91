"""Prompts as commands, API and console show them: who holds which label, versions, and how two of them differ."""

from datetime import datetime

from msgspec import Struct

from router.domain.event import Content
from router.domain.ledger import Ledger, VersionFact
from router.domain.problem import RouterError
from router.engine.content import config_text, text_of, variables_of
from router.engine.difference import differ
from router.engine.ledger import labels_held, tags_now
from router.storage.records import ChangeRecord, Holding, PromptDetail


class PromptView(Struct, frozen=True, kw_only=True):
    """A prompt as it is now. `labels`: the versions that hold them; `versions`: those that are not deleted."""

    source: str
    project_id: str
    name: str
    labels: dict[str, int]
    tags: tuple[str, ...]
    versions: tuple[int, ...]
    seen_at: datetime


class VersionView(Struct, frozen=True, kw_only=True):
    """A version, without its text. `deleted`: for good; its number may be used again."""

    id: str
    version: int
    deleted: bool
    type: str | None
    created_at: datetime | None
    created_by: str | None
    commit_message: str | None
    variables: tuple[str, ...]
    updated_at: datetime


class PromptHistory(Struct, frozen=True, kw_only=True):
    """A prompt, and how it came to be so. `labels`: who holds and held them; `more`: there are older changes."""

    prompt: PromptView
    labels: tuple[Holding, ...]
    versions: tuple[VersionView, ...]
    changes: tuple[ChangeRecord, ...]
    more: bool


class Compared(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """How one version differs from another: unified diffs, and what callers must pass now or need not any more."""

    from_: int
    to: int
    diff: str
    config_diff: str
    added: int
    removed: int
    config_added: int
    config_removed: int
    variables_gained: tuple[str, ...]
    variables_lost: tuple[str, ...]


def prompt_view(ledger: Ledger) -> PromptView:
    return PromptView(
        source=ledger.prompt.source,
        project_id=ledger.prompt.project_id,
        name=ledger.prompt.name,
        labels={label: version.number for label, version in sorted(labels_held(ledger).items())},
        tags=tuple(sorted(tags_now(ledger) or ())),
        versions=tuple(version.number for version in versions_of(ledger) if not version.buried),
        seen_at=max(version.as_of.updated_at for version in ledger.versions.values()),
    )


def prompt_history(found: PromptDetail) -> PromptHistory:
    ledger = found.ledger
    return PromptHistory(
        prompt=prompt_view(ledger),
        labels=found.holdings,
        versions=tuple(_version_view(version, ledger.contents.get(version.id)) for version in versions_of(ledger)),
        changes=found.changes,
        more=found.more,
    )


def versions_of(ledger: Ledger) -> list[VersionFact]:
    """Return the versions, the newest first."""
    return sorted(ledger.versions.values(), key=lambda version: (version.number, version.as_of), reverse=True)


def compared(ledger: Ledger, old: int, new: int) -> Compared:
    """Return how version `new` differs from version `old`. Raises RouterError if one of them is not known."""
    before, after = (ledger.contents.get(_numbered(ledger, number).id) for number in (old, new))
    for number, content in ((old, before), (new, after)):
        if text_of(content) is None:
            raise RouterError(f"the text of {ledger.prompt.name} v{number} is not known")
    return contrast(old, before, new, after)


def contrast(old: int, before: Content | None, new: int, after: Content | None) -> Compared:
    """Return how two contents differ; of what is not known nothing does."""
    text, config = differ(text_of(before), text_of(after)), differ(config_text(before), config_text(after))
    had, has = variables_of(before), variables_of(after)
    known = had is not None and has is not None
    return Compared(
        from_=old,
        to=new,
        diff=text.text,
        config_diff=config.text,
        added=text.added,
        removed=text.removed,
        config_added=config.added,
        config_removed=config.removed,
        variables_gained=tuple(sorted((has or set()) - (had or set()))) if known else (),
        variables_lost=tuple(sorted((had or set()) - (has or set()))) if known else (),
    )


def _version_view(version: VersionFact, content: Content | None) -> VersionView:
    return VersionView(
        id=version.id,
        version=version.number,
        deleted=version.buried,
        type=content.type if content else None,
        created_at=content.created_at if content else None,
        created_by=content.created_by if content else None,
        commit_message=content.commit_message if content else None,
        variables=tuple(sorted(variables_of(content) or ())),
        updated_at=version.as_of.updated_at,
    )


def _numbered(ledger: Ledger, number: int) -> VersionFact:
    """Return the version of that number; of several (numbers are used again), the one that is left or came last."""
    found = [version for version in ledger.versions.values() if version.number == number]
    if not found:
        raise RouterError(f"{ledger.prompt.name} has no v{number} that the router knows")
    return max(found, key=lambda version: (not version.buried, version.as_of))
