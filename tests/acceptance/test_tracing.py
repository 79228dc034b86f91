"""One trace from the webhook to the delivery: a real service, and a collector that speaks OTLP."""

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from router.cli.serve import tracing_of
from router.langfuse.signature import sign
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import SECRET, RunningRouter, eventually
from tests.acceptance.test_intake import body

THEIRS: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CANARY: Final = "canary-7f3a"
PAGE: Final = (Path(__file__).parents[2] / "docs/reference/tracing.md").read_text()


class Span(msgspec.Struct, frozen=True):
    """A span as a collector got it."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Any]
    is_error: bool

    def __getitem__(self, key: str) -> Any:
        return self.attributes.get(key, self.attributes.get(f"langfuse_router.{key}"))


class Collector(Receiver):
    """Takes OTLP over HTTP."""

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def spans(self, name: str = "", **attributes: object) -> list[Span]:
        """Return those of that name with all those attributes, in the order in which they began."""
        found = []
        for arrived in list(self.arrived):
            assert arrived.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(arrived.body).resource_spans:
                (service,) = (
                    one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
                )
                found += [
                    (span.start_time_unix_nano, _span(span, service))
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
        in_order = [span for _, span in sorted(found, key=lambda one: one[0])]
        return [
            span
            for span in in_order
            if span.name.startswith(name) and all(span[key] == value for key, value in attributes.items())
        ]


def _span(span: Any, service: str) -> Span:
    return Span(
        service=service,
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(f"{link.trace_id.hex()}/{link.span_id.hex()}" for link in span.links),
        attributes={one.key: _value(one.value) for one in span.attributes},
        is_error=span.status.code == 2,
    )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def rules(target: Receiver, more: str = "") -> str:
    return f"""
