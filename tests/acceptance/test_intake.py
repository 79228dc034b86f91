"""What Langfuse is answered: over real sockets, by the real command."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from router.langfuse.signature import sign
from tests.acceptance.running import SECRET, RunningRouter, eventually

RULES = """
[server]
max_body = "64KiB"
admin_token = "the admin token"

[sources.prod]
secret = ["${LANGFUSE_WEBHOOK_SECRET}", "an older secret"]
settle = "0s"

[sources.plain]
secret = "plain secret"
plain_signature = true

[destinations.journal]
type = "log"

[[rules]]
name = "everything"
actions = [{ to = "journal" }]

[[rules]]
name = "troubles"
match = { type = "router.*" }
actions = [{ to = "journal" }]
"""

PROMPT: dict[str, Any] = {
    "id": "8f7c6f0e-5a0e-4d8e-9d61-0d6f3c1f5a01",
    "name": "checkout/cart",
    "version": 1,
    "projectId": "p1",
    "createdBy": "u1",
    "labels": ["latest"],
    "prompt": "Hello {{name}}",
    "type": "text",
    "config": {},
    "commitMessage": None,
    "tags": [],
    "createdAt": "2026-11-24T10:00:00.000Z",
    "updatedAt": "2026-11-24T10:00:00.000Z",
}


def body(id: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a webhook's body; `changes` are laid over its prompt."""
    return {
        "id": id,
        "timestamp": "2026-11-24T10:00:01.000Z",
        "type": "prompt-version",
        "apiVersion": "v1",
        "action": "created",
        "user": {"name": "Ann", "email": "ann@example.com"},
        "prompt": PROMPT | (changes or {}),
    }


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    with RunningRouter(tmp_path_factory.mktemp("intake"), RULES) as running:
        yield running


def send(router: RunningRouter, raw: bytes, header: bytes | None, source: str = "prod") -> tuple[int, dict[str, Any]]:
    headers = {b"content-type": b"application/json"}
    if header is not None:
        headers[b"x-langfuse-signature"] = header
    answer = router.client.post(f"{router.url}/webhooks/{source}", content=raw, headers=list(headers.items()))
    return answer.status_code, answer.json()


def test_an_event_is_accepted_and_then_a_duplicate(router: RunningRouter) -> None:
    first = router.post(body("twice"))
    assert (first.status_code, first.json()) == (202, {"id": "twice", "status": "accepted"})
    again = router.post(body("twice"))
    assert (again.status_code, again.json()) == (202, {"id": "twice", "status": "duplicate"})


def test_the_first_event_of_a_source_is_told_once(router: RunningRouter) -> None:
    for id_ in ("first", "second"):
        router.post(body(id_))
    told = [msgspec.json.decode(line) for line in router.logged("first event since the start")]
    assert [line["source"] for line in told if line["source"] == "prod"] == ["prod"]


def test_both_names_of_the_signature_and_every_secret_are_good(router: RunningRouter) -> None:
    raw = msgspec.json.encode(body("named-s"))
    header = sign(raw, SECRET, datetime.now(UTC)).replace("v1=", "s=").encode()
    assert send(router, raw, header)[0] == 202
    assert router.post(body("older"), secret="an older secret").status_code == 202


def test_a_plain_signature_needs_the_sources_consent(router: RunningRouter) -> None:
    import hashlib
    import hmac

    raw = msgspec.json.encode(body("bare"))
    bare = hmac.new(b"plain secret", raw, hashlib.sha256).hexdigest().encode()
    assert send(router, raw, bare, "plain")[0] == 202
    status, answer = send(router, raw, bare, "prod")
    assert status == 401
    assert "1 part" in answer["detail"]


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (None, "no x-langfuse-signature"),
        (b"t=1", "1 part"),
        (b"x=1,v1=" + b"a" * 64, "first part"),
        (b"t=noon,v1=" + b"a" * 64, "timestamp"),
        (b"t=1,v1=short", "hexadecimal"),
        (b"t=1," + b"a" * 64, "second part"),
        ("t=1,v1=ä".encode(), "not ASCII"),
        (b"t=1,v1=" + b"a" * 64, "matches no secret"),
    ],
)
def test_a_wrong_header_is_401_and_the_answer_names_the_part(
    router: RunningRouter, header: bytes | None, word: str
) -> None:
    status, answer = send(router, b"{}", header)
    assert status == 401
    assert word in answer["detail"]


def test_a_stale_signature_is_refused_with_its_age(router: RunningRouter) -> None:
    raw = msgspec.json.encode(body("late"))
    status, answer = send(router, raw, sign(raw, SECRET, datetime.now(UTC) - timedelta(minutes=7)).encode())
    assert status == 401
    assert "tolerance 300 s" in answer["detail"]


def test_the_router_answers_other_requests_in_words(router: RunningRouter) -> None:
    assert router.post(body("x"), source="nowhere").status_code == 404
    assert router.client.get(f"{router.url}/webhooks/prod").status_code == 405
    assert router.post(b"x" * 70_000).status_code == 413


def test_what_cannot_be_understood_is_kept_and_acknowledged(router: RunningRouter) -> None:
    answer = router.post(b'{"type": "prompt-version", "id": "odd", "action": "created", "prompt": {}}')
    assert (answer.status_code, answer.json()) == (202, {"id": "odd", "status": "quarantined"})
    (kept,) = [event for event in router.events() if event.id == "odd"]
    assert kept.status == "quarantined"
    assert "`name`" in kept.reason
    eventually(
        lambda: any(event.type == "router.quarantined" and event.status == "routed" for event in router.events()),
        "the trouble is told",
    )


def test_unknown_types_and_the_guides_envelope_are_accepted(router: RunningRouter) -> None:
    assert router.post({"id": "new", "type": "brand-new", "timestamp": "2026-11-24T10:00:00Z"}).status_code == 202
    guide = {
        "event": "prompt.created",
        "timestamp": "2026-11-24T10:00:00Z",
        "data": {"promptName": "a/b", "promptVersion": 2, "labels": ["production"], "projectId": "p1"},
    }
    assert router.post(guide).json()["status"] == "accepted"
    eventually(
        lambda: [e for e in router.events() if e.prompt == "a/b" and e.status == "routed"],
        "the guide's event is routed",
    )


def test_three_refusals_that_look_signed_are_a_trouble(router: RunningRouter) -> None:
    for number in range(3):
        assert router.post(body(f"wrong-{number}"), secret="not the secret").status_code == 401
    eventually(
        lambda: [event for event in router.events() if event.type == "router.signature_refused"], "the trouble is told"
    )


def test_health_and_metrics(router: RunningRouter) -> None:
    assert router.client.get(f"{router.url}/health/live").status_code == 200
    assert set(router.client.get(f"{router.url}/health/ready").json()) == {"status", "ruleset"}
    assert router.client.get(f"{router.url}/metrics").status_code == 401
    token = {"authorization": "Bearer the admin token"}
    told = router.client.get(f"{router.url}/metrics", headers=token).text
    for metric in ("events", "signature_failures", "deliveries", "config_reload_success"):
        assert f"\n# HELP langfuse_router_{metric}" in f"\n{told}", metric
    assert 'langfuse_router_attempt_seconds_count{destination="journal"}' in told
