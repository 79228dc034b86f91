"""OpenTelemetry: one trace from the webhook to every attempt at its deliveries.

The one module that knows the SDK, which is an extra: it is imported only if the environment asks for traces. A span's
context is stored with the event and with the delivery, as the text of W3C's `traceparent` header, so that whoever goes
on with it, hours later or on another machine, continues the trace.

Spans hold ids, names of the rules file and words of our own: nothing of a body, no address, no answer.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from importlib.metadata import entry_points, version
from typing import Final

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec.structs import replace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from router.delivery.outcome import reason_word
from router.delivery.worker import Ended
from router.domain.delivery import Accepted, Claim
from router.domain.event import Event
from router.domain.problem import RouterError
from router.domain.routing import Routing
from router.engine.plan import MOST_LINKS
from router.service.intake import Answered, Keep
from router.storage.events import NewEvent, Receipt

LAST_SPANS: Final = 2.0
"""Seconds in which a collector may still take what it was not yet sent, when the service ends."""

LONGEST: Final = 200
"""Characters of a value; ids and names are Langfuse's, or whoever's has the secret."""

# it quotes headers that it cannot read, and they are keys of collectors
logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)

_W3C: Final = TraceContextTextMapPropagator()


class NoExporter(RouterError):
    """Nobody here can send spans in the way that is asked for."""


class Tracing:
    """Makes spans, and sends them from a thread of its own, as the variables `OTEL_…` of the environment say."""

    def __init__(self) -> None:
        """Raises NoExporter."""
        exporters = [_exporter(name.strip()) for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")]
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        release = version("langfuse-router")
        resource = Resource.create(
            {"service.version": release} | ({} if named else {"service.name": "langfuse-router"}),
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter()))
        self._tracer = self._provider.get_tracer("langfuse-router", release)
        self._routing: dict[int, tuple[Span, Event]] = {}
        """What is being routed, by its number in the store."""

    def close(self) -> None:
        """Send what is left, for a moment: a collector that hangs must not hold up the end."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(LAST_SPANS)

    def trace_id(self, _logger: object, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """A processor of log lines: says which trace a line belongs to."""
        context = get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = format_trace_id(context.trace_id)
        return line

    # ---- receiving

    def received(self, webhook: ASGIApp) -> ASGIApp:
        """Return the application with a span around each request; it continues the caller's trace, if there is one."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            span = self._tracer.start_span(
                "POST /webhooks/{source}",
                _context(_header(scope, b"traceparent")),
                SpanKind.SERVER,
                {"http.request.method": "POST", "http.route": "/webhooks/{source}"},
            )

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            with _current(span):
                await webhook(scope, receive, answer)

        async def only_post(scope: Scope, receive: Receive, send: Send) -> None:
            await (app if scope.get("method") == "POST" else webhook)(scope, receive, send)

        return only_post

    def stored(self, keep: Keep) -> Keep:
        """Return what stores an event, and with it where its trace goes on."""

        def traced(event: NewEvent, answer: Answered) -> None:
            webhook = get_current_span()
            webhook.set_attributes({"langfuse_router.source": event.source, **_event_id(event.id)})
            commit = self._tracer.start_span("commit")

            def kept(result: Receipt | Exception) -> None:
                commit.end()
                if isinstance(result, Receipt):
                    webhook.set_attributes({"langfuse_router.status": result.status, **_event_id(result.id)})
                answer(result)

            context = copy_context()  # what is logged about the event belongs to the trace, too
            keep(replace(event, trace=_traceparent(webhook)), lambda result: context.run(kept, result))

        return traced

    # ---- routing

    def routing(self, events: dict[int, Event]) -> dict[int, Event]:
        """Begin to route a batch. Each event continues its own trace and names those of the others."""
        parents = {seq: _context(event.trace) for seq, event in events.items()}
        known = {seq: get_current_span(parent).get_span_context() for seq, parent in parents.items()}
        linked = {seq: Link(context) for seq, context in known.items() if context.is_valid}
        traced: dict[int, Event] = {}
        for seq, event in events.items():
            about = {"langfuse_router.source": event.source, **_event_id(event.id)}
            if event.prompt is not None:
                about["langfuse_router.prompt"] = _word(event.prompt.name)
            # one more than are wanted: its own is among them
            links = [link for other, link in list(linked.items())[: MOST_LINKS + 1] if other != seq]
            span = self._tracer.start_span("route", parents[seq], attributes=about, links=links[:MOST_LINKS])
            self._routing[seq] = (span, event)
            traced[seq] = replace(event, trace=_traceparent(span))
        return traced

    def routed(self, routings: Iterable[Routing]) -> None:
        """Those routings are stored; whatever else was begun did not come to an end here."""
        begun, self._routing = self._routing, {}
        for routing in routings:
            changes: dict[tuple[str, str], list[str]] = {}
            for change in routing.changes:
                changes.setdefault((change.event.source, change.event.id), []).append(change.id)
            rules: dict[str, list[str]] = {}
            for firing in routing.firings:
                for change_id in firing.changes:
                    rules.setdefault(change_id, []).append(firing.rule)
            for settled in routing.events:
                span, event = begun[settled.seq]
                made = changes.get((event.source, event.id), [])
                fired = dict.fromkeys(rule for change_id in made for rule in rules.get(change_id, []))
                span.set_attributes(
                    {
                        "langfuse_router.status": settled.status,
                        "langfuse_router.change_ids": made,
                        "langfuse_router.rules": list(fired),
                    }
                )
                span.end()

    # ---- delivering

    @contextmanager
    def attempt(self, claim: Claim) -> Iterator[None]:
        """A span for an attempt at a delivery, and for storing how it ended."""
        about: dict[str, str | int] = {
            "langfuse_router.delivery_id": claim.key,
            "langfuse_router.rule": claim.rule,
            "langfuse_router.destination": claim.destination,
            "langfuse_router.destination_type": claim.type,
            "langfuse_router.attempt": claim.attempt,
        }
        trace = claim.trace
        if trace is not None:
            about |= {"langfuse_router.change_id": trace.change, **_event_id(trace.event)}
        span = self._tracer.start_span(
            "deliver",
            _context(None if trace is None else trace.parent),
            SpanKind.CLIENT,
            about,
            [Link(get_current_span(_context(other)).get_span_context()) for other in (trace.links if trace else ())],
        )
        with _current(span):
            yield

    def ended(self, ended: Ended) -> None:
        """The attempt that the current span is about ended."""
        span, answer = get_current_span(), ended.answer
        span.set_attribute("langfuse_router.outcome", type(answer.outcome).__name__.lower())
        span.set_attribute("langfuse_router.state", ended.following.status)
        if answer.status is not None:
            span.set_attribute("http.response.status_code", answer.status)
        if not isinstance(answer.outcome, Accepted):
            span.set_attribute("error.type", reason_word(answer))
            span.set_status(Status(StatusCode.ERROR))

    def headers(self) -> Mapping[str, str]:
        """Return what a request of the current span carries, so that the receiver can go on with the trace."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier


def _exporter(name: str) -> Callable[[], SpanExporter]:
    """Return what makes the exporter that `OTEL_TRACES_EXPORTER` calls so. Raises NoExporter."""
    if name == "otlp":
        protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        exporter: Callable[[], SpanExporter] = found.load()
        return exporter
    raise NoExporter(f"no exporter {name} is installed")


def _current(span: Span) -> AbstractContextManager[Span]:
    """Let a span be the current one, and end with the block. What an exception says stays out of it."""
    return use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)


def _context(traceparent: str | None) -> Context:
    """Return the context that a `traceparent` names; an empty one, which begins a new trace, if it names none."""
    return _W3C.extract({"traceparent": traceparent or ""}, Context())


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, set_span_in_context(span, Context()))
    return carrier["traceparent"]


def _header(scope: Scope, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def _event_id(id_: str) -> dict[str, str]:
    return {"langfuse_router.event_id": _word(id_)}


def _word(value: str) -> str:
    """Return a value as a collector takes it: one lone surrogate, and the whole batch of spans would be lost."""
    return value[:LONGEST].encode(errors="replace").decode()
