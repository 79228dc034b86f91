"""`simulate` against a real server, and against receivers that misbehave."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.domain.source import Source
from router.domain.text import Text
from router.langfuse.scenarios import SCENARIOS
from router.langfuse.signature import verify_signature
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import SECRET, RunningRouter, command, eventually

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "300ms"

[destinations.journal]
type = "log"

[[rules]]
name = "everything"
actions = [{ to = "journal" }]
"""


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    with RunningRouter(tmp_path_factory.mktemp("simulate"), RULES) as running:
        yield running


def simulate(*arguments: str, url: str, secret: str = SECRET) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the report."""
    ended = command("simulate", *arguments, "--url", url, "--secret", secret, "--format", "json", folder=Path.cwd())
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def statuses(router: RunningRouter, prefix: str) -> Counter[str]:
    """Return how the events of those prompts ended, once all have."""

    def ended() -> list[str]:
        events = [event for event in router.events() if (event.prompt or "").startswith(prefix)]
        return [] if any(event.status == "waiting" for event in events) else [event.status for event in events]

    return Counter(eventually(ended, "everything is routed"))


def test_a_working_day_with_doubles_in_any_order(router: RunningRouter) -> None:
    status, report = simulate("working-day", "--shuffle", "--duplicates", url=f"{router.url}/webhooks/prod")
    assert status == 0
    assert report["sent"] == report["webhooks"] == sum(report["answers"].values())
    assert report["answers"].keys() <= {"202 accepted", "202 duplicate"}
    assert report["latency_ms"].keys() == {"p50", "p95", "p99", "max"}
    ended = statuses(router, "checkout/")
    assert ended["routed"] >= 9
    assert ended["duplicate"] > 0
    assert ended.keys() <= {"routed", "quiet", "stale", "duplicate"}


def test_storms_arrive_whole_and_are_few_changes(router: RunningRouter) -> None:
    assert simulate("tag-storm", "--shuffle", url=f"{router.url}/webhooks/prod")[0] == 0
    ended = statuses(router, "shop/long-lived")
    assert ended.total() == 400
    # 200 creations, and one edit of tags; a batch that settles in the middle of the storm changes nothing about that
    assert ended == {"routed": 201, "quiet": 199}


def test_every_run_is_a_project_of_its_own(router: RunningRouter) -> None:
    for _ in range(2):
        status, report = simulate("folder-copy", "--prompts", "3", url=f"{router.url}/webhooks/prod")
        assert (status, report["answers"]) == (0, {"202 accepted": 3})


def test_a_wrong_secret_is_refused_and_the_automation_would_be_switched_off(router: RunningRouter) -> None:
    status, report = simulate("delete-storm", url=f"{router.url}/webhooks/prod", secret="not the secret")
    assert status == 1
    assert report["switched_off"]
    assert 5 <= report["sent"] <= 9, "the workers that were under way end"
    assert report["attempts"] == 4 * report["sent"]
    assert "signature refused" in report["refused"][0]["reason"]


def test_a_retry_has_the_same_bytes_and_the_same_signature() -> None:
    with Receiver() as receiver:
        receiver.replies = [Reply(status=503), Reply(status=500), Reply(status=429)]
        status, report = simulate("folder-copy", "--prompts", "1", url=f"{receiver.url}/hook")
        assert (status, report["attempts"], report["sent"]) == (0, 4, 1)
        assert len(receiver.arrived) == 4
        assert len({(one.body, one.headers["x-langfuse-signature"]) for one in receiver.arrived}) == 1
        first = receiver.arrived[0]
        assert (first.method, first.path) == ("POST", "/hook")
        assert first.headers["user-agent"] == "Langfuse/1.0"
        source = Source(name="prod", secrets=(Text(SECRET),))
        verify_signature(first.body, first.headers["x-langfuse-signature"], source, datetime.now(UTC))


def test_what_is_refused_to_the_end_makes_the_exit_status_1_and_is_reported() -> None:
    with Receiver() as receiver:
        receiver.script = lambda arrived: Reply(status=404 if b"prompt-002" in arrived.body else 200)
        status, report = simulate("folder-copy", "--prompts", "4", url=receiver.url)
        assert (status, report["sent"], len(report["refused"])) == (1, 4, 1)
        assert report["refused"][0]["reason"] == "HTTP 404"
        assert not report["switched_off"]


def test_nobody_listening_is_told_without_a_traceback() -> None:
    ended = command("simulate", "tag-storm", "--url", "http://127.0.0.1:9/x", "--secret", "s", folder=Path.cwd())
    assert ended.returncode == 1
    assert "connection refused" in ended.stdout
    # up to four others are under way when the fifth fails
    assert re.search(r"would switch the automation off now, so it did not get 39[1-5] more webhooks", ended.stdout)
    assert ended.stderr == ""


def test_a_rate_is_kept() -> None:
    with Receiver() as receiver:
        status, report = simulate("folder-copy", "--prompts", "9", "--rate", "20", url=receiver.url)
        assert status == 0
        assert report["seconds"] >= 8 / 20


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("working-day", "--secret", "s"), "--url"),
        (("working-day", "--url", "http://127.0.0.1:9"), "--secret"),
        (("working-day", "--url", "ftp://x", "--secret", "s"), "no http or https URL"),
        (("working-day", "--prompts", "3", "--url", "http://127.0.0.1:9", "--secret", "s"), "--prompts"),
        (("night-shift", "--url", "http://127.0.0.1:9", "--secret", "s"), "night-shift"),
    ],
)
def test_wrong_usage_is_said_in_a_line(arguments: tuple[str, ...], word: str) -> None:
    ended = command("simulate", *arguments, folder=Path.cwd(), env={"LANGFUSE_WEBHOOK_SECRET": ""})
    assert ended.returncode == 2
    assert word in ended.stderr


def test_the_scenarios_are_listed() -> None:
    ended = command("simulate", "list", folder=Path.cwd())
    assert ended.returncode == 0
    assert [line.split()[0] for line in ended.stdout.splitlines()] == list(SCENARIOS)
