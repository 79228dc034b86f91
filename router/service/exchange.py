"""A webhook straight from its connection, and the answer straight to it.

For the same request ASGI takes a task, an event to wait for, six messages and a timer: more time than all of our own
work. What is not of the usual kind (`usual`) still goes that way.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from router.domain.source import Source
from router.service.webhook import Answer, Webhooks, signature_header

SMALL_BODY: Final = 64 * 1024
"""Bytes of a body that are always taken."""

_PATH: Final = b"/webhooks/"


class Exchange(RequestResponseCycle):
    """To uvicorn's protocol it is a request under way like any other."""

    message_event = asyncio.Event()  # uvicorn sets it; nobody waits for it

    def __init__(self, connection: HttpToolsProtocol, source: Source, signature: bytes | None) -> None:
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False
        self.source = source
        self.signature = signature
        self._connection = connection
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self._parts.append(part)

    def give(self, webhooks: Webhooks) -> None:
        """The body is complete."""
        webhooks.take(b"".join(self._parts), self.signature, self.source, self._answer)

    def _answer(self, answer: Answer) -> None:
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        connection = self._connection
        # a server that is about to end tells everybody, by a header that all answers have
        last = not self.keep_alive or bool(connection.server_state.default_headers)
        connection.transport.write(written(answer, last=last))
        if last:
            connection.transport.close()
        connection.on_response_complete()


def usual(connection: HttpToolsProtocol, webhooks: Webhooks) -> Exchange | None:
    """Return the exchange if the head that has come is that of a webhook as Langfuse sends them: nothing waits before
    it on the connection, its source is known, its body has a length and is small.
    """
    parser = connection.parser
    if not connection.url.startswith(_PATH) or parser.get_method() != b"POST":
        return None
    source = webhooks.source(connection.url[len(_PATH) :].decode("latin-1"))
    if (
        source is None
        or connection.expect_100_continue
        or (connection.cycle is not None and not connection.cycle.response_complete)
        or connection.flow.write_paused
        or not parser.should_keep_alive()
        or parser.should_upgrade()
        or parser.get_http_version() != "1.1"
        or _length(connection.headers) > min(SMALL_BODY, webhooks.max_body)
    ):
        return None
    return Exchange(connection, source, signature_header(connection.headers))


def _length(headers: list[tuple[bytes, bytes]]) -> float:
    """Return how long the body will be, infinity if the head does not say. The parser knows that it is a number."""
    return next((int(value) for name, value in headers if name == b"content-length"), float("inf"))


def written(answer: Answer, *, last: bool) -> bytes:
    """Return an answer as it is sent; `last`: on this connection."""
    ending = ((b"content-length", b"%d" % len(answer.body)), *(((b"connection", b"close"),) if last else ()))
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in (*answer.headers, *ending)])
    return STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body
