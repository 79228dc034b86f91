"""A whole service in this process: real rules, real store, real loops; asked over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import msgspec
import pytest
from litestar.types import ASGIApp

from router.domain.text import Text
from router.langfuse.signature import sign
from router.service.app import Service, public_app
from router.service.outside import Disk
from router.service.rulebook import Rulebook
from router.storage.records import DeliveryRecord
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import SECRET
from tests.acceptance.test_intake import body

T = TypeVar("T")
TOKEN = "the admin token"
HOOK = "T000/B000/hidden"
RULES = """
[server]
admin_token = "${TOKEN}"

[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"
project_url = "https://langfuse.example.com"

[destinations.journal]
type = "log"

[destinations.team]
type = "slack"
webhook_url = "SLACK/${HOOK}"
allow_private = true

[destinations.oncall]
type = "email"
smtp = "smtp://127.0.0.1:9"
from = "Prompts <prompts@example.com>"
recipients = ["oncall@example.com"]

[[rules]]
name = "promoted"
description = "A version became production."
match = { labels_gained = "production" }
actions = [{ to = "team" }]

[[rules]]
name = "all"
actions = [{ to = "journal", text = "{{ prompt.name }} v{{ prompt.version }}" }]

[[rules]]
name = "mails"
mode = "shadow"
match = { action = "created" }
actions = [{ to = "oncall" }]
"""


class Asked:
    """A service and somebody who asks it. `api` bears the token, `browser` is nobody until it logs in."""

    def __init__(self, service: Service, app: ASGIApp, rules: Path, slack: Receiver) -> None:
        self.service = service
        self.app = app
        self.rules = rules
        self.slack = slack
        transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
        self.api = httpx.AsyncClient(
            transport=transport, base_url="http://router/api/v1", headers={"authorization": f"Bearer {TOKEN}"}
        )
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://router", headers={"accept": "text/html"})

    @property
    def store(self) -> Store:
        return self.service.store

    async def post(self, id: str, action: str = "created", /, **changes: object) -> None:
        """Send a webhook; `changes` are laid over its prompt."""
        await self.send(msgspec.json.encode(body(id, changes) | {"action": action}))

    async def send(self, raw: bytes) -> str:
        """Send a webhook; return the event's id."""
        headers = {"x-langfuse-signature": sign(raw, SECRET, datetime.now(UTC))}
        answer = await self.browser.post("/webhooks/prod", content=raw, headers=headers)
        assert answer.status_code == 202
        return str(answer.json()["id"])

    async def delivery(self, rule: str, status: str) -> DeliveryRecord:
        """Return the first delivery of a rule that gets into this state."""

        async def found() -> DeliveryRecord | None:
            items = (await self.api.get("/deliveries", params={"rule": rule, "status": status})).json()["items"]
            return msgspec.convert(items[0], DeliveryRecord) if items else None

        return await eventually(found, f"a delivery of {rule} is {status}")

    async def log_in(self) -> None:
        csrf = await self.csrf("/login")
        answer = await self.browser.post("/login", data={"token": TOKEN, "_csrf_token": csrf})
        assert answer.status_code == 303

    async def page(self, path: str) -> str:
        return (await self.browser.get(path)).text

    async def csrf(self, path: str = "/") -> str:
        return (await self.page(path)).partition('name="_csrf_token" value="')[2].partition('"')[0]


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, seconds: float = 30) -> T:
    """Return what `look` finds as soon as it finds something."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"never happened within {seconds} s: {what}")


@pytest.fixture
def slack() -> Iterator[Receiver]:
    """A Slack that refuses every message."""
    with Receiver() as slack:
        slack.script = lambda _: Reply(status=400, body=b"invalid_blocks")
        yield slack


@pytest.fixture
async def asked(tmp_path: Path, slack: Receiver) -> AsyncIterator[Asked]:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.replace("SLACK", slack.url))
    outside = Disk({"LANGFUSE_WEBHOOK_SECRET": SECRET, "TOKEN": TOKEN, "HOOK": HOOK})
    rulebook = Rulebook(str(rules), outside, missing="error")
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        service = Service(rulebook, store, capture=False, token=Text.secret(TOKEN))
        asked = Asked(service, public_app(service, with_admin=True), rules, slack)
        async with service.running(), asked.api, asked.browser:
            yield asked


@pytest.fixture
async def told(asked: Asked) -> Asked:
    """Somebody created a prompt and promoted it; Slack refused the message about that."""
    await asked.post("made", labels=["latest"])
    await asked.delivery("all", "delivered")
    await asked.post("promoted", "updated", labels=["latest", "production"], updatedAt="2026-11-24T10:05:00.000Z")
    await asked.delivery("promoted", "dead")
    return asked
