"""A connection to PostgreSQL that does not wait for ever.

A proxy that lost its server, or a server that was stopped and not ended, takes what is sent and never answers. TCP's
own limits (`tcp_user_timeout`, keepalives) see nothing wrong: somebody acknowledges.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

_LOOK: float = 0.1
"""Seconds between two looks whether the time is over."""


def connect(seconds: float, *arguments: Any, **options: Any) -> psycopg.Connection[Any]:
    """Connect as psycopg does; a question that is not answered within `seconds` ends the connection."""

    class Hasty(psycopg.Connection[Any]):
        def wait(self, gen: PQGen[T], interval: float = _LOOK, timeout: float | None = None) -> T:
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except psycopg.OperationalError as error:
                if error.sqlstate is not None or self.closed:  # the server's own word, or it is lost anyway
                    raise
                self.close()
                raise psycopg.OperationalError(f"no answer within {seconds:g} s") from error

    return Hasty.connect(*arguments, **options)
