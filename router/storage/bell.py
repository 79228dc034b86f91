"""What replicas call out to each other: LISTEN and NOTIFY. A call may be lost, so everybody also looks by himself."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import structlog
from sqlalchemy import Connection, func, select

Call: TypeAlias = Literal["events", "deliveries", "outcomes"]
"""What there may be more of: events that wait to be routed, deliveries that wait to be sent, what became of either."""

log = structlog.get_logger("router.storage")

_CHANNEL: Final = "langfuse_router"
_PAUSE: Final = 1.0
"""Seconds between attempts to listen again."""
_SILENCE: Final = 30.0
"""Seconds after which it is asked whether somebody is there at all."""
_ANSWER: Final = 15.0
"""Seconds for the answer to that."""


def call(connection: Connection, what: Call, caller: str) -> None:
    """Tell all who listen, as soon as the transaction is committed."""
    connection.execute(select(func.pg_notify(_CHANNEL, f"{what} {caller}")))


async def listen(given: Mapping[str, Any], caller: str, heard: Callable[[Call], None]) -> None:
    """Call `heard` for what others call, until cancelled; after each new connection for everything.

    `given`: what psycopg connects with. The connection is made again for as long as it takes: until then nothing is
    heard.
    """
    import psycopg  # only who listens has it installed

    connected = True
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**given, autocommit=True) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                connected = True
                for what in get_args(Call):
                    heard(what)
                while True:
                    async for notification in connection.notifies(timeout=_SILENCE):
                        said, _, by = notification.payload.partition(" ")
                        for what in get_args(Call):
                            if said == what and by != caller:
                                heard(what)
                    async with asyncio.timeout(_ANSWER):  # silence may be that of a connection that leads nowhere
                        await connection.execute(f"LISTEN {_CHANNEL}")
        except (psycopg.Error, TimeoutError) as error:
            if connected:
                why = str(error).partition("\n")[0] or type(error).__name__
                log.warning("the other replicas cannot be heard at present", error=why)
            connected = False
        await asyncio.sleep(_PAUSE)
