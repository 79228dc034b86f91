"""Structured logs: JSON for machines, lines with colour for a terminal. Never a body, a signature or a prompt."""

import logging
import sys
from typing import Literal

import structlog

LogFormat = Literal["json", "console"]


def configure(format: LogFormat | None = None, *, level: int = logging.INFO) -> None:
    """Send our log, and the warnings of the libraries, to stderr. `format` None: by whether stderr is a terminal."""
    chosen = format or ("console" if sys.stderr.isatty() else "json")
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)  # the others show local values
        if chosen == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info if chosen == "json" else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s", force=True)


def _keep(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event
