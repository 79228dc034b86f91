"""What one connection may cost: bytes beside bodies, time, memory. Whoever asks for more is told, or hung up on.

uvicorn has none of these limits when it parses with httptools: one endless header took the whole processor, who never
finished a request or never read an answer was waited for without end, and one packet of requests in a row was kept as
thousands of them.

A connection only notes what it is about; once a second `Connections.look` decides who has to go. That costs a request
less than timers would.
"""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import ClassVar, Final, Literal, TypeAlias, cast

import httptools
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.service.exchange import SMALL_BODY, Exchange, usual, written
from router.service.gathered import Gathered
from router.service.webhook import RETRY_SECONDS, Webhooks, problem

MOST_BESIDE_BODY: Final = 64 * 1024
"""Bytes of a request line, headers, trailers and what frames chunks. Proxies and browsers take less."""

MOST_AHEAD: Final = 16
"""Requests on one connection that may wait for the answer before theirs. Hardly any client sends ahead at all."""

READ_AT_LEAST: Final = 32 * 1024
"""Bytes of an answer that have to be read within `Limits.answer`."""

Phase: TypeAlias = Literal["idle", "head", "body", "answer"]
Cause: TypeAlias = Literal[Phase, "crowd", "memory"]
"""Why a connection was given up: too slow in one of its phases, or one of too many, or too much of a body."""


class Limits(Struct, frozen=True, kw_only=True):
    """Times in seconds. `head`: for the headers of a request, from the beginning of the connection, the last answer or
    their first byte; `body`: for its body, from then on; `answer`: for reading `READ_AT_LEAST` bytes of what is
    answered. `connections`: open at a time; `bodies`: bytes of bodies at a time, the first `SMALL_BODY` of each free.
    """

    head: float = 10
    body: float = 30
    answer: float = 30
    connections: int
    bodies: int


def most_connections(descriptors: int) -> int:
    """Return how many connections there may be where a process may open so many files: store, destinations and rules
    want some as well.
    """
    return min(16_384, max(descriptors // 2, descriptors - 512))


class Connections:
    """What the connections of one server have in common. `ended` is told of each that is given up, and why."""

    def __init__(self, limits: Limits, ended: Callable[[Cause], None]) -> None:
        self.limits = limits
        self.ended = ended
        self.webhooks: Webhooks | None = None
        """Who gets usual webhooks at once, and not by way of the application."""
        self.bodies = 0
        self.leaving: set[Connection] = set()

    def protocol(self) -> type["Connection"]:
        """Return what uvicorn makes one of for each connection."""
        return type("Connection", (Connection,), {"shared": self})

    def look(self, connections: Iterable["Connection"], now: float) -> None:
        """Give up those that take too long. `now` is the event loop's time."""
        for connection in tuple(connections):
            connection.look(now)

    def give_up(self, connections: Iterable["Connection"]) -> None:
        """Give up all that are still waited for: there is no time left."""
        for connection in tuple(connections):
            if connection.is_waited_for:
                connection.transport.abort()

    def make_room(self, connections: set["Connection"]) -> None:
        """If there are too many, give up those that we have waited for longest. Who waits for us stays."""
        excess = len(connections) - len(self.leaving) - self.limits.connections
        if excess > 0:
            waited_for = sorted((one for one in connections if one.is_waited_for), key=lambda one: one.since)
            # some more, so that a crowd is not sorted again for every newcomer
            for one in waited_for[: excess + self.limits.connections // 20]:
                self.leaving.add(one)
                one.give_up("crowd")


class Connection(HttpToolsProtocol):
    """`phase`, entered at `since`, is what we wait for: a request, its head, its body; or the client waits for us."""

    shared: ClassVar[Connections]
    phase: Phase = "idle"
    since = 0.0
    _beside_body = 0
    _body = 0
    _shared_body = 0
    _unread = 0
    _read_by: float | None = None

    # ---- what it is about

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, Gathered(cast(asyncio.Transport, transport))))
        self._enter("idle")
        self.shared.make_room(cast("set[Connection]", self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go_of_body()
        self.shared.leaving.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MOST_BESIDE_BODY and not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, f"more than {MOST_BESIDE_BODY:,} bytes of headers")

    def on_message_begin(self) -> None:
        self._enter("head")
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._enter("body")
        webhooks = self.shared.webhooks
        if webhooks is not None and (exchange := usual(self, webhooks)):
            self.cycle = exchange
            return
        super().on_headers_complete()
        if len(self.pipeline) > MOST_AHEAD:
            raise httptools.HttpParserError("too many requests in a row")

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        if isinstance(self.cycle, Exchange):
            self.cycle.add(body)
            return
        super().on_body(body)
        self._body += len(body)
        if self._body > SMALL_BODY and not self.cycle.response_complete:
            self._shared_body += len(body)
            self.shared.bodies += len(body)
            if self.shared.bodies > self.shared.limits.bodies and not self.transport.is_closing():
                self.shared.ended("memory")
                self._refuse(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "too many large bodies at a time; send it again",
                    ((b"retry-after", b"%d" % RETRY_SECONDS),),
                )

    def on_message_complete(self) -> None:
        self._beside_body = self._body = 0
        if isinstance(self.cycle, Exchange):
            assert self.shared.webhooks is not None
            self._enter("answer")
            self.cycle.give(self.shared.webhooks)
            return
        self._enter("idle" if self.cycle.response_complete else "answer")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._let_go_of_body()
        super().on_response_complete()
        if self.phase == "answer" and self.cycle.response_complete:
            self._enter("idle")

    def resume_writing(self) -> None:
        self._read_by = None  # nearly all was read; what is written from now on has its own time
        super().resume_writing()

    def _let_go_of_body(self) -> None:
        self.shared.bodies -= self._shared_body
        self._shared_body = 0

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who wants another protocol gets this one, and uvicorn's advice would be the wrong one."""

    @property
    def is_waited_for(self) -> bool:
        """Whether it is the client's turn."""
        return self.phase != "answer" and not self.transport.is_closing()

    # ---- how it ends

    def look(self, now: float) -> None:
        """Give the client up if it takes longer than it may. `now` is the event loop's time."""
        if self._is_unread(now):
            self.give_up("answer")
        elif self._is_slow(now):
            if self.phase == "idle":
                self.give_up("idle")
            else:
                self.shared.ended(self.phase)
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to come")

    def _is_slow(self, now: float) -> bool:
        """Whether what we wait for should be there by now."""
        limits = self.shared.limits
        return self.is_waited_for and now - self.since > (limits.body if self.phase == "body" else limits.head)

    def _is_unread(self, now: float) -> bool:
        """Whether too little of what is answered was read in the time for it."""
        unread = self.transport.get_write_buffer_size()
        if not unread:
            self._read_by = None
        elif self._read_by is None or now > self._read_by:
            if self._read_by is not None and unread > max(0, self._unread - READ_AT_LEAST):
                return True
            self._unread, self._read_by = unread, now + self.shared.limits.answer
        return False

    def give_up(self, cause: Cause) -> None:
        """Hang up without a word."""
        self.shared.ended(cause)
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer and hang up; only hang up where an answer would get into, or after, another one."""
        cycle = self.cycle  # of this request if its head is complete, else of the one before
        if self.pipeline or (
            cycle is not None and (cycle.response_started if self.phase == "body" else not cycle.response_complete)
        ):
            self.transport.abort()
            return
        self.transport.write(written(problem(status, detail, headers), last=True))
        self.transport.close()
