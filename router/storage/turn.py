"""Taking turns at routing: replicas that see the same batches waiting do not do each other's work.

The ledger's revision decides what is stored; a turn only saves work that would be in vain. It ends with its connection,
so whoever dies gives it back.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, text

from router.domain.event import Content, PromptKey
from router.domain.ledger import Ledger
from router.storage import events, ledgers
from router.storage.database import Database, unavailable
from router.storage.events import StoredEvent, WaitingBatch

_FAMILY: Final = "langfuse-router: routing"
"""Sets our advisory locks apart from other people's in the same database."""


_TAKE: Final = text(
    "SELECT number FROM unnest(CAST(:numbers AS bigint[])) AS number WHERE pg_try_advisory_xact_lock(number)"
)


class Turn:
    """The right to route `batches`, and what reads that takes. It ends with the transaction, where there is one."""

    def __init__(
        self, batches: Sequence[WaitingBatch], reading: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        """`reading` gives a connection to read on; each reading sees what is there by then."""
        self.batches = batches
        self.read: dict[PromptKey, Ledger] = {}
        """The ledgers that were read."""
        self._reading = reading

    def events(self, batches: Sequence[WaitingBatch]) -> list[list[StoredEvent]]:
        """Return of each batch every event that waits, in the order of arrival."""
        with self._reading() as connection:
            return events.of_batches(connection, [batch.key or batch.seq for batch in batches])

    def ledgers(self, keys: Sequence[PromptKey]) -> dict[PromptKey, Ledger]:
        """Return what is known of those prompts, without contents."""
        with self._reading() as connection:
            found = dict(zip(keys, ledgers.of_prompts(connection, keys), strict=True))
        self.read |= found
        return found

    def contents(self, wanted: Mapping[PromptKey, Iterable[str]]) -> dict[PromptKey, dict[str, Content]]:
        """Return the contents of those versions of prompts, by prompt id, as far as they are known."""
        with self._reading() as connection:
            return ledgers.contents_of(connection, wanted)


@contextmanager
def turn(database: Database, batches: Sequence[WaitingBatch]) -> Iterator[Turn]:
    """Give the right to route those of the batches that no other replica is routing, until the block ends."""
    if not database.is_shared:
        # one server for each file. A reader that stayed would keep the log beside the file from being taken up
        yield Turn(batches, database.read)
        return
    with database.now() as connection:

        @contextmanager
        def reading() -> Iterator[Connection]:
            with unavailable():
                yield connection

        yield Turn(_taken(connection, batches), reading)


def _taken(connection: Connection, batches: Sequence[WaitingBatch]) -> list[WaitingBatch]:
    of = {_number(batch): batch for batch in batches}
    mine = set(connection.execute(_TAKE, {"numbers": list(of)}).scalars())
    return [batch for number, batch in of.items() if number in mine]


def _number(batch: WaitingBatch) -> int:
    key = batch.key
    named = (_FAMILY, str(batch.seq)) if key is None else (_FAMILY, key.source, key.project_id, key.name)
    return int.from_bytes(hashlib.blake2b("\0".join(named).encode(), digest_size=8).digest(), signed=True)
