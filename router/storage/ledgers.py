"""What is known of each prompt: read whole, written by difference, under a revision that only one writer can take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Table,
    and_,
    bindparam,
    delete,
    select,
    update,
)

from router.domain.event import Content, PromptKey, Stamp
from router.domain.ledger import LabelFact, Ledger, Occurred, TagsFact, VersionFact
from router.storage.bound import given, rows_given
from router.storage.clock import from_ms, to_ms
from router.storage.statements import add_new, batched, put
from router.storage.tables import labels, prompts, versions, words

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


def _is_named(key: FromClause) -> ColumnElement[bool]:
    same = (prompts.c.source == key.c.source, prompts.c.project_id == key.c.project_id, prompts.c.name == key.c.name)
    return and_(*same)


# Made once: to make a statement takes longer than to execute it, and routing executes these all the time.
_KEYS: Final = given(place=int, source=str, project_id=str, name=str)
_PROMPTS: Final = select(_KEYS.c.place, prompts).join_from(_KEYS, prompts, _is_named(_KEYS))
_LOCK: Final = _PROMPTS.order_by(prompts.c.id).with_for_update(of=prompts)
_NUMBERS: Final = given(number=int)
_FACTS_OF: Final = select(*_FACTS).join_from(_NUMBERS, versions, versions.c.prompt == _NUMBERS.c.number)
_LABELS_OF: Final = select(labels).join_from(_NUMBERS, labels, labels.c.prompt == _NUMBERS.c.number)
_VERSIONS: Final = given(place=int, source=str, project_id=str, name=str, id=str)
_CONTENTS_OF: Final = (
    select(_VERSIONS.c.place, versions.c.id, versions.c.content)
    .join_from(_VERSIONS, prompts, _is_named(_VERSIONS))
    .join(versions, and_(versions.c.prompt == prompts.c.id, versions.c.id == _VERSIONS.c.id))
    .where(versions.c.content.is_not(None))
)
_ADVANCE: Final = (
    update(prompts).where(prompts.c.id.in_(select(_NUMBERS.c.number))).values(revision=prompts.c.revision + 1)
)
_RETAG: Final = (
    update(prompts)
    .where(prompts.c.id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in ("tags", "tags_updated_at", "tags_sent_at")})
)
_CONTENT: Final = msgspec.json.Decoder(Content)
_NAMES: Final = msgspec.json.Decoder(frozenset[str])


def ledger(connection: Connection, key: PromptKey) -> Ledger:
    """Return what is known of a prompt, without contents; revision 0 if nothing is."""
    (found,) = of_prompts(connection, [key])
    return found


def of_prompts(connection: Connection, keys: Sequence[PromptKey]) -> list[Ledger]:
    """Return what is known of each of those prompts, without contents; revision 0 if nothing is."""
    if not keys:
        return []
    asked = [(place, *_names_of(key)) for place, key in enumerate(keys)]
    rows = connection.execute(_PROMPTS, rows_given(asked)).mappings().all()
    known = {row["place"]: one for row, one in zip(rows, _ledgers(connection, rows), strict=True)}
    return [known.get(place) or Ledger(prompt=key) for place, key in enumerate(keys)]


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
    return contents_of(connection, {key: ids})[key]


def contents_of(
    connection: Connection, wanted: Mapping[PromptKey, Iterable[str]]
) -> dict[PromptKey, dict[str, Content]]:
    """Return the contents of those versions of each prompt, by prompt id, as far as they are known."""
    found: dict[PromptKey, dict[str, Content]] = {key: {} for key in wanted}
    keys = list(wanted)
    asked = [(place, *_names_of(key), id_) for place, key in enumerate(keys) for id_ in wanted[key]]
    if asked:
        for place, id_, content in connection.execute(_CONTENTS_OF, rows_given(asked)):
            found[keys[place]][id_] = _CONTENT.decode(content)
    return found


def save(connection: Connection, new: Sequence[Ledger], read: Mapping[PromptKey, Ledger] = {}) -> list[int | None]:
    """Store each, derived from what was read at its revision. Return the prompts' numbers in the store.

    None: somebody stored another revision since; nothing of it was written. Until the transaction ends nobody else can.
    `read`: what was read, as far as the caller has it still; of a revision there is one ledger only.
    """
    numbers = _begin(connection, new) | _advance(connection, new)
    taken = {number: new[place] for place, number in numbers.items()}
    before = _before(connection, taken, read)
    _save_versions(connection, before, taken)
    _save_labels(connection, before, taken)
    return [numbers.get(place) for place in range(len(new))]


def _before(connection: Connection, new: Mapping[int, Ledger], read: Mapping[PromptKey, Ledger]) -> dict[int, Ledger]:
    """Return by number what was known of each prompt."""
    before = {number: read.get(one.prompt, Ledger(prompt=one.prompt)) for number, one in new.items()}
    unread = [number for number, one in new.items() if before[number].revision != one.revision]
    facts, claims = _facts(connection, unread), _claims(connection, unread)
    for number in unread:
        before[number] = Ledger(prompt=new[number].prompt, versions=facts[number], labels=claims[number])
    return before


def _begin(connection: Connection, new: Sequence[Ledger]) -> dict[int, int]:
    """Make rows for the prompts of which nothing was known. Return by place the numbers of those it is still so of."""
    places = {_names_of(one.prompt): place for place, one in enumerate(new) if not one.revision}
    rows = [
        {"source": source, "project_id": project_id, "name": name, "revision": 1, **_tags_row(new[place].tags)}
        for (source, project_id, name), place in places.items()
    ]
    made = add_new(connection, prompts, rows, "id", "source", "project_id", "name")
    return {places[source, project_id, name]: number for number, source, project_id, name in made}


def _advance(connection: Connection, new: Sequence[Ledger]) -> dict[int, int]:
    """Count revisions up that are still those which were read: the rows are the prompts' locks. Return as `_begin`."""
    asked = [(place, *_names_of(one.prompt)) for place, one in enumerate(new) if one.revision]
    if not asked:
        return {}
    places: dict[int, int] = {}
    retagged = []
    for row in connection.execute(_LOCK, rows_given(asked)).mappings().all():
        ledger = new[row["place"]]
        if row["revision"] != ledger.revision or row["id"] in places:
            continue
        places[row["id"]] = row["place"]
        tags = _tags_row(ledger.tags)
        if tags != {name: row[name] for name in tags}:
            retagged.append({"of": row["id"], **{f"new_{name}": value for name, value in tags.items()}})
    connection.execute(_ADVANCE, rows_given([number] for number in places))
    if retagged:
        connection.execute(_RETAG, retagged)
    return {place: number for number, place in places.items()}


