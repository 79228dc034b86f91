"""The one thread that writes: whatever is queued goes into one transaction, so concurrent requests share a commit."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from router.storage.database import is_deadlock, is_of_tables, sqlstate, unavailable
from router.storage.errors import StoreUnavailable
from router.storage.events import NewEvent, Receipt, receive

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], T]
"""Statements to run in a transaction that others may share. After a deadlock it is run again."""

_MOST_AT_ONCE: Final = 1_000
"""Bounds how long the first of a group waits for the last."""

_MOMENT: Final = 0.02
"""Seconds for which jobs share a transaction before it is looked whether events have arrived."""

_TRIES: Final = 3


class Writer:
    """Runs what it is given, grouped. What fails fails alone.

    Futures fail with StoreUnavailable while the database cannot be written; the thread goes on living. What was
    handed over is done even if nobody waits for it any more: the futures cannot be cancelled.
    """

    def __init__(self, engine: Engine, inserts: Engine) -> None:
        """`inserts`: for events, of which each stands by itself."""
        self._engine = engine
        self._inserts = inserts
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> Future[T]:
        """Run `job` soon, after the jobs handed over before."""
        future: Future[T] = _uncancellable()
        self._put(_Call(job, future))
        return future

    def receive(self, arrived: Sequence[NewEvent]) -> Future[list[Receipt | Exception]]:
        """Store `arrived` soon, in one statement with all that arrive meanwhile. Each fares by itself."""
        future: Future[list[Receipt | Exception]] = _uncancellable()
        group = _Group(len(arrived), future)
        self._put(_Intake([_Arrival(group, place, event) for place, event in enumerate(arrived)]))
        return future

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, unit: "_Unit") -> None:
        with self._door:
            if self._closed:
                unit.fail(StoreUnavailable("the store is closed"))
            else:
                self._queue.put(unit)

    def _work(self) -> None:
        """Write what arrived first: somebody's webhook waits for it. Then jobs, for as long as nobody minds."""
        open_, jobs = True, list[_Unit]()
        while open_ or jobs:
            taken = self._take(wait=not jobs) if open_ else []
            open_ = open_ and None not in taken
            arrivals = [arrival for unit in taken if isinstance(unit, _Intake) for arrival in unit.arrivals]
            jobs += [unit for unit in taken if unit is not None and not isinstance(unit, _Intake)]
            if arrivals:
                self._write([_Intake(arrivals)])
            if jobs:
                del jobs[: self._write(jobs)]

    def _take(self, *, wait: bool) -> "list[_Unit | None]":
        """Return all that is queued, at least one if we `wait`. None comes last and means that nothing follows."""
        taken = [self._queue.get()] if wait else []
        while len(taken) < _MOST_AT_ONCE and None not in taken[-1:]:
            try:
                taken.append(self._queue.get_nowait())
            except Empty:
                break
        return taken

    def _write(self, units: "Sequence[_Unit]") -> int:
        """Write as many of the units as fit into a moment, at least one. Return how many."""
        try:
            with unavailable():
                failures = self._transact(units)
        except Exception as error:  # whatever it was, the thread lives and the callers know
            failures = [error] * len(units)
        for unit, failure in zip(units, failures, strict=False):
            if failure is None:
                unit.succeed()
            elif not isinstance(failure, StoreUnavailable) and (parts := unit.parts()):
                for part in parts:  # one bad event must not refuse the good ones that came with it
                    self._write([part])
            else:
                unit.fail(failure)
        return len(failures)

    def _transact(self, units: "Sequence[_Unit]") -> list[Exception | None]:
        for _ in range(_TRIES - 1):
            try:
                return self._attempt(units)
            except DBAPIError as error:
                lost = error.connection_invalidated and all(isinstance(unit, _Intake) for unit in units)
                if not lost and not is_deadlock(error):
                    raise  # of an event it can be asked again whether it is there; who knows what became of a job
        return self._attempt(units)

    def _attempt(self, units: "Sequence[_Unit]") -> list[Exception | None]:
        """Run the units for a moment, and commit. Return for each why it failed alone."""
        if len(units) == 1:  # there is nobody to protect from it: its transaction is savepoint enough
            engine = self._inserts if isinstance(units[0], _Intake) else self._engine
            return [_run(units[0], engine.begin)]
        end = time.monotonic() + _MOMENT
        failures: list[Exception | None] = []
        with self._engine.begin() as connection:
            for unit in units:
                failures.append(_run(unit, partial(_nested, connection)))
                if time.monotonic() > end:
                    break
        return failures


def _run(unit: "_Unit", begin: Callable[[], AbstractContextManager[Connection]]) -> Exception | None:
    try:
        with begin() as connection:
            unit.run(connection)
    except Exception as error:
        if isinstance(error, DBAPIError) and not _is_of_one(error):
            raise  # the database's own trouble: the transaction is lost for all
        return error
    return None


@contextmanager
def _nested(connection: Connection) -> Iterator[Connection]:
    with connection.begin_nested():
        yield connection


def _is_of_one(error: DBAPIError) -> bool:
    """Is it about what was to be written? Class 54: too long for PostgreSQL's indexes, for instance."""
    if is_of_tables(error):
        return False
    return isinstance(error, IntegrityError | DataError | ProgrammingError) or sqlstate(error).startswith("54")


class _Unit(Protocol):
    """A part of a transaction that stands or falls by itself."""

    def run(self, connection: Connection) -> None: ...

    def succeed(self) -> None: ...

    def fail(self, error: Exception) -> None: ...

    def parts(self) -> "Sequence[_Unit]": ...


class _Call(Generic[T]):
    def __init__(self, job: Job[T], future: Future[T]) -> None:
        self._job = job
        self._future = future

    def run(self, connection: Connection) -> None:
        self._result = self._job(connection)

    def succeed(self) -> None:
        self._future.set_result(self._result)

    def fail(self, error: Exception) -> None:
        self._future.set_exception(error)

    def parts(self) -> Sequence[_Unit]:
        return ()


class _Group:
    """Events that were handed over together, and what became of each."""

    def __init__(self, size: int, future: Future[list[Receipt | Exception]]) -> None:
        self._results: list[Receipt | Exception] = [StoreUnavailable("not stored")] * size
        self._open = size
        self._future = future

    def put(self, place: int, result: Receipt | Exception) -> None:
        self._results[place] = result
        self._open -= 1
        if not self._open:
            self._future.set_result(self._results)


class _Arrival(Struct, frozen=True):
    group: _Group
    place: int
    event: NewEvent


class _Intake:
    def __init__(self, arrivals: list[_Arrival]) -> None:
        self.arrivals = arrivals

    def run(self, connection: Connection) -> None:
        self._receipts = receive(connection, [arrival.event for arrival in self.arrivals])

    def succeed(self) -> None:
        for arrival, receipt in zip(self.arrivals, self._receipts, strict=True):
            arrival.group.put(arrival.place, receipt)

    def fail(self, error: Exception) -> None:
        for arrival in self.arrivals:
            arrival.group.put(arrival.place, error)

    def parts(self) -> Sequence[_Unit]:
        return [_Intake([arrival]) for arrival in self.arrivals] if len(self.arrivals) > 1 else ()


def _uncancellable() -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future
