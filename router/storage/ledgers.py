"""What is known of each prompt: read whole, written by difference, under a revision that only one writer can take."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, select, update

from router.domain.event import Content, PromptKey, Stamp
from router.domain.ledger import LabelFact, Ledger, Occurred, TagsFact, VersionFact
from router.storage.clock import from_ms, to_ms
from router.storage.statements import batched, insert_new, put
from router.storage.tables import labels, prompts, versions

T = TypeVar("T")

_FACTS: Final = (
    versions.c.prompt,
    versions.c.id,
    versions.c.number,
    versions.c.updated_at,
    versions.c.sent_at,
    versions.c.labels,
    versions.c.labels_updated_at,
    versions.c.labels_sent_at,
    versions.c.created,
    versions.c.buried,
    versions.c.untold,
)
"""All but the content, which is big and seldom wanted."""


def ledger(connection: Connection, key: PromptKey) -> Ledger:
    """Return what is known of a prompt, without contents; revision 0 if nothing is."""
    return next(iter(ledgers(connection, is_prompt(key))), Ledger(prompt=key))


def ledgers(connection: Connection, *which: ColumnElement[bool]) -> list[Ledger]:
    """Return what is known of those prompts, by name; without contents."""
    query = select(prompts).where(*which).order_by(prompts.c.name, prompts.c.id)
    rows = connection.execute(query).mappings().all()
    facts: dict[int, dict[str, VersionFact]] = {row["id"]: {} for row in rows}
    claims: dict[int, dict[str, LabelFact]] = {row["id"]: {} for row in rows}
    for ids in batched(facts):
        for fact in connection.execute(select(*_FACTS).where(versions.c.prompt.in_(ids))).mappings():
            facts[fact["prompt"]][fact["id"]] = _version(fact)
        for claim in connection.execute(select(labels).where(labels.c.prompt.in_(ids))).mappings():
            stamp = _stamp(claim["updated_at"], claim["sent_at"])
            claims[claim["prompt"]][claim["label"]] = LabelFact(claim["version_id"], claim["version"], stamp)
    return [
        Ledger(
            prompt=PromptKey(row["source"], row["project_id"], row["name"]),
            revision=row["revision"],
            versions=facts[row["id"]],
            labels=claims[row["id"]],
            tags=_tags(row),
        )
        for row in rows
    ]


def occurred(connection: Connection) -> Occurred:
    """Return all prompts that are known, and every label that was ever seen on a version."""
    return Occurred(
        prompts=frozenset(connection.scalars(select(prompts.c.name).distinct())),
        labels=frozenset(connection.scalars(select(labels.c.label).distinct())),
    )


def contents(connection: Connection, key: PromptKey, ids: Iterable[str]) -> dict[str, Content]:
    """Return the contents of those versions, by prompt id, as far as they are known."""
    found: dict[str, Content] = {}
    for some in batched(sorted(ids)):
        query = (
            select(versions.c.id, versions.c.content)
            .join(prompts, prompts.c.id == versions.c.prompt)
            .where(is_prompt(key), versions.c.id.in_(some), versions.c.content.is_not(None))
        )
        found.update((id_, msgspec.json.decode(content, type=Content)) for id_, content in connection.execute(query))
    return found


def save(connection: Connection, new: Ledger) -> int | None:
    """Store `new`, derived from what was read at its revision. Return the prompt's number in the store.

    None: somebody stored another revision since; nothing was written. Until the transaction ends nobody else can.
    """
    prompt = _advance(connection, new)
    if prompt is None:
        return None
    known = ledger(connection, new.prompt) if new.revision else Ledger(prompt=new.prompt)
    _save_facts(connection, versions, prompt, known.versions, new.versions, _version_row)
    _save_facts(connection, labels, prompt, known.labels, new.labels, _label_row)
    _save_contents(connection, prompt, new.contents)
    return prompt


def _advance(connection: Connection, new: Ledger) -> int | None:
    """Count the revision up if it is still the one that was read: this row is the prompt's lock."""
    if new.revision == 0:
        row = {"source": new.prompt.source, "project_id": new.prompt.project_id, "name": new.prompt.name}
        first = insert_new(prompts).values(revision=1, **row, **_tags_row(new.tags)).returning(prompts.c.id)
        return connection.execute(first).scalar()
    later = (
        update(prompts)
        .where(is_prompt(new.prompt), prompts.c.revision == new.revision)
        .values(revision=new.revision + 1, **_tags_row(new.tags))
        .returning(prompts.c.id)
    )
    return connection.execute(later).scalar()


