"""What is counted, and that nobody outside can make a label."""

import asyncio
from datetime import timedelta
from typing import get_args

import aiohttp
import pytest

from router.delivery.guard import AddressRefused
from router.delivery.outcome import failure, outcome_of, reason_word, slack_api_outcome, smtp_outcome
from router.domain.delivery import Accepted, Answer, Outcome, Rejected, Retry
from router.service.metrics import NOT_IN_FORCE, Ended, Metrics, Refusal
from router.storage.records import Backlog, Queue
from tests.acceptance.receivers import Reply
from tests.build import NOON
from tests.service.conftest import TOKEN, Asked, eventually


async def told_of(asked: Asked, *, name: str, **labels: str) -> float | None:
    """Return the value of one series as it stands at /metrics; None: there is no such series."""
    answer = await asked.browser.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    start = f"langfuse_router_{name}{{{wanted}}} ".replace("{}", "")
    found = [line for line in answer.text.splitlines() if line.startswith(start)]
    return float(found[0].rpartition(" ")[2]) if found else None


async def test_what_became_of_deliveries_is_counted_with_why(told: Asked) -> None:
    attempts = {"name": "deliveries_total", "destination": "team", "outcome": "rejected", "reason": "400"}
    assert await eventually(lambda: told_of(told, **attempts), "the attempt is counted") == 1
    assert await told_of(told, name="deliveries_ended_total", destination="team", status="dead") == 1
    assert await told_of(told, name="deliveries_ended_total", destination="oncall", status="captured") == 1
    assert (await told_of(told, name="deliveries_ended_total", destination="journal", status="delivered") or 0) >= 2
    assert await told_of(told, name="queue_depth", destination="team", status="dead") == 1
    assert (await told_of(told, name="routing_seconds_count") or 0) >= 2


async def test_from_arrival_to_delivery_is_measured_for_what_is_told_at_once(told: Asked) -> None:
    gathers = """
    [destinations.digest]
    type = "log"
    [[rules]]
    name = "gathers"
    collect = "100ms"
    actions = [{ to = "digest" }]
    """
    told.rules.write_text(told.rules.read_text() + gathers)
    await told.service.reload_now()
    told.slack.script = lambda _: Reply(body=b"ok")
    dead = await told.delivery("promoted", "dead")
    assert (await told.api.post(f"/deliveries/{dead.key}/retry")).status_code == 200
    await told.post("moved", "updated", labels=["latest"], updatedAt="2026-11-24T10:06:00.000Z")
    await told.delivery("gathers", "delivered")
    await told.delivery("promoted", "delivered")

    async def counted(metric: str, destination: str) -> float:
        return await told_of(told, name=f"{metric}_seconds_count", destination=destination) or 0

    async def all_three() -> bool | None:
        return await counted("end_to_end", "journal") == 3 or None

    await eventually(all_three, "three events were told at once")
    assert [await counted("delivery", "digest"), await counted("end_to_end", "digest")] == [1, 0]
    assert [await counted("delivery", "team"), await counted("end_to_end", "team")] == [1, 0], "sent again by hand"


async def test_what_the_rules_name_begins_at_zero(asked: Asked) -> None:
    for status in get_args(Ended):
        assert await told_of(asked, name="deliveries_ended_total", destination="team", status=status) == 0
    for reason in get_args(Refusal):
        assert await told_of(asked, name="webhooks_refused_total", source="prod", reason=reason) == 0
    assert await told_of(asked, name="signature_failures_total", source="prod", reason="mismatch") == 0
    assert await told_of(asked, name="rule_matches_total", rule="mails", mode="shadow") == 0


async def test_refusals_are_counted_and_an_unknown_source_makes_no_label(asked: Asked) -> None:
    asks = [asked.browser.post(f"/webhooks/nobody-{number}", content=b"{}") for number in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*asks)} == {404}
    assert (await asked.browser.get("/webhooks/prod")).status_code == 405
    assert (await asked.browser.post("/webhooks/prod", content=b"{}")).status_code == 401
    assert await told_of(asked, name="webhooks_refused_total", source="", reason="unknown_source") == 20
    assert await told_of(asked, name="webhooks_refused_total", source="prod", reason="method") == 1
    assert await told_of(asked, name="signature_failures_total", source="prod", reason="missing") == 1
    page = await asked.browser.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert "nobody" not in page.text
    # a parameter that is said twice makes it no media type, and Prometheus 3 scrapes nothing without one
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_destinations_that_the_rules_do_not_have_share_one_label() -> None:
    queues = tuple(
        Queue(destination=f"team-of-prompt-{number}", status="dead", count=2, oldest=timedelta(seconds=number))
        for number in range(100)
    )
    metrics = Metrics()
    metrics.observe(Backlog(waiting=0, quarantined=0, oldest_waiting=None, queues=queues, held={}), ())
    labels = {"destination": NOT_IN_FORCE, "status": "dead"}
    assert metrics.registry.get_sample_value("langfuse_router_queue_depth", labels) == 200
    assert metrics.registry.get_sample_value("langfuse_router_queue_oldest_seconds", labels) == 99
    assert b"team-of-prompt" not in metrics.exposition()


@pytest.mark.parametrize(
    ("outcome", "status", "word"),
    [
        (Accepted("HTTP 200 OK"), 200, ""),
        (outcome_of(503, {}, NOON), 503, "503"),
        (outcome_of(404, {}, NOON), 404, "404"),
        (outcome_of(799, {}, NOON), 799, "other"),
        (slack_api_outcome(200, {}, '{"ok": false, "error": "channel_not_found"}', NOON), 200, "answer"),
        (failure(AddressRefused("localhost")), None, "unusable"),
        (failure(ConnectionRefusedError()), None, "connection_refused"),
        (failure(OSError(-2, "Name or service not known")), None, "dns"),
        (failure(aiohttp.ClientPayloadError("")), None, "ended"),
        (failure(OSError()), None, "cannot_connect"),
        (failure(ValueError("something with a secret")), None, "other"),
        (Retry("no answer within 10 s"), None, "timeout"),
        (smtp_outcome(451, "later"), None, "smtp_4xx"),
        (smtp_outcome(535, "who are you?"), None, "smtp_5xx"),
        (smtp_outcome(550, "no such user"), 550, "550"),
        (Retry("internal error: KeyError"), None, "fault"),
        (Rejected("anything that a server says"), None, "other"),
    ],
)
def test_why_an_attempt_failed_is_one_of_few_words(outcome: Outcome, status: int | None, word: str) -> None:
    assert reason_word(Answer(outcome=outcome, status=status)) == word
