"""SQLite's log beside the file, copied into it while the writer goes on.

Otherwise the writer copies it, in one of its commits: 30 ms in which every webhook waits. It still does what is left
when the log is full (`wal_autocheckpoint`), because only then the log can begin anew.
"""

import contextlib
import threading
from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

ROWS: Final = 1_000
"""So many rows are written between two copies, of about three pages each."""


class Copier:
    """A thread that copies, until it is closed."""

    def __init__(self, writer: Engine, copying: Engine) -> None:
        """`writer`: what it writes is counted; `copying`: its connections begin no transaction."""
        self._copying = copying
        self._copied = 0
        self._due = threading.Event()
        self._closed = False
        event.listen(writer, "checkin", self._written)
        self._thread = threading.Thread(target=self._work, name="store-copier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._due.set()
        self._thread.join()

    def _written(self, connection: DBAPIConnection | None, _entry: ConnectionPoolEntry) -> None:
        rows: int = 0 if connection is None else connection.total_changes
        if not 0 <= rows - self._copied < ROWS:  # fewer: it is a new connection
            self._copied = rows
            self._due.set()

    def _work(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            # the writer will see, and say, what is wrong with the file
            with contextlib.suppress(SQLAlchemyError), self._copying.begin() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
