"""A Slack bot: threads, channels, and what Slack's API says when it takes nothing."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.storage.records import DeliveryRecord
from tests.acceptance.receivers import Arrived, Receiver, Reply
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

BOT = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.bot]
type = "slack"
token = "${SLACK_BOT_TOKEN}"
channel = "#prompts"
api_url = "SLACK/api"
allow_private = true
rate = "100/s"
retry = ["50ms", "50ms"]

[[rules]]
name = "everything"
actions = [{ to = "bot", thread = "prompt" }]
"""
TOKEN = "xoxb-canary"


class Slack:
    """Answers like chat.postMessage. `errors` are said first, one each."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.posted: list[dict[str, object]] = []
        self._lock = threading.Lock()

    def __call__(self, arrived: Arrived) -> Reply:
        assert arrived.path == "/api/chat.postMessage"
        assert arrived.headers["authorization"] == f"Bearer {TOKEN}"
        with self._lock:
            if self.errors:
                return said({"ok": False, "error": self.errors.pop(0)})
            self.posted.append(arrived.json)
            return said({"ok": True, "channel": "C1", "ts": f"{len(self.posted)}.000"})


def said(answer: object) -> Reply:
    return Reply(headers={"content-type": "application/json"}, body=json.dumps(answer).encode())


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
def receiver(slack: Slack) -> Iterator[Receiver]:
    with Receiver() as running:
        running.script = slack
        yield running


def running(tmp_path: Path, receiver: Receiver, rules: str = BOT) -> RunningRouter:
    return RunningRouter(tmp_path, rules.replace("SLACK/", f"{receiver.url}/"), env={"SLACK_BOT_TOKEN": TOKEN})


def ended(router: RunningRouter, status: str, count: int = 1) -> list[DeliveryRecord]:
    def look() -> list[DeliveryRecord] | None:
        found = [one for one in router.deliveries() if one.status == status]
        return found if len(found) == count else None

    return eventually(look, f"{count} are {status}")


def version(number: int, name: str) -> dict[str, object]:
    when = f"2026-11-24T10:00:0{number}.000Z"
    return body(f"{name}-{number}", {"id": f"{name}-v{number}", "name": name, "version": number, "updatedAt": when})


def test_what_is_said_of_a_prompt_is_one_thread_also_after_a_restart(
    tmp_path: Path, receiver: Receiver, slack: Slack
) -> None:
    with running(tmp_path, receiver) as router:
        slack.errors = ["ratelimited"]
        for number in (1, 2):
            router.post(version(number, "a"))
        ended(router, "delivered", 2)
        router.post(version(1, "b"))
        ended(router, "delivered", 3)
        assert router.stop() == 0
        router.start()
        router.post(version(3, "a"))
        ended(router, "delivered", 4)
    assert [message.get("thread_ts") for message in slack.posted] == [None, "1.000", None, "1.000"]
    assert {message["channel"] for message in slack.posted} == {"#prompts"}
    assert TOKEN.encode() not in (tmp_path / "router.db").read_bytes()


def test_each_channel_has_its_own_thread_and_a_secret_channel_stays_out_of_the_store(
    tmp_path: Path, receiver: Receiver, slack: Slack
) -> None:
    rules = BOT.replace('"#prompts"', '"${SLACK_BOT_TOKEN:-x}-room"').replace(
        "actions = [",
        'actions = [{ to = "bot", id = "folder", channel = "#{{ prompt.name }}", thread = "prompt" }, ',
    )
    with running(tmp_path, receiver, rules) as router:
        for number in (1, 2):
            router.post(version(number, "a"))
        ended(router, "delivered", 4)
        stored = (tmp_path / "router.db").read_bytes()
    roots = {str(message["channel"]): message for message in slack.posted if "thread_ts" not in message}
    assert roots.keys() == {"#a", f"{TOKEN}-room"}
    assert TOKEN.encode() not in stored


@pytest.mark.parametrize("error", ["channel_not_found", "invalid_auth", "account_inactive"])
def test_a_refusal_of_everybody_waits(tmp_path: Path, receiver: Receiver, slack: Slack, error: str) -> None:
    slack.errors = [error]
    with running(tmp_path, receiver) as router:
        router.post(version(1, "a"))
        (waiting,) = ended(router, "retrying")
        assert waiting.reason == f"Slack: {error}"
        assert "breaker open until" in command("deliveries", "list", folder=tmp_path, env=router.env).stdout


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long"])
def test_a_refusal_of_the_message_is_dead(tmp_path: Path, receiver: Receiver, slack: Slack, error: str) -> None:
    slack.errors = [error]
    with running(tmp_path, receiver) as router:
        router.post(version(1, "a"))
        (dead,) = ended(router, "dead")
        assert dead.reason == f"Slack: {error}"


def test_a_channel_that_a_template_made_and_nobody_has_is_dead(
    tmp_path: Path, receiver: Receiver, slack: Slack
) -> None:
    slack.errors = ["channel_not_found"]
    with running(tmp_path, receiver, BOT.replace('"#prompts"', '"#{{ prompt.name }}"')) as router:
        router.post(version(1, "a"))
        assert ended(router, "dead")[0].reason == "Slack: channel_not_found"


def test_check_says_what_needs_a_bot_and_what_slack_will_not_take(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(
        """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"

[destinations.hook]
type = "slack"
webhook_url = "${SLACK_WEBHOOK_URL}"

[destinations.bot]
type = "slack"
token = "${SLACK_BOT_TOKEN}"

[[rules]]
name = "a"
actions = [
  { to = "hook", channel = "#x", thread = "prompt" },
  { to = "bot" },
]
"""
    )
    checked = command("check", folder=tmp_path)
    assert checked.returncode == 1
    needs = 'needs a bot: give destination "hook" a `token`; a webhook posts where it was made'
    for line in (
        f"rules.toml:16:18: rules[0].actions[0].channel: {needs}",
        f"rules.toml:16:34: rules[0].actions[0].thread: {needs}",
        'rules[0].actions[1]: no channel to post to: give `channel` here or in destination "bot"',
    ):
        assert line in checked.stderr
    text = (tmp_path / "rules.toml").read_text()
    bad = '{ to = "hook", blocks = [{ type = "header", text = { type = "plain_text" } }, { type = "boxes" }] }'
    (tmp_path / "rules.toml").write_text(text[: text.index("actions")] + f"actions = [{bad}]\n")
    checked = command("check", folder=tmp_path)
    assert "not what Slack takes: blocks[0]: " in checked.stderr
    assert "blocks[1]: no block has the type 'boxes'" in checked.stderr
