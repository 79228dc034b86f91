"""`POST /webhooks/{source}`: verify, decode, commit, answer. Nothing else happens before Langfuse has its 202.

Most come straight from their connection (`exchange`), the others as to a plain ASGI application that is asked before
Litestar: the way to one of its handlers costs as much as all of our own work. So methods, sizes and errors are handled
here.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from router.domain.source import Source
from router.langfuse.envelope import envelope
from router.langfuse.signature import SignatureRefused, verify_signature
from router.langfuse.wire import Unintelligible
from router.service.intake import Keep
from router.service.metrics import Metrics, Refusal
from router.service.troubles import Troubles
from router.storage.errors import StoreUnavailable
from router.storage.events import NewEvent, Receipt

log = structlog.get_logger("router.intake")

SIGNATURE_HEADER: Final = b"x-langfuse-signature"
_ACCEPTED: Final = HTTPStatus.ACCEPTED.value
RETRY_SECONDS: Final = 1
"""Told with a 503. Langfuse itself tries again after 0.1, 0.2 and 0.4 s: worker/src/queues/webhooks.ts."""


class TooLarge(Exception):
    """The body is larger than `max_body`."""


class Gone(Exception):
    """The client went away before its body was complete: there is nobody to answer."""


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


class Webhooks:
    """Takes webhooks. `sources` returns those in force; `received` is called after each event that is to be routed,
    with it and how long it waits at least for others of its prompt.
    """

    def __init__(
        self,
        keep: Keep,
        sources: Callable[[], Mapping[str, Source]],
        received: Callable[[timedelta, NewEvent], None],
        troubles: Troubles,
        metrics: Metrics,
        max_body: int,
    ) -> None:
        self._keep = keep
        self._sources = sources
        self._received = received
        self._troubles = troubles
        self._metrics = metrics
        self._heard: set[str] = set()
        """The sources that have sent something since the start."""
        self.max_body = max_body

    def source(self, name: str) -> Source | None:
        return self._sources().get(name)

    def take(self, raw: bytes, signature: bytes | None, source: Source, answer: Callable[[Answer], None]) -> None:
        """Call `answer`, once, with what is to be said: when the event is on the disk, or when it is clear that it will
        not be.
        """
        try:
            event = self._verified(raw, signature, source)
            if isinstance(event, Answer):
                answer(event)
            else:
                self._keep(event, lambda kept: answer(self._kept(event, kept, source)))
        except Exception:
            answer(self._fault(source))

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].strip("/").removeprefix("webhooks").strip("/")
        source = self.source(name)
        with contextlib.suppress(Gone):
            await _send(await self._asked(source, scope, receive), send)

    async def _asked(self, source: Source | None, scope: Scope, receive: Receive) -> Answer:
        """Raises Gone."""
        if scope.get("method") != "POST":  # a websocket has none
            self._refused(source, "method")
            return problem(HTTPStatus.METHOD_NOT_ALLOWED, "webhooks are sent with POST", ((b"allow", b"POST"),))
        if source is None:
            self._refused(source, "unknown_source")
            return problem(HTTPStatus.NOT_FOUND, "no source of this name in the rules file")
        try:
            raw = await _body(receive, self.max_body)
        except TooLarge:
            self._refused(source, "too_large")
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {self.max_body:,} bytes")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.take(raw, signature_header(scope["headers"]), source, partial(_settle, answered))
        return await answered

    def _verified(self, raw: bytes, signature: bytes | None, source: Source) -> NewEvent | Answer:
        """Return what to store, or why nothing is."""
        now = datetime.now(UTC)
        try:
            verify_signature(raw, signature, source, now)
        except SignatureRefused as error:
            self._metrics.signature_failures.labels(source.name, error.reason).inc()
            log.warning("signature refused", source=source.name, reason=error.what)
            self._troubles.signature_refused(source.name, error)
            return problem(HTTPStatus.UNAUTHORIZED, f"signature refused: {error.what}")
        self._troubles.signature_verified(source.name)
        return _new_event(raw, source, now)

    def _kept(self, event: NewEvent, kept: Receipt | Exception, source: Source) -> Answer:
        try:
            if isinstance(kept, StoreUnavailable):
                return self._not_stored(event, kept)
            if isinstance(kept, Exception):
                raise kept
            self._tell(event, kept, source)
            return Answer(_ACCEPTED, msgspec.json.encode(kept))
        except Exception:
            return self._fault(source)

    def _tell(self, event: NewEvent, receipt: Receipt, source: Source) -> None:
        self._metrics.of(self._metrics.events, source.name, event.action or "", receipt.status).inc()
        if source.name not in self._heard:
            self._heard.add(source.name)
            log.info("first event since the start", source=source.name, event_id=receipt.id)
        if receipt.status == "quarantined":
            log.warning("event quarantined", source=source.name, event_id=receipt.id, reason=event.reason)
            self._troubles.quarantined(source.name, receipt.id, event.reason)
        elif receipt.status == "accepted":
            log.info("event accepted", source=source.name, event_id=receipt.id, type=event.type, action=event.action)
            self._received(source.settle if event.prompt is not None else timedelta(), event)

    def _not_stored(self, event: NewEvent, error: StoreUnavailable) -> Answer:
        log.warning("an event could not be stored", source=event.source, event_id=event.id, error=str(error))
        self._metrics.refused.labels(event.source, "not_stored").inc()
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the event could not be stored; send it again",
            ((b"retry-after", str(RETRY_SECONDS).encode()),),
        )

    def _fault(self, source: Source) -> Answer:
        """A fault of ours says nothing to whoever asked."""
        log.exception("a webhook failed in the router itself", source=source.name)
        self._refused(source, "fault")
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the router's own; its log says more")

    def _refused(self, source: Source | None, reason: Refusal) -> None:
        # the name that was asked for is anybody's to choose
        self._metrics.refused.labels("" if source is None else source.name, reason).inc()


def signature_header(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the first signature."""
    return next((value for name, value in headers if name == SIGNATURE_HEADER), None)


def _settle(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():  # else whoever asked went away
        answered.set_result(answer)


def _new_event(raw: bytes, source: Source, now: datetime) -> NewEvent:
    """Return what to store: what can be read is waiting, what cannot is quarantined, nothing is refused."""
    try:
        seen = envelope(raw, source.name, now)
    except Unintelligible as error:
        return _quarantined(source.name, error.event_id, error.why, raw, now)
    return NewEvent(
        source=source.name,
        id=seen.id,
        type=seen.type,
        action=seen.action,
        project_id=seen.project_id,
        prompt=seen.prompt,
        received_at=now,
        sent_at=seen.timestamp,
        status="waiting",
        body=raw,
    )


def _quarantined(source: str, id_: str | None, why: str, raw: bytes, now: datetime) -> NewEvent:
    return NewEvent(
        source=source,
        id=id_ or hashlib.sha256(raw).hexdigest(),
        type="",
        received_at=now,
        status="quarantined",
        reason=why,
        body=raw,
    )


async def _body(receive: Receive, most: int) -> bytes:
    """Return the raw body. Raises TooLarge, Gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        assert message["type"] == "http.request"
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise TooLarge
        if not message.get("more_body"):
            return b"".join(parts)


def problem(status: HTTPStatus, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """Return an RFC 9457 answer."""
    return Answer(
        status.value,
        msgspec.json.encode({"status": status.value, "title": status.phrase, "detail": detail}),
        ((b"content-type", b"application/problem+json"), *headers),
    )


async def _send(answer: Answer, send: Send) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]},
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
