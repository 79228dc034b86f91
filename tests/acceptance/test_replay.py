"""`events replay` and `prompts replay` beside a running service, which sends what they make."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.receivers import Receiver
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.catalogue]
type = "http"
url = "SINK"
allow_private = true

[[rules]]
name = "catalogue"
match = { labels_gained = "production" }
actions = [{ to = "catalogue", json = { version = "{{ prompt.version }}", again = "{{ event.replay }}" } }]
"""
LATE = """
[[rules]]
name = "late"
match = { action = "created" }
actions = [{ to = "catalogue", json = { late = "{{ event.origin }}" } }]
"""


@pytest.fixture
def sink() -> Iterator[Receiver]:
    with Receiver() as sink:
        yield sink


@pytest.fixture
def router(tmp_path: Path, sink: Receiver) -> Iterator[RunningRouter]:
    with RunningRouter(tmp_path, RULES.replace("SINK", sink.url)) as running:
        running.post(body("e1", {"id": "v1", "version": 1, "labels": ["production"]}))
        eventually(lambda: sink.arrived, "it is told")
        running.rules.write_text(running.rules.read_text() + LATE)
        yield running


def run(router: RunningRouter, *arguments: str) -> str:
    ran = command(*arguments, folder=router.folder, env=router.env)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_what_a_rule_missed_is_sent_once(router: RunningRouter, sink: Receiver) -> None:
    counted = json.loads(run(router, "events", "replay", "e1", "--dry-run", "--format", "json"))
    assert counted["deliveries"] == [{"rule": "late", "to": "catalogue", "count": 1}]
    assert (counted["there"], counted["made"], counted["dry_run"]) == (1, 1, True)
    assert len(router.deliveries()) == 1
    assert "1 delivery made" in run(router, "events", "replay", "--prompt", "checkout/*", "--yes")
    eventually(lambda: len(sink.arrived) == 2, "it is sent")
    assert sink.arrived[1].json == {"late": "webhook"}
    assert "0 deliveries" in run(router, "events", "replay", "e1")
    run(router, "events", "replay", "e1", "--rule", "catalogue", "--force")
    eventually(lambda: len(sink.arrived) == 3, "it is sent once more")
    assert sink.arrived[2].json == {"version": 1, "again": True}
    keys = [one.headers["idempotency-key"] for one in sink.arrived]
    assert len(set(keys)) == 3


def test_a_rule_is_told_what_is(router: RunningRouter, sink: Receiver) -> None:
    assert "1 delivery made" in run(router, "prompts", "replay", "--rule", "late", "--yes")
    eventually(lambda: len(sink.arrived) == 2, "it is sent")
    assert sink.arrived[1].json == {"late": "backfill"}
    assert "0 deliveries" in run(router, "prompts", "replay", "--rule", "late", "--yes")
    assert "e1" in run(router, "events", "list", "--status", "routed")


def test_what_cannot_be_done_is_said_in_a_line(router: RunningRouter) -> None:
    for arguments, status, word in (
        (("events", "replay"), 2, "give IDs, or a filter"),
        (("events", "replay", "e1", "--prompt", "x"), 2, "give IDs, or a filter"),
        (("events", "replay", "--prompt", "*"), 2, "make and send 1 delivery? There is no terminal"),
        (("events", "replay", "--prompt", "nothing"), 2, "say --yes"),
        (("prompts", "replay", "--rule", "late"), 2, "say --yes"),
        (("events", "replay", "nobody", "--yes"), 1, "no event nobody"),
        (("events", "replay", "e1", "--rule", "lat"), 1, 'did you mean "late"?'),
        (("prompts", "replay"), 2, "--rule"),
    ):
        ran = command(*arguments, folder=router.folder, env=router.env, stdin="")
        assert (ran.returncode, word in ran.stderr) == (status, True), ran.stderr
    assert len(router.deliveries()) == 1
