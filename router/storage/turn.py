"""Taking turns at routing: replicas that see the same batches waiting do not do each other's work.

The ledger's revision decides what is stored; a turn only saves work that would be in vain. It ends with its connection,
so whoever dies gives it back.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from router.domain.event import Content, PromptKey
from router.domain.ledger import Ledger
from router.storage import events, ledgers
from router.storage.database import unavailable
from router.storage.events import StoredEvent, WaitingBatch

_FAMILY: Final = "langfuse-router: routing"
"""Sets our advisory locks apart from other people's in the same database."""


_TAKE: Final = text(
    "SELECT number FROM unnest(CAST(:numbers AS bigint[])) AS number WHERE pg_try_advisory_xact_lock(number)"
)


class Turn:
    """The right to route `batches`, and one connection to read what that takes. It ends with the transaction."""

    def __init__(self, connection: Connection, batches: Sequence[WaitingBatch]) -> None:
        """Take those of the batches that nobody else is routing."""
        self._connection = connection
        self.batches = _free(connection, batches)

    def events(self, batches: Sequence[WaitingBatch]) -> list[list[StoredEvent]]:
        """Return of each batch every event that waits, in the order of arrival."""
        with unavailable():
            return events.of_batches(self._connection, [batch.key or batch.seq for batch in batches])

    def ledgers(self, keys: Sequence[PromptKey]) -> dict[PromptKey, Ledger]:
        """Return what is known of those prompts, without contents."""
        with unavailable():
            return dict(zip(keys, ledgers.of_prompts(self._connection, keys), strict=True))

    def contents(self, wanted: Mapping[PromptKey, Iterable[str]]) -> dict[PromptKey, dict[str, Content]]:
        """Return the contents of those versions of prompts, by prompt id, as far as they are known."""
        with unavailable():
            return ledgers.contents_of(self._connection, wanted)


def _free(connection: Connection, batches: Sequence[WaitingBatch]) -> list[WaitingBatch]:
    if connection.dialect.name != "postgresql":
        return list(batches)  # one server for each file
    of = {_number(batch): batch for batch in batches}
    mine = set(connection.execute(_TAKE, {"numbers": list(of)}).scalars())
    return [batch for number, batch in of.items() if number in mine]


def _number(batch: WaitingBatch) -> int:
    key = batch.key
    named = (_FAMILY, str(batch.seq)) if key is None else (_FAMILY, key.source, key.project_id, key.name)
    return int.from_bytes(hashlib.blake2b("\0".join(named).encode(), digest_size=8).digest(), signed=True)