def _save_facts(
    connection: Connection,
    table: Table,
    prompt: int,
    known: Mapping[str, T],
    new: Mapping[str, T],
    row: Callable[[str, T], dict[str, object]],
) -> None:
    """Write the facts that differ; the table's second key column names them."""
    _, name = table.primary_key
    put(
        connection, table, [{"prompt": prompt, **row(id_, fact)} for id_, fact in new.items() if known.get(id_) != fact]
    )
    for gone in batched(known.keys() - new.keys()):
        connection.execute(delete(table).where(table.c.prompt == prompt, name.in_(gone)))


def _save_contents(connection: Connection, prompt: int, learnt: Mapping[str, Content]) -> None:
    """Write the contents that differ: what was loaded comes back with what is new."""
    encoded = {id_: msgspec.json.encode(content).decode() for id_, content in learnt.items()}
    for ids in batched(encoded):
        query = select(versions.c.id, versions.c.content).where(versions.c.prompt == prompt, versions.c.id.in_(ids))
        for id_, stored in connection.execute(query).all():
            if stored != encoded[id_]:
                connection.execute(
                    update(versions)
                    .where(versions.c.prompt == prompt, versions.c.id == id_)
                    .values(content=encoded[id_])
                )


def is_prompt(key: PromptKey) -> ColumnElement[bool]:
    return and_(prompts.c.source == key.source, prompts.c.project_id == key.project_id, prompts.c.name == key.name)


def _version(row: RowMapping) -> VersionFact:
    spoken = row["labels_updated_at"] is not None
    return VersionFact(
        id=row["id"],
        number=row["number"],
        as_of=_stamp(row["updated_at"], row["sent_at"]),
        labels=_names(row["labels"]),
        labels_as_of=_stamp(row["labels_updated_at"], row["labels_sent_at"]) if spoken else None,
        created=row["created"],
        buried=row["buried"],
        untold=row["untold"],
    )


def _version_row(id_: str, fact: VersionFact) -> dict[str, object]:
    return {
        "id": id_,
        "number": fact.number,
        **_stamp_row(fact.as_of),
        "labels": _names_text(fact.labels),
        "labels_updated_at": None if fact.labels_as_of is None else to_ms(fact.labels_as_of.updated_at),
        "labels_sent_at": None if fact.labels_as_of is None else to_ms(fact.labels_as_of.sent_at),
        "created": fact.created,
        "buried": fact.buried,
        "untold": fact.untold,
    }


def _label_row(label: str, fact: LabelFact) -> dict[str, object]:
    return {"label": label, "version_id": fact.version_id, "version": fact.version, **_stamp_row(fact.as_of)}


def _tags(row: RowMapping) -> TagsFact | None:
    tags = _names(row["tags"])
    return None if tags is None else TagsFact(tags, _stamp(row["tags_updated_at"], row["tags_sent_at"]))


def _tags_row(fact: TagsFact | None) -> dict[str, object]:
    if fact is None:
        return {"tags": None, "tags_updated_at": None, "tags_sent_at": None}
    return {
        "tags": _names_text(fact.tags),
        "tags_updated_at": to_ms(fact.as_of.updated_at),
        "tags_sent_at": to_ms(fact.as_of.sent_at),
    }


def _stamp(updated_ms: int, sent_ms: int) -> Stamp:
    return Stamp(from_ms(updated_ms), from_ms(sent_ms))


def _stamp_row(stamp: Stamp) -> dict[str, object]:
    return {"updated_at": to_ms(stamp.updated_at), "sent_at": to_ms(stamp.sent_at)}


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else msgspec.json.decode(text, type=frozenset[str])


def _names_text(names: frozenset[str] | None) -> str | None:
    return None if names is None else msgspec.json.encode(sorted(names)).decode()
