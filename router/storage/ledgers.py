"""What is known of each prompt: read whole, written by difference, under a revision that only one writer can take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, bindparam, delete, select, update

from router.domain.event import Content, PromptKey, Stamp
from router.domain.ledger import LabelFact, Ledger, Occurred, TagsFact, VersionFact
from router.storage.clock import from_ms, to_ms
from router.storage.statements import Row, batched, insert_new, put
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

# Made once: to make a statement takes longer than to execute it, and routing executes these for every batch.
_THIS_PROMPT: Final = and_(
    prompts.c.source == bindparam("of_source"),
    prompts.c.project_id == bindparam("of_project"),
    prompts.c.name == bindparam("of_name"),
)
_PROMPT: Final = select(prompts).where(_THIS_PROMPT)
_FACTS_OF: Final = select(*_FACTS).where(versions.c.prompt.in_(bindparam("of", expanding=True)))
_LABELS_OF: Final = select(labels).where(labels.c.prompt.in_(bindparam("of", expanding=True)))
_CONTENTS_OF: Final = (
    select(versions.c.id, versions.c.content)
    .join(prompts, prompts.c.id == versions.c.prompt)
    .where(_THIS_PROMPT, versions.c.id.in_(bindparam("ids", expanding=True)), versions.c.content.is_not(None))
)
_STORED_CONTENTS: Final = select(versions.c.prompt, versions.c.id, versions.c.content).where(
    versions.c.prompt.in_(bindparam("of", expanding=True)), versions.c.id.in_(bindparam("ids", expanding=True))
)
_SAVE_CONTENT: Final = (
    update(versions)
    .where(versions.c.prompt == bindparam("of"), versions.c.id == bindparam("of_id"))
    .values(content=bindparam("new"))
)
_FIRST: Final = insert_new(prompts).values(revision=1).returning(prompts.c.id)
_TAGS: Final = ("tags", "tags_updated_at", "tags_sent_at")
_ADVANCE: Final = (
    update(prompts)
    .where(_THIS_PROMPT, prompts.c.revision == bindparam("read"))
    .values(revision=prompts.c.revision + 1, **{name: bindparam(f"new_{name}") for name in _TAGS})
    .returning(prompts.c.id)
)


def ledger(connection: Connection, key: PromptKey) -> Ledger:
    """Return what is known of a prompt, without contents; revision 0 if nothing is."""
    rows = connection.execute(_PROMPT, _named(key)).mappings().all()
    return next(iter(_ledgers(connection, rows)), Ledger(prompt=key))


def ledgers(connection: Connection, *which: ColumnElement[bool]) -> list[Ledger]:
    """Return what is known of those prompts, by name; without contents."""
    query = select(prompts).where(*which).order_by(prompts.c.name, prompts.c.id)
    return _ledgers(connection, connection.execute(query).mappings().all())


def _ledgers(connection: Connection, rows: Sequence[RowMapping]) -> list[Ledger]:
    numbers = [row["id"] for row in rows]
    facts, claims = _facts(connection, numbers), _claims(connection, numbers)
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
        rows = connection.execute(_CONTENTS_OF, _named(key) | {"ids": some})
        found.update((id_, msgspec.json.decode(content, type=Content)) for id_, content in rows)
    return found


def save(connection: Connection, new: Sequence[Ledger]) -> list[int | None]:
    """Store each, derived from what was read at its revision. Return the prompts' numbers in the store.

    None: somebody stored another revision since; nothing of it was written. Until the transaction ends nobody else can.
    """
    numbers = [_advance(connection, one) for one in new]
    taken = {number: one for number, one in zip(numbers, new, strict=True) if number is not None}
    known = [number for number, one in taken.items() if one.revision]
    facts, claims = _facts(connection, known), _claims(connection, known)
    _save_facts(connection, versions, facts, {number: one.versions for number, one in taken.items()}, _version_row)
    _save_facts(connection, labels, claims, {number: one.labels for number, one in taken.items()}, _label_row)
    _save_contents(connection, {number: one.contents for number, one in taken.items()})
    return numbers


def _facts(connection: Connection, numbers: Iterable[int]) -> dict[int, dict[str, VersionFact]]:
    """Return what is known of the versions of each of those prompts."""
    found: dict[int, dict[str, VersionFact]] = {number: {} for number in numbers}
    for some in batched(found):
        for row in connection.execute(_FACTS_OF, {"of": some}).mappings():
            found[row["prompt"]][row["id"]] = _version(row)
    return found


def _claims(connection: Connection, numbers: Iterable[int]) -> dict[int, dict[str, LabelFact]]:
    """Return who holds which label of each of those prompts."""
    found: dict[int, dict[str, LabelFact]] = {number: {} for number in numbers}
    for some in batched(found):
        for row in connection.execute(_LABELS_OF, {"of": some}).mappings():
            stamp = _stamp(row["updated_at"], row["sent_at"])
            found[row["prompt"]][row["label"]] = LabelFact(row["version_id"], row["version"], stamp)
    return found


def _advance(connection: Connection, new: Ledger) -> int | None:
    """Count the revision up if it is still the one that was read: this row is the prompt's lock."""
    tags = _tags_row(new.tags)
    if new.revision == 0:
        key = {"source": new.prompt.source, "project_id": new.prompt.project_id, "name": new.prompt.name}
        return connection.execute(_FIRST, key | tags).scalar()
    row = {"read": new.revision, **{f"new_{name}": value for name, value in tags.items()}}
    return connection.execute(_ADVANCE, _named(new.prompt) | row).scalar()


def _save_facts(
    connection: Connection,
    table: Table,
    known: Mapping[int, Mapping[str, T]],
    new: Mapping[int, Mapping[str, T]],
    row: Callable[[str, T], dict[str, object]],
) -> None:
    """Write the facts of each prompt that differ; the table's second key column names them."""
    rows = [
        {"prompt": prompt, **row(name, fact)}
        for prompt, facts in new.items()
        for name, fact in facts.items()
        if known.get(prompt, {}).get(name) != fact
    ]
    put(connection, table, rows)
    _, name = table.primary_key
    for prompt, facts in known.items():
        for gone in batched(facts.keys() - new[prompt].keys()):
            connection.execute(delete(table).where(table.c.prompt == prompt, name.in_(gone)))


def _save_contents(connection: Connection, learnt: Mapping[int, Mapping[str, Content]]) -> None:
    """Write the contents that differ: what was loaded comes back with what is new."""
    encoded = {
        (prompt, id_): msgspec.json.encode(content).decode()
        for prompt, contents in learnt.items()
        for id_, content in contents.items()
    }
    changed: list[Row] = []
    for some in batched(encoded):
        asked = {"of": list({prompt for prompt, _ in some}), "ids": list({id_ for _, id_ in some})}
        for prompt, id_, stored in connection.execute(_STORED_CONTENTS, asked):
            new = encoded.get((prompt, id_), stored)  # the statement finds every prompt's version of each id
            if stored != new:
                changed.append({"of": prompt, "of_id": id_, "new": new})
    if changed:
        connection.execute(_SAVE_CONTENT, changed)


def _named(key: PromptKey) -> dict[str, object]:
    return {"of_source": key.source, "of_project": key.project_id, "of_name": key.name}


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
