"""`POST /webhooks/{source}`: verify, decode, commit, answer. Nothing else happens before Langfuse has its 202.

A plain ASGI application that is asked before Litestar: the way to one of its handlers costs as much as all of our own
work. So methods, sizes and errors are handled here.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from router.domain.source import Source
from router.langfuse.envelope import envelope
from router.langfuse.signature import SignatureRefused, verify_signature
from router.langfuse.wire import Unintelligible
from router.service.intake import bare
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


def webhook(
    store: Callable[[NewEvent], Awaitable[Receipt]],
    sources: Callable[[], dict[str, Source]],
    received: Callable[[timedelta], None],
    troubles: Troubles,
    metrics: Metrics,
    max_body: int,
) -> ASGIApp:
    """Return the ASGI application. `store` returns when an event is on the disk. `received` is called after each event
    that is to be routed, with how long it waits at least for others of its prompt.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].strip("/").removeprefix("webhooks").strip("/")
        source = sources().get(name)
        try:
            answer = await handle(source, scope, receive)
        except Gone:
            return
        except Exception:
            # a fault of ours says nothing to whoever asked
            log.exception("a webhook failed in the router itself", source=name)
            refused(source, "fault")
            answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the router's own; its log says more")
        await _send(answer, send)

    def refused(source: Source | None, reason: Refusal) -> None:
        # the name that was asked for is anybody's to choose
        metrics.refused.labels("" if source is None else source.name, reason).inc()

    async def handle(source: Source | None, scope: Scope, receive: Receive) -> Answer:
        if scope.get("method") != "POST":  # a websocket has none
            refused(source, "method")
            return problem(HTTPStatus.METHOD_NOT_ALLOWED, "webhooks are sent with POST", ((b"allow", b"POST"),))
        if source is None:
            refused(source, "unknown_source")
            return problem(HTTPStatus.NOT_FOUND, "no source of this name in the rules file")
        try:
            raw = await _body(receive, max_body)
        except TooLarge:
            refused(source, "too_large")
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {max_body:,} bytes")
        now = datetime.now(UTC)
        try:
            verify_signature(raw, _header(scope, SIGNATURE_HEADER), source, now)
        except SignatureRefused as error:
            metrics.signature_failures.labels(source.name, error.reason).inc()
            log.warning("signature refused", source=source.name, reason=error.what)
            troubles.signature_refused(source.name, error)
            return problem(HTTPStatus.UNAUTHORIZED, f"signature refused: {error.what}")
        troubles.signature_verified(source.name)
        return await keep(raw, source, now)

    async def keep(raw: bytes, source: Source, now: datetime) -> Answer:
        event = _new_event(raw, source, now)
        try:
            receipt = await store_it(event)
        except StoreUnavailable as error:
            log.warning("an event could not be stored", source=source.name, event_id=event.id, error=str(error))
            refused(source, "not_stored")
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the event could not be stored; send it again",
                ((b"retry-after", str(RETRY_SECONDS).encode()),),
            )
        metrics.events.labels(source.name, event.action or "", receipt.status).inc()
        if receipt.status == "quarantined":
            log.warning("event quarantined", source=source.name, event_id=receipt.id, reason=event.reason)
            troubles.quarantined(source.name, receipt.id, event.reason)
        elif receipt.status == "accepted":
            log.info("event accepted", source=source.name, event_id=receipt.id, type=event.type, action=event.action)
            received(source.settle if event.prompt is not None else timedelta())
        return _accepted(receipt)

    async def store_it(event: NewEvent) -> Receipt:
        try:
            return await store(event)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("an event cannot be stored as it is", source=event.source, event_id=event.id)
            return await store(bare(event, error))

    return app


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


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    """Return the first header of that name."""
    for name, value in scope["headers"]:
        if name == wanted:
            return value
    return None


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


def _accepted(receipt: Receipt) -> Answer:
    return Answer(_ACCEPTED, msgspec.json.encode(receipt))


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
