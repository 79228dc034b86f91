"""Structured logs: JSON for machines, lines with colour for a terminal. Never a body, a signature or a prompt."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Literal

import msgspec
import structlog

LogFormat = Literal["json", "console"]


def configure(format: LogFormat | None = None, *, level: int = logging.INFO) -> None:
    """Send our log, and the warnings of the libraries, to stderr. `format` None: by whether stderr is a terminal."""
    chosen = format or ("console" if sys.stderr.isatty() else "json")
    common = (structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"))
    traceback = structlog.dev.plain_traceback  # the others show local values
    processors: dict[LogFormat, list[structlog.typing.Processor]] = {
        "console": [*common, structlog.dev.ConsoleRenderer(exception_formatter=traceback)],
        "json": [*common, structlog.processors.format_exc_info, _json],
    }
    factories: dict[LogFormat, Callable[..., structlog.typing.WrappedLogger]] = {
        "console": structlog.WriteLoggerFactory(file=sys.stderr),
        "json": structlog.BytesLoggerFactory(file=sys.stderr.buffer),
    }
    structlog.configure(
        processors=processors[chosen],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factories[chosen],
        cache_logger_on_first_use=True,  # intake logs a line for each event
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s", force=True)


def _json(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    """Return the line. Lone surrogates, which a hostile name may hold, are no text for msgspec."""
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except UnicodeEncodeError:
        return json.dumps(event, default=repr).encode()
