"""What was read from Langfuse's public API: how far the import is, when it was looked at last, what differed then."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, or_, select, update

from router.domain.ledger import Ledger
from router.storage import ledgers
from router.storage.clock import duration_ms, from_ms, now_ms, optional_moment, to_ms
from router.storage.statements import add_new, batched, put
from router.storage.tables import PROMPT_DIFFERS, api_prompts, api_sources, prompts, versions


class Progress(Struct, frozen=True, kw_only=True):
    """How far a source is known from the API. `looked_at`: when the last complete look began, by Langfuse's clock.

    `project_id`: whose prompts it shows (None: it never showed one). `imported_at` None: the import is not complete.
    """

    project_id: str | None = None
    imported_at: datetime | None = None
    looked_at: datetime | None = None


def progress(connection: Connection, source: str) -> Progress:
    row = connection.execute(select(api_sources).where(api_sources.c.source == source)).mappings().one_or_none()
    if row is None:
        return Progress()
    return Progress(
        project_id=row["project_id"],
        imported_at=optional_moment(row["imported_at"]),
        looked_at=optional_moment(row["looked_at"]),
    )


def take(connection: Connection, source: str, lease: timedelta) -> bool:
    """Take the right to look at a source, or keep it: False if somebody else has it."""
    add_new(connection, api_sources, [{"source": source}])
    now = connection.execute(select(now_ms())).scalar_one()
    free = or_(api_sources.c.lease_until.is_(None), api_sources.c.lease_until <= now)
    taken = update(api_sources).where(api_sources.c.source == source, free).values(lease_until=now + duration_ms(lease))
    return connection.execute(taken).rowcount > 0


def keep(connection: Connection, source: str, lease: timedelta) -> None:
    """Keep the right to look at a source for longer."""
    kept = update(api_sources).where(api_sources.c.source == source)
    connection.execute(kept.values(lease_until=now_ms() + duration_ms(lease)))


def let_go(connection: Connection, source: str | None) -> None:
    """Let others look at a source; None: at every one, for a server that knows that it is alone."""
    free = update(api_sources).values(lease_until=None)
    connection.execute(free if source is None else free.where(api_sources.c.source == source))


# ---- the import


def imported(connection: Connection, source: str, names: Iterable[str]) -> set[str]:
    """Return those of the prompts that were imported."""
    found: set[str] = set()
    for some in batched(names):
        query = select(api_prompts.c.name).where(
            api_prompts.c.source == source, api_prompts.c.name.in_(some), api_prompts.c.imported
        )
        found.update(connection.execute(query).scalars())
    return found


def save_import(connection: Connection, source: str, name: str, found: Ledger | None) -> bool:
    """Store what was found of a prompt (None: there is none), and that it was imported.

    False: its ledger moved on since it was read, and nothing was stored.
    """
    if found is not None:
        if ledgers.save(connection, [found]) == [None]:
            return False
        project = update(api_sources).where(api_sources.c.source == source)
        connection.execute(project.values(project_id=found.prompt.project_id))
    put(connection, api_prompts, [{"source": source, "name": name, "imported": True, "differs": None}])
    return True


def finish_import(connection: Connection, source: str, at: datetime, there: datetime) -> None:
    """Remember that all is imported; the first look has to find what changed since it began, `there` then."""
    done = update(api_sources).where(api_sources.c.source == source)
    connection.execute(done.values(imported_at=to_ms(at), looked_at=to_ms(there)))


# ---- looks


def known(connection: Connection, source: str, project_id: str, names: Iterable[str]) -> dict[str, Ledger]:
    """Return what is known of those prompts, by name and without contents."""
    found: dict[str, Ledger] = {}
    for some in batched(names):
        of = prompts.c.source == source, prompts.c.project_id == project_id, prompts.c.name.in_(some)
        found.update((ledger.prompt.name, ledger) for ledger in ledgers.ledgers(connection, *of))
    return found


def alive(connection: Connection, source: str, project_id: str) -> set[str]:
    """Return the names of the prompts of which a version is left."""
    query = (
        select(prompts.c.name)
        .join(versions, versions.c.prompt == prompts.c.id)
        .where(prompts.c.source == source, prompts.c.project_id == project_id, versions.c.buried.is_(False))
        .distinct()
    )
    return set(connection.execute(query).scalars())


def differing(connection: Connection, source: str) -> dict[str, dict[str, datetime]]:
    """Return the prompts that differed at the last look: by name, since when which version does."""
    query = select(api_prompts.c.name, api_prompts.c.differs).where(api_prompts.c.source == source, PROMPT_DIFFERS)
    return {
        name: {id_: from_ms(since) for id_, since in msgspec.json.decode(differs, type=dict[str, int]).items()}
        for name, differs in connection.execute(query)
    }


def finish_look(
    connection: Connection,
    source: str,
    project_id: str | None,
    there: datetime,
    differs: Mapping[str, Mapping[str, datetime]],
) -> None:
    """Remember a complete look that began, by Langfuse's clock, `there` then; and what differed, if anything."""
    gone = update(api_prompts).where(api_prompts.c.source == source, PROMPT_DIFFERS).values(differs=None)
    connection.execute(gone)
    rows = [
        {
            "source": source,
            "name": name,
            "imported": True,
            "differs": msgspec.json.encode({id_: to_ms(since) for id_, since in by_id.items()}).decode(),
        }
        for name, by_id in differs.items()
        if by_id
    ]
    put(connection, api_prompts, rows)
    done = update(api_sources).where(api_sources.c.source == source)
    connection.execute(done.values(project_id=project_id, looked_at=to_ms(there)))
