"""The spool: a SQLite file of this machine that keeps events while PostgreSQL does not answer."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select

from router.storage.clock import from_ms, optional_moment
from router.storage.database import open_database
from router.storage.events import NewEvent, Receipt
from router.storage.statements import batched
from router.storage.tables import events
from router.storage.writer import Writer


class Spooled(Struct, frozen=True):
    """An event as it arrived, and its number in the spool."""

    seq: int
    event: NewEvent


class Spool:
    """An open spool; one server has it at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is made as needed. Raises StoreError."""
        self._database = open_database(f"sqlite:///{path}", serve=True)
        self._writer = Writer(self._database.writes, self._database.inserts)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._writer.close()
        self._database.close()

    def keep(self, arrived: Sequence[NewEvent]) -> Future[list[Receipt | Exception]]:
        """Keep events, as `Store.receive_all` does."""
        return self._writer.receive(arrived)

    def oldest(self, most: int) -> list[Spooled]:
        """Return the events that came first, in the order of arrival."""
        query = select(events).order_by(events.c.seq).limit(most)
        with self._database.read() as connection:
            return [
                Spooled(
                    row["seq"],
                    NewEvent(
                        source=row["source"],
                        # without what set it apart here from another body of the same id: the store decides anew
                        id=row["id"].removesuffix(f"#{row['body_digest'][:8]}"),
                        type=row["type"],
                        received_at=from_ms(row["received_at"]),
                        body=row["body"],
                        origin=row["origin"],
                        action=row["action"],
                        project_id=row["project_id"],
                        prompt=row["prompt"],
                        sent_at=optional_moment(row["sent_at"]),
                        status=row["status"],
                        reason=row["reason"],
                        trace=row["trace"],
                    ),
                )
                for row in connection.execute(query).mappings()
            ]

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(events)).scalar_one()

    def forget(self, spooled: Sequence[Spooled]) -> Future[None]:
        """Let go of events that the store has."""

        def job(connection: Connection) -> None:
            for some in batched(one.seq for one in spooled):
                connection.execute(delete(events).where(events.c.seq.in_(some)))

        return self._writer.submit(job)
