"""The first message of each conversation at a destination, as the destination calls it."""

from sqlalchemy import Connection, select

from router.domain.delivery import Thread
from router.storage.statements import add_new
from router.storage.tables import threads


def root(connection: Connection, thread: Thread) -> str | None:
    found: str | None = connection.execute(
        select(threads.c.root).where(
            threads.c.destination == thread.destination,
            threads.c.channel == thread.channel,
            threads.c.name == thread.name,
        )
    ).scalar_one_or_none()
    return found


def begin(connection: Connection, thread: Thread, root: str) -> None:
    """Remember the first message of a conversation; who comes later changes nothing."""
    row = {"destination": thread.destination, "channel": thread.channel, "name": thread.name, "root": root}
    add_new(connection, threads, [row])