def _facts(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, VersionFact]]:
    """Return what is known of the versions of each of those prompts."""
    found: dict[int, dict[str, VersionFact]] = {number: {} for number in numbers}
    if numbers:
        for prompt, *row in connection.execute(_FACTS_OF, rows_given([number] for number in numbers)):
            fact = _version(row)
            found[prompt][fact.id] = fact
    return found


def _claims(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, LabelFact]]:
    """Return who holds which label of each of those prompts."""
    found: dict[int, dict[str, LabelFact]] = {number: {} for number in numbers}
    if numbers:
        rows = connection.execute(_LABELS_OF, rows_given([number] for number in numbers))
        for prompt, label, version_id, version, updated_ms, sent_ms in rows:
            found[prompt][label] = LabelFact(version_id, version, _stamp(updated_ms, sent_ms))
    return found


def _save_versions(connection: Connection, before: Mapping[int, Ledger], new: Mapping[int, Ledger]) -> None:
    """Write the facts that differ from those known before, and the contents that were learnt."""
    rows = []
    for prompt, one in new.items():
        known = before[prompt].versions
        for id_, fact in one.versions.items():
            content = one.contents.get(id_)
            if content is not None or known.get(id_) != fact:
                text = None if content is None else msgspec.json.encode(content).decode()
                rows.append({"prompt": prompt, **_version_row(fact), "content": text})
        _forget(connection, versions, prompt, known.keys() - one.versions.keys())
    put(connection, versions, rows, kept="content")


def _save_labels(connection: Connection, before: Mapping[int, Ledger], new: Mapping[int, Ledger]) -> None:
    """Write the claims that differ from those known before."""
    rows = []
    for prompt, one in new.items():
        known = before[prompt].labels
        rows += [
            {"prompt": prompt, "label": label, "version_id": fact.version_id, "version": fact.version}
            | _stamp_row(fact.as_of)
            for label, fact in one.labels.items()
            if known.get(label) != fact
        ]
        _forget(connection, labels, prompt, known.keys() - one.labels.keys())
    put(connection, labels, rows)


def _forget(connection: Connection, table: Table, prompt: int, names: Iterable[str]) -> None:
    """Remove facts of a prompt that there are no more; the table's second key column names them."""
    _, name = table.primary_key
    for gone in batched(names):
        connection.execute(delete(table).where(table.c.prompt == prompt, name.in_(gone)))


def _names_of(key: PromptKey) -> tuple[str, str, str]:
    """Return a prompt's names as they are stored."""
    return words(key.source), words(key.project_id), words(key.name)


def is_prompt(key: PromptKey) -> ColumnElement[bool]:
    return and_(prompts.c.source == key.source, prompts.c.project_id == key.project_id, prompts.c.name == key.name)


def _version(row: Sequence[Any]) -> VersionFact:
    id_, number, updated_ms, sent_ms, held, labels_updated_ms, labels_sent_ms, created, buried, untold = row
    return VersionFact(
        id=id_,
        number=number,
        as_of=_stamp(updated_ms, sent_ms),
        labels=_names(held),
        labels_as_of=None if labels_updated_ms is None else _stamp(labels_updated_ms, labels_sent_ms),
        created=created,
        buried=buried,
        untold=untold,
    )


def _version_row(fact: VersionFact) -> dict[str, object]:
    return {
        "id": fact.id,
        "number": fact.number,
        **_stamp_row(fact.as_of),
        "labels": _names_text(fact.labels),
        "labels_updated_at": None if fact.labels_as_of is None else to_ms(fact.labels_as_of.updated_at),
        "labels_sent_at": None if fact.labels_as_of is None else to_ms(fact.labels_as_of.sent_at),
        "created": fact.created,
        "buried": fact.buried,
        "untold": fact.untold,
    }


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
    return None if text is None else _NAMES.decode(text)


def _names_text(names: frozenset[str] | None) -> str | None:
    return None if names is None else msgspec.json.encode(sorted(names)).decode()