[sources.prod]
secret = "${{LANGFUSE_WEBHOOK_SECRET}}"
settle = "300ms"
[destinations.api]
type = "http"
url = "{target.url}/hook?key=${{KEY}}"
allow_private = true
retry = ["200ms", "300ms", "1s"]
[[rules]]
name = "promoted"
match = {{ labels_gained = "production" }}
actions = [{{ to = "api" }}]
{more}"""


def documented(heading: str) -> set[str]:
    """Return what the table under that heading is about."""
    return set(re.findall(r"(?m)^\| `(.+?)` \|", PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]))


@contextmanager
def traced(folder: Path, collector: Collector, text: str, **more: str) -> Iterator[RunningRouter]:
    with RunningRouter(folder, text, env={**collector.environment, "KEY": CANARY, **more}) as router:
        yield router


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    with running:
        yield running


@pytest.fixture
def target() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def promoted(id: str, name: str = "p") -> dict[str, object]:
    event: dict[str, Any] = body(id, {"id": f"v-{id}", "name": name, "labels": ["production"]})
    event["prompt"] |= {"prompt": f"{CANARY} text", "commitMessage": f"{CANARY} message"}
    return event


def test_one_trace_leads_from_the_webhook_to_the_delivery(
    tmp_path: Path, collector: Collector, target: Receiver
) -> None:
    target.replies = [Reply(status=503, body=CANARY.encode())]
    with traced(tmp_path, collector, rules(target)) as router:
        raw = msgspec.json.encode(promoted("e1"))
        headers = {
            "x-langfuse-signature": sign(raw, SECRET, datetime.now(UTC)),
            "traceparent": f"00-{THEIRS}-00f067aa0ba902b7-01",
        }
        assert router.client.post(f"{router.url}/webhooks/prod", content=raw, headers=headers).status_code == 202
        first, second = eventually(lambda: (two := collector.spans("deliver"))[1:] and two, "both attempts are told")
        assert router.stop() == 0
        lines = [json.loads(line) for line in router.logged("event accepted") + router.logged("attempt ended")]
        (delivery,) = router.deliveries()
    (webhook,), (commit,), (route,) = (collector.spans(name) for name in ("POST", "commit", "route"))
    assert {span.trace for span in collector.spans()} == {THEIRS}
    assert {span.service for span in collector.spans()} == {"langfuse-router"}
    assert (webhook.name, webhook.kind, webhook.parent) == ("POST /webhooks/{source}", 2, "00f067aa0ba902b7")
    assert (webhook["http.response.status_code"], webhook["status"]) == (202, "accepted")
    assert [commit.parent, route.parent] == [webhook.id, webhook.id]
    assert [first.parent, second.parent] == [route.id, route.id]
    assert {span["event_id"] for span in (webhook, route, first, second)} == {"e1"}
    assert (route["status"], route["rules"]) == ("routed", ["promoted"])
    for number, attempt in enumerate((first, second), start=1):
        assert (attempt.kind, attempt["attempt"], attempt["rule"]) == (3, number, "promoted")
        assert (attempt["delivery_id"], attempt["destination"]) == (delivery.key, "api")
        assert attempt["change_id"] in route["change_ids"]
    assert (first["outcome"], first["http.response.status_code"], first["error.type"]) == ("retry", 503, "503")
    assert (second["outcome"], second["state"], second["http.response.status_code"]) == ("accepted", "delivered", 200)
    assert [first.is_error, second.is_error] == [True, False]
    sent = [arrived.headers["traceparent"] for arrived in target.arrived]
    assert sent == [f"00-{THEIRS}-{span.id}-01" for span in (first, second)]
    assert [line["trace_id"] for line in lines] == [THEIRS] * 3
    assert {name for span in collector.spans() for name in span.attributes} == documented("Attributes")
    assert {span.name for span in collector.spans()} == documented("Spans")
    assert not [arrived for arrived in collector.arrived if CANARY.encode() in arrived.body or b"whsec" in arrived.body]


def test_a_trace_goes_on_after_a_restart(tmp_path: Path, collector: Collector, target: Receiver) -> None:
    target.replies = [Reply(status=503, headers={"retry-after": "2"})]
    with traced(tmp_path, collector, rules(target)) as router:
        assert router.post(promoted("e1")).status_code == 202
        (first,) = eventually(lambda: collector.spans("deliver"), "the first attempt is told")
        router.kill()
        assert len(target.arrived) == 1
        router.start()
        (second,) = eventually(lambda: collector.spans("deliver", attempt=2), "the second attempt is told")
    (route,) = collector.spans("route")
    assert (second.trace, second.parent) == (first.trace, first.parent) == (route.trace, route.id)
    assert second["state"] == "delivered"


def test_events_that_are_routed_together_name_each_other(
    tmp_path: Path, collector: Collector, target: Receiver
) -> None:
    digest = '[[rules]]\nname = "digest"\ncollect = "500ms"\nactions = [{ to = "api" }]\n'
    text = rules(target, digest).replace('settle = "300ms"', 'settle = "2s"')
    with traced(tmp_path, collector, text) as router:
        first = promoted("e1")
        lost: dict[str, Any] = body("e2", {"id": "v0", "name": "p", "version": 1, "labels": []})
        first["prompt"] |= {"version": 2}  # type: ignore[operator]
        for event in (first, lost):
            assert router.post(event).status_code == 202
        routes = eventually(lambda: (two := collector.spans("route"))[1:] and two, "both are routed")
        attempts = eventually(lambda: (two := collector.spans("deliver"))[1:] and two, "both rules told it")
    webhooks = {span["event_id"]: span for span in collector.spans("POST")}
    of = {span["event_id"]: span for span in routes}
    for mine, other in (("e1", "e2"), ("e2", "e1")):
        assert (of[mine].trace, of[mine].parent) == (webhooks[mine].trace, webhooks[mine].id)
        assert of[mine].links == (f"{webhooks[other].trace}/{webhooks[other].id}",)
    at_once, collected = attempts
    assert (at_once["rule"], at_once.trace, at_once.parent) == ("promoted", of["e1"].trace, of["e1"].id)
    # what was held is told in the trace of the last event of which it tells
    assert (collected["rule"], collected.parent) == ("digest", webhooks[collected["event_id"]].id)


def test_what_is_not_sampled_is_delivered_all_the_same(tmp_path: Path, collector: Collector, target: Receiver) -> None:
    with traced(tmp_path, collector, rules(target), OTEL_TRACES_SAMPLER="parentbased_always_off") as router:
        assert router.post(promoted("e1")).status_code == 202
        eventually(lambda: target.arrived, "it is delivered")
        assert router.stop() == 0
    assert int(target.arrived[0].headers["traceparent"][-2:], 16) & 1 == 0
    assert collector.arrived == []


def test_a_collector_that_hangs_holds_nothing_up(tmp_path: Path, target: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as hanging:
        endpoint = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        }
        with RunningRouter(tmp_path, rules(target), env={"KEY": CANARY, **more}) as router:
            for number in range(10):
                assert router.post(promoted(f"e{number}", f"p{number}")).status_code == 202
            eventually(lambda: len(target.arrived) == 10, "all are delivered")
            began = time.monotonic()
            assert router.stop() == 0
            assert time.monotonic() - began < 6
            assert len(router.logged("Queue full")) <= 2


def test_a_name_that_is_no_text_loses_no_span(tmp_path: Path, collector: Collector, target: Receiver) -> None:
    with traced(tmp_path, collector, rules(target)) as router:
        raw = msgspec.json.encode(promoted("e1", "strange-SURROGATE")).replace(b"SURROGATE", b"\\ud800")
        assert router.post(raw).status_code == 202
        assert router.post(promoted("e2")).status_code == 202
        eventually(lambda: collector.spans("route", event_id="e2"), "the second one is told")
        assert router.stop() == 0
    assert len(collector.spans("POST")) == 2


ASKED: Final = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://me:{CANARY}@127.0.0.1:1",
    "OTEL_EXPORTER_OTLP_HEADERS": f"Bearer {CANARY}",  # it would have to be name=value
}


@pytest.mark.parametrize(("variables", "on"), [({}, False), (ASKED, True)])
def test_nothing_is_imported_unless_traces_are_asked_for(
    variables: dict[str, str], on: bool, tmp_path: Path, target: Receiver
) -> None:
    env = {"KEY": "k", "PYTHONPROFILEIMPORTTIME": "1", **variables}
    with RunningRouter(tmp_path, rules(target), env=env) as router:
        assert router.post(promoted("e1")).status_code == 202
        eventually(lambda: target.arrived, "it is delivered")
        began = time.monotonic()
        assert router.stop() == 0
        assert time.monotonic() - began < 6  # although the collector is away
        assert CANARY not in router.log.read_text()
        imported = set(re.findall(r"(?m)^import time:.*\| +(\S+)$", router.log.read_text()))
    assert ("traceparent" in target.arrived[0].headers) == on
    assert "router.service.webhook" in imported
    # Litestar has a look at `opentelemetry.semconv`, if that is there
    ours = {"router.service.tracing", "opentelemetry.context", "opentelemetry.trace", "opentelemetry.sdk"}
    assert imported & ours == (ours if on else set())


def test_who_asks_for_traces_without_the_extra_is_told(tmp_path: Path, target: Receiver) -> None:
    # the service looks in its own folder first
    (tmp_path / "opentelemetry.py").write_text("raise ModuleNotFoundError(\"No module named 'opentelemetry'\")")
    with RunningRouter(tmp_path, rules(target), env={"KEY": "k", **ASKED}) as router:
        assert router.post(promoted("e1")).status_code == 202
        eventually(lambda: target.arrived, "it is delivered")
        assert router.logged("OTEL") == [
            "  warning      no traces: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not here: "
            "pip install 'langfuse-router[otel]'"
        ]
        assert CANARY not in router.log.read_text()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "no exporter zipkin is installed"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "no exporter otlp_proto_grpc is installed"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "1"}, "OpenTelemetry refuses its variables (ValueError)"),
    ],
)
def test_a_mistake_in_a_variable_is_told_and_no_more(
    variables: dict[str, str], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**ASKED, **variables}.items():
        monkeypatch.setenv(name, value)
    assert tracing_of(os.environ) == (None, said)
