"""Prompts as history: who holds which label, who held it before, and what changed when."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, Select, and_, select, tuple_

from router.domain.event import PromptKey
from router.domain.ledger import Ledger, VersionFact
from router.engine.ledger import LATEST, labels_held
from router.storage import ledgers
from router.storage.filters import NoCursor, equal, named, number_of
from router.storage.history import change_record
from router.storage.records import ChangeRecord, Holding, Page, PromptDetail, PromptFilter
from router.storage.tables import changes, labels, prompts, versions

_MOST_CHANGES: Final = 2_000
"""Of one prompt; who held which label before those is not told."""


def list_prompts(connection: Connection, wanted: PromptFilter, limit: int, cursor: str | None) -> Page[Ledger]:
    """Return what is known of at most `limit` prompts by name, those after `cursor`; without contents."""
    query = select(prompts.c.id).where(
        *equal(
            (prompts.c.source, wanted.source),
            (prompts.c.project_id, wanted.project_id),
            (prompts.c.name, wanted.name),
        ),
        *named(prompts.c.name, wanted.like),
    )
    if wanted.folder is not None:
        query = query.where(prompts.c.name.startswith(f"{wanted.folder.rstrip('/')}/", autoescape=True))
    if wanted.label is not None:
        query = query.where(prompts.c.id.in_(_holders(wanted.label)))
    place = (prompts.c.name, prompts.c.id)
    if cursor is not None:
        last = connection.execute(select(*place).where(prompts.c.id == number_of(cursor))).first()
        if last is None:
            raise NoCursor(f"{cursor!r} is no cursor of this list")
        query = query.where(tuple_(*place) > tuple_(*last))
    numbers = connection.execute(query.order_by(*place).limit(limit + 1)).scalars().all()
    found = ledgers.ledgers(connection, prompts.c.id.in_(numbers[:limit]))
    return Page(tuple(found), str(numbers[limit - 1]) if len(numbers) > limit else None)


def detail(connection: Connection, key: PromptKey, limit: int) -> PromptDetail | None:
    """Return a prompt with its last `limit` changes, the newest first; None if nothing is known of it."""
    known = ledgers.ledger(connection, key)
    if known.revision == 0:
        return None
    told = _changes(connection, key)
    return PromptDetail(
        ledger=msgspec.structs.replace(known, contents=ledgers.contents(connection, key, known.versions)),
        holdings=holdings(reversed(told), labels_held(known)),
        changes=tuple(told[:limit]),
        more=len(told) > limit,
    )


def _changes(connection: Connection, key: PromptKey) -> list[ChangeRecord]:
    """Return what was told of a prompt, the newest first; a move once, with the version that gained the label."""
    query = (
        select(changes)
        .join(prompts, prompts.c.id == changes.c.prompt)
        .where(ledgers.is_prompt(key), changes.c.origin != "backfill")  # which tells what is, not what happened
        .order_by(changes.c.happened_at.desc(), changes.c.seq.desc())
        .limit(_MOST_CHANGES)
    )
    found = [change_record(row) for row in connection.execute(query).mappings()]
    return [change for change in found if not change.facts.quiet and not change.facts.half]


def holdings(told: Iterable[ChangeRecord], now: Mapping[str, VersionFact]) -> tuple[Holding, ...]:
    """Return who held each label, the newest first, from changes (oldest first) and who holds it now.

    What no change tells (it was there before the router came, or the change is forgotten) has no `since` and no `by`.
    """
    past: dict[str, list[Holding]] = {}
    open_: dict[str, Holding] = {}

    def end(label: str, change: ChangeRecord) -> None:
        if held := open_.pop(label, None):
            past.setdefault(label, []).append(msgspec.structs.replace(held, until=change.happened_at))

    for change in told:
        version = change.facts.version
        if version is None:
            continue
        moved = {move.label: move.from_ for move in change.facts.moved}
        for label in change.facts.labels_lost:
            if label not in open_:
                open_[label] = Holding(label=label, version=version.number)
            if open_[label].version == version.number:
                end(label, change)
        for label in change.facts.labels_gained:
            if label in moved and label not in open_ and label not in past:
                open_[label] = Holding(label=label, version=moved[label])
            end(label, change)
            open_[label] = Holding(
                label=label,
                version=version.number,
                since=change.happened_at,
                by=change.author,
                assumed=change.facts.assumed,
            )
    result: list[Holding] = []
    for label in sorted({*past, *open_, *now}):
        last = open_.get(label)
        before = past.get(label, [])
        holder = now.get(label)
        if last is not None and (holder is None or holder.number != last.version):
            before = [*before, last]
            last = None
        if holder is not None:
            last = last or Holding(label=label, version=holder.number)
            result.append(msgspec.structs.replace(last, now=True))
        result += reversed(before)
    return tuple(result)


def _holders(label: str) -> Select[tuple[int]]:
    """Select the prompts of which a version holds `label`; `latest` may be held without anybody having said so."""
    claimed = select(labels.c.prompt).where(labels.c.label == label)
    if label == LATEST:
        return claimed
    shown = versions.c.labels.contains(msgspec.json.encode(label).decode(), autoescape=True)
    same = (versions.c.prompt == labels.c.prompt, versions.c.id == labels.c.version_id)
    return claimed.join(versions, and_(*same)).where(~versions.c.buried, shown)
