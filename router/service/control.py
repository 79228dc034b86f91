"""The control socket: beside a SQLite store, commands ask the service that has it open.

One JSON object a line. Asked is `{"command": "reload"}` or `{"command": "reconcile", "source": NAME or null}`;
answered are any number of `{"progress": [DONE, OF]}`, then `{"result": …}` or `{"error": TEXT}`.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
import structlog
from msgspec import Struct

from router.domain.json import Json
from router.domain.problem import RouterError
from router.engine.rulesfile.spec import Server
from router.service.baseline import Progress
from router.storage.database import sqlite_file

log = structlog.get_logger("router.control")

LONGEST_PATH: Final = 100
"""Bytes of a socket's path; systems take 104 to 108."""

SECONDS: Final = 10.0
"""For a question to arrive whole."""


_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- to be asked, not listened on


class Question(Struct, frozen=True):
    command: Literal["reload", "reconcile"]
    source: str | None = None


class _Line(Struct, frozen=True, omit_defaults=True):
    progress: tuple[int, int] | None = None
    result: Json = None
    error: str | None = None


Answer: TypeAlias = Callable[[Question, Progress], Awaitable[Json]]
"""What answers a question; RouterError is told to whoever asked."""


class NobodyThere(RouterError):
    """No service listens on this socket."""


def socket_beside(store_url: str) -> Path | None:
    """Return the control socket's path for that store; None: there can be none."""
    file = sqlite_file(store_url)
    if file is None:
        return None
    path = Path(f"{file.resolve()}.sock")
    return path if len(os.fsencode(path)) <= LONGEST_PATH else None


def address_of(server: Server) -> tuple[str, int]:
    """Return the host and port at which the service of this `[server]` answers those who look after it."""
    return _ANY.get(server.host, server.host), server.port if server.admin_port is None else server.admin_port


# ---- the service's side


@contextlib.asynccontextmanager
async def listening(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer questions while the block runs. Only the user whom the service runs as can ask."""
    try:
        listener = _bound(path)
    except OSError as error:
        log.warning("there is no control socket", path=str(path), error=str(error))
        yield
        return
    server = await asyncio.start_unix_server(lambda reader, writer: _serve(reader, writer, answer), sock=listener)
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _bound(path: Path) -> socket.socket:
    """Return a socket at `path`, on which nobody listens yet."""
    _remove(path)  # whoever had the store before us ended without doing so
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    def say(line: _Line) -> None:
        if not writer.is_closing():
            writer.write(msgspec.json.encode(line) + b"\n")

    try:
        async with asyncio.timeout(SECONDS):
            question = msgspec.json.decode(await reader.readline(), type=Question)
        result = await answer(question, lambda done, of: say(_Line(progress=(done, of))))
        say(_Line(result=result))
    except RouterError as error:
        say(_Line(error=str(error)))
    except (TimeoutError, msgspec.DecodeError, ValueError):
        say(_Line(error="not a question that the control socket understands"))
    except ConnectionError:
        return
    except Exception as error:
        log.exception("a question could not be answered")
        say(_Line(error=f"failed in the router itself: {type(error).__name__}"))
    finally:
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


# ---- the command's side


def ask(path: Path, question: Question, progress: Progress = lambda _done, _of: None) -> Json:
    """Return what the service answers, however long it takes. Raises NobodyThere, or the RouterError that it tells."""
    for line in _asked(path, question):
        if line.progress is not None:
            progress(*line.progress)
        elif line.error is not None:
            raise RouterError(line.error)
        else:
            return line.result
    raise RouterError("the service ended before it answered")


def connected_to(path: Path) -> socket.socket:
    """Return a connection to the service. Raises NobodyThere."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        why = "is `serve` running?" if isinstance(error, FileNotFoundError | ConnectionRefusedError) else error.strerror
        raise NobodyThere(f"no service listens on {path}: {why}") from error
    return connection


def _asked(path: Path, question: Question) -> Iterator[_Line]:
    with connected_to(path) as connection:
        connection.sendall(msgspec.json.encode(question) + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line, type=_Line)
