"""A model of Langfuse: prompts, their versions, labels and tags, and the webhooks that it queues when they change.

It does what Langfuse does, silence included, and has neither clock nor chance of its own. Samples, the simulator and
the ledger's tests play on it.

Source: langfuse/langfuse web/src/features/prompts/server (actions/createPrompt.ts, actions/updatePrompts.ts,
actions/deletePrompt.ts, actions/getPromptsMeta.ts, routers/promptRouter.ts).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from router.domain.event import Action
from router.domain.json import Json
from router.engine.ledger import LATEST
from router.langfuse.bodies import Body, Person, Row, iso, prompt_json

API: Final = "API"
"""`createdBy` of what was made through the public API."""

DEFAULT_LABEL: Final = "production"
"""What the public API shows where neither version nor label is asked for."""


class Queued(Struct, frozen=True, kw_only=True):
    """A webhook on its way. `row` is as the change left it; what an `updated` one says is read later: `Langfuse.read`.

    `by` None: the change came through the public API.
    """

    action: Action
    row: Row
    by: Person | None


class Langfuse:
    """One project. `now` is asked once for every row that is written, `new_id` once for every row that is made."""

    def __init__(self, project_id: str, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self.project_id = project_id
        self._now = now
        self._new_id = new_id
        self._prompts: dict[str, dict[str, Row]] = {}
        """The table, by name and prompt id."""

    # ---- what people and scripts do

    def create(
        self,
        name: str,
        prompt: Json,
        *,
        by: Person | None,
        labels: Iterable[str] = (),
        tags: Iterable[str] | None = None,
        type: Literal["text", "chat"] = "text",
        config: Json = None,
        commit_message: str | None = None,
    ) -> list[Queued]:
        """Create the next version, with `labels` and `latest`. `tags` None: those of the version before.

        The version before is the highest that is left, so the number of a deleted top version is used again.
        """
        before = self.versions(name)
        held = _unique((*labels, LATEST))
        shared = before[-1].tags if before else ()
        tagged = shared if tags is None else _unique(tags)
        written = self._now()
        made = Row(
            id=self._new_id(),
            name=name,
            version=before[-1].version + 1 if before else 1,
            project_id=self.project_id,
            created_by=by.id if by else API,
            labels=held,
            prompt=prompt,
            type=type,
            config={} if config is None else config,
            commit_message=commit_message,
            tags=tagged,
            created_at=written,
            updated_at=written,
        )
        self._put(made)
        touched = self._take_labels(before, held)
        if set(tagged) != set(shared):
            touched = [self._write(self._prompts[name][row.id], tags=tagged) for row in before]
        return [Queued(action="created", row=made, by=by), *self._updated(touched, by)]

    def set_labels(self, name: str, version: int, labels: Iterable[str], *, by: Person) -> list[Queued]:
        """Set a version's labels in the UI: what is not named goes. `latest` stays where it is."""
        row = self.find(name, version)
        wanted = _unique((*(label for label in labels if label != LATEST), *({LATEST} & {*row.labels})))
        written = self._write(row, labels=wanted)
        losers = self._take_labels((other for other in self.versions(name) if other.id != row.id), wanted)
        return self._updated([written, *losers], by)

    def add_labels(self, name: str, version: int, labels: Iterable[str]) -> list[Queued]:
        """Add labels to a version through the public API, which takes none away from it."""
        row = self.find(name, version)
        added = _unique(labels)
        losers = self._take_labels((other for other in self.versions(name) if other.id != row.id), added)
        return self._updated([*losers, self._write(row, labels=_unique((*added, *row.labels)))], None)

    def set_tags(self, name: str, tags: Iterable[str], *, by: Person) -> list[Queued]:
        """Edit the tags: one write of all versions, and a webhook for each."""
        written, tagged = self._now(), _unique(tags)
        rows = [msgspec.structs.replace(row, tags=tagged, updated_at=written) for row in self.versions(name)]
        for row in rows:
            self._put(row)
        return self._updated(rows, by)

    def delete_version(self, name: str, version: int, *, by: Person) -> list[Queued]:
        """Delete a version in the UI. If it held `latest`, the highest one left gains it in silence."""
        gone = self.find(name, version)
        self._remove([gone])
        self._pass_latest_on(name, [gone])
        return [Queued(action="deleted", row=gone, by=by)]

    def delete_in_silence(self, name: str, *, version: int | None = None, label: str | None = None) -> list[Row]:
        """Delete through the public API: one version, the one with a label, or the prompt. No webhook tells of it."""
        gone = [
            row
            for row in self.versions(name)
            if version in (None, row.version) and (label is None or label in row.labels)
        ]
        self._remove(gone)
        self._pass_latest_on(name, gone)
        return gone

    def delete_prompt(self, name: str, *, by: Person) -> list[Queued]:
        """Delete a prompt with all its versions in the UI."""
        return self._delete(self.versions(name), by)

    def delete_folder(self, folder: str, *, by: Person) -> list[Queued]:
        """Delete every prompt of a folder in the UI."""
        return self._delete([row for name in self.names(folder) for row in self.versions(name)], by)

    def duplicate(self, name: str, copy: str, *, by: Person, single: bool = False) -> list[Queued]:
        """Copy a prompt: all versions with their numbers and labels, or (`single`) the latest alone as version 1.

        Raises ValueError if there is a prompt of that name.
        """
        if self.versions(copy):
            raise ValueError(f"there is a prompt {copy} already")
        rows = self.versions(name)
        chosen = [next((row for row in rows if LATEST in row.labels), rows[-1])] if single else rows
        made = [self._copied(row, copy, by, single=single) for row in chosen]
        for row in made:
            self._put(row)
        return [Queued(action="created", row=row, by=by) for row in made]

    def duplicate_folder(self, folder: str, copy: str, *, by: Person, single: bool = False) -> list[Queued]:
        """Copy every prompt of a folder."""
        return [
            queued
            for name in self.names(folder)
            for queued in self.duplicate(name, copy + name[len(folder) :], by=by, single=single)
        ]

    # ---- what Langfuse says

    def read(self, queued: Queued) -> Row | None:
        """Return the row that the webhook will show if it is read now; None: it is gone, and so is the webhook.

        `updated` ones show what a second query finds after the commit, `created` and `deleted` ones the row that was
        made or deleted.
        """
        if queued.action != "updated":
            return queued.row
        return self._prompts.get(queued.row.name, {}).get(queued.row.id)

    def names(self, folder: str | None = None) -> list[str]:
        """Return the names of all prompts, or of those in a folder."""
        return sorted(name for name in self._prompts if folder is None or name.startswith(f"{folder}/"))

    def versions(self, name: str) -> list[Row]:
        """Return what there is of a prompt, by version."""
        return sorted(self._prompts.get(name, {}).values(), key=lambda row: row.version)

    def find(self, name: str, version: int) -> Row:
        """Return a version. Raises LookupError."""
        for row in self.versions(name):
            if row.version == version:
                return row
        raise LookupError(f"{name} has no version {version}")

    def holders(self, name: str) -> dict[str, Row]:
        """Return who holds which label of a prompt."""
        return {label: row for row in self.versions(name) for label in row.labels}

    def tags(self, name: str) -> frozenset[str]:
        """Return the tags of a prompt; none where there is no prompt."""
        return frozenset(tag for row in self.versions(name) for tag in row.tags)

    # ---- what the public API shows

    def list_prompts(
        self,
        *,
        page: int = 1,
        limit: int = 50,
        name: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        from_updated_at: datetime | None = None,
        to_updated_at: datetime | None = None,
    ) -> Body:
        """Answer `GET /api/public/v2/prompts`. It filters rows first, then groups them by name, then cuts pages."""

        def passes(row: Row) -> bool:
            return (
                name in (None, row.name)
                and (label is None or label in row.labels)
                and (tag is None or tag in row.tags)
                and (from_updated_at is None or row.updated_at >= from_updated_at)
                and (to_updated_at is None or row.updated_at < to_updated_at)
            )

        found = [[row for row in self.versions(prompt) if passes(row)] for prompt in self.names()]
        groups = [rows for rows in found if rows]
        return {
            "data": [_listed(rows) for rows in groups[(page - 1) * limit : page * limit]],
            "meta": {
                "page": page,
                "limit": limit,
                "totalItems": len(groups),
                "totalPages": -(-len(groups) // limit),
            },
        }

    def get_prompt(self, name: str, *, version: int | None = None, label: str | None = None) -> Body | None:
        """Answer `GET /api/public/v2/prompts/{name}`; None is its 404."""
        wanted = label if version is not None else label or DEFAULT_LABEL
        for row in self.versions(name):
            if version in (None, row.version) and (wanted is None or wanted in row.labels):
                return {**prompt_json(row), "resolutionGraph": None}
        return None

    # ---- rows

    def _put(self, row: Row) -> None:
        self._prompts.setdefault(row.name, {})[row.id] = row

    def _remove(self, rows: Iterable[Row]) -> None:
        for row in rows:
            del self._prompts[row.name][row.id]
            if not self._prompts[row.name]:
                del self._prompts[row.name]

    def _write(self, row: Row, *, labels: tuple[str, ...] | None = None, tags: tuple[str, ...] | None = None) -> Row:
        written = msgspec.structs.replace(
            row,
            labels=row.labels if labels is None else labels,
            tags=row.tags if tags is None else tags,
            updated_at=self._now(),
        )
        self._put(written)
        return written

    def _take_labels(self, rows: Iterable[Row], labels: Sequence[str]) -> list[Row]:
        """Take the labels away from whoever of `rows` holds one of them."""
        return [
            self._write(row, labels=tuple(label for label in row.labels if label not in labels))
            for row in rows
            if {*labels} & {*row.labels}
        ]

    def _pass_latest_on(self, name: str, gone: Iterable[Row]) -> None:
        left = self.versions(name)
        if left and any(LATEST in row.labels for row in gone):
            self._write(left[-1], labels=(*left[-1].labels, LATEST))

    def _delete(self, rows: Sequence[Row], by: Person) -> list[Queued]:
        self._remove(rows)
        return [Queued(action="deleted", row=row, by=by) for row in rows]

    def _copied(self, row: Row, name: str, by: Person, *, single: bool) -> Row:
        written = self._now()
        return msgspec.structs.replace(
            row,
            id=self._new_id(),
            name=name,
            version=1 if single else row.version,
            labels=_unique((LATEST, *row.labels)) if single else row.labels,
            created_by=by.id,
            created_at=written,
            updated_at=written,
        )

    def _updated(self, rows: Iterable[Row], by: Person | None) -> list[Queued]:
        return [Queued(action="updated", row=row, by=by) for row in rows]


def ticking(now: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return a clock like `now` that shows whole milliseconds and never the same one twice."""
    last: datetime | None = None

    def tick() -> datetime:
        nonlocal last
        time = now()
        time = time.replace(microsecond=time.microsecond // 1000 * 1000)
        last = time if last is None or time > last else last + timedelta(milliseconds=1)
        return last

    return tick


def ids(random: Random) -> Callable[[], str]:
    """Return a maker of UUIDs out of that chance."""
    return lambda: str(UUID(int=random.getrandbits(128), version=4))


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _listed(rows: Sequence[Row]) -> Body:
    newest = rows[-1]
    return {
        "name": newest.name,
        "type": newest.type,
        "versions": [row.version for row in rows],
        "labels": sorted({label for row in rows for label in row.labels}),
        "tags": list(newest.tags),
        "lastUpdatedAt": iso(max(row.updated_at for row in rows)),
        "lastConfig": newest.config,
    }
