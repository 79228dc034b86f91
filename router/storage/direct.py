"""Events into PostgreSQL straight from the event loop.

The writer's thread needs the interpreter several times for each group of events, and waits for it each time while the
event loop is busy with the next group. So new events go this way while it is open; the writer gets whatever is not new,
or large, or could not be stored. When it has stored something, the way is opened (again).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from router.storage.events import NewEvent, Receipt, receive_new

if TYPE_CHECKING:
    from psycopg import AsyncConnection

LARGEST: Final = 2**20
"""Bytes of bodies; to copy more would hold up the event loop."""

ANSWER: Final = 15.0
"""Seconds after which a question that is not answered ends the connection."""


class Direct:
    """One connection, which each statement takes and gives back. Call it on the event loop."""

    def __init__(self, given: Mapping[str, Any], prepare: str) -> None:
        """`given`: what psycopg connects with. `prepare`: a statement that each connection begins with."""
        self._given = given
        self._prepare = prepare
        self._connection: AsyncConnection[Any] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._inserting: set[asyncio.Task[list[Receipt | None]]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it would store something at this moment."""
        return self._connection is not None

    def open_soon(self) -> None:
        """PostgreSQL answers: connect, if there is no connection yet."""
        if self._connection is None and self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def receive(self, arrived: Sequence[NewEvent]) -> list[Receipt | None]:
        """Store events that are new. None: that one is not stored, or was there already; ask the writer.

        Whoever does not wait for it any more does not end it: only its own time does.
        """
        connection = self._connection
        if connection is None or sum(len(event.body) for event in arrived) > LARGEST:
            return [None] * len(arrived)
        self._connection = None
        task = asyncio.get_running_loop().create_task(self._receive(connection, arrived))
        self._inserting.add(task)
        task.add_done_callback(self._inserting.discard)
        return await asyncio.shield(task)

    async def _receive(self, connection: "AsyncConnection[Any]", arrived: Sequence[NewEvent]) -> list[Receipt | None]:
        try:
            async with asyncio.timeout(ANSWER):
                receipts = await receive_new(connection, arrived)
        except Exception:  # whatever it was, the writer will meet it, too, and say so
            await connection.close()
            return [None] * len(arrived)
        await self._keep(connection)
        return receipts

    async def _keep(self, connection: "AsyncConnection[Any]") -> None:
        """There may be another by now: who waited for an answer in vain asked the writer, and that opens the way."""
        if self._connection is None:
            self._connection = connection
        else:
            await connection.close()

    async def _open(self) -> None:
        import psycopg  # only who has PostgreSQL has it installed

        try:
            async with asyncio.timeout(ANSWER):
                connection = await psycopg.AsyncConnection.connect(**self._given, autocommit=True)
                await connection.execute(self._prepare)
            await self._keep(connection)
        except (psycopg.Error, TimeoutError):
            pass  # the writer goes on, and the next time that it stores something this is tried again
        finally:
            self._opening = None

    def close(self) -> None:
        """Let go of the connection. The event loop may have ended."""
        if self._connection is not None:
            self._connection.pgconn.finish()
