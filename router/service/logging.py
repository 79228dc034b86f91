"""Structured logs: JSON for machines, lines with colour for a terminal. Never a body, a signature or a prompt."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Literal

import msgspec
import structlog

LogFormat = Literal["json", "console"]


def configure(
    format: LogFormat | None = None,
    *,
    level: int = logging.INFO,
    also: Sequence[structlog.typing.Processor] = (),
) -> None:
    """Send our log, and the warnings of the libraries, to stderr. `format` None: by whether stderr is a terminal.

    `also`: what else lines are given.
    """
    chosen = format or ("console" if sys.stderr.isatty() else "json")
    traceback = structlog.dev.plain_traceback  # the others show local values
    processors: dict[LogFormat, list[structlog.typing.Processor]] = {
        "console": [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *also,
            structlog.dev.ConsoleRenderer(exception_formatter=traceback),
        ],
        "json": [structlog.processors.add_log_level, _time, *also, structlog.processors.format_exc_info, _json],
    }
    lines = _Lines(sys.stderr.buffer)
    factories: dict[LogFormat, Callable[..., structlog.typing.WrappedLogger]] = {
        "console": structlog.WriteLoggerFactory(file=sys.stderr),
        "json": lambda *_: lines,
    }
    structlog.configure(
        processors=processors[chosen],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factories[chosen],
        cache_logger_on_first_use=True,  # intake logs a line for each event
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s", force=True)


class _Lines:
    """Writes lines, those of one turn of the event loop together: intake logs one for each event, and every write is a
    moment in which another thread takes the interpreter.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._written_by: asyncio.AbstractEventLoop | None = None
        """The loop that will write what waits."""

    def msg(self, line: bytes) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or nothing runs
            self._write([line])
            return
        self._waiting.append(line)
        if self._written_by is not loop:
            self._written_by = loop
            loop.call_soon(self._write_waiting)

    debug = info = warning = error = critical = exception = msg

    def _write_waiting(self) -> None:
        waiting, self._waiting, self._written_by = self._waiting, [], None
        self._write(waiting)

    def _write(self, lines: list[bytes]) -> None:
        self._file.write(b"".join([line + b"\n" for line in lines]))
        self._file.flush()


def _time(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say when: msgspec writes it as it is, in a tenth of the time that structlog's own stamp takes."""
    event["timestamp"] = datetime.now(UTC)
    return event


def _json(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    """Return the line. Lone surrogates, which a hostile name may hold, are no text for msgspec."""
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except UnicodeEncodeError:
        event["timestamp"] = event["timestamp"].isoformat()
        return json.dumps(event, default=repr).encode()
