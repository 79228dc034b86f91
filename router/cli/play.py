"""Posts webhooks as Langfuse's workers do: several at a time, four attempts, the same bytes and signature each time.

Source: langfuse/langfuse worker/src/queues/webhooks.ts.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from router.delivery.client import Client, answer_of
from router.delivery.outcome import failure
from router.domain.delivery import Accepted
from router.langfuse.signature import sign
from router.langfuse.simulator import Step, Webhook

WORKERS: Final = 5
"""LANGFUSE_WEBHOOK_QUEUE_PROCESSING_CONCURRENCY, one worker container."""

WAITS: Final = (timedelta(milliseconds=100), timedelta(milliseconds=200), timedelta(milliseconds=400))
TIMEOUT: Final = timedelta(seconds=10)

FAILURES_TO_SWITCH_OFF: Final = 5
"""After so many failed executions in a row Langfuse switches an automation off."""


class Sent(Struct, frozen=True, kw_only=True):
    """How a webhook fared: what the last attempt was answered, `seconds` after it began. `status` None: nothing."""

    webhook: Webhook
    status: int | None
    said: str
    attempts: int
    seconds: float

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Player:
    """Sends to one URL. `sent` is told of every webhook. `rate`: at most so many a second begin."""

    def __init__(
        self,
        client: Client,
        url: str,
        secret: str,
        *,
        rate: float | None = None,
        sent: Callable[[Sent], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._url = url
        self._secret = secret
        self._rate = rate
        self._sent = sent
        self._signatures: dict[str, str] = {}
        self._workers = asyncio.Semaphore(WORKERS)
        self._next_start = 0.0
        self._failed_in_a_row = 0

    @property
    def switched_off(self) -> bool:
        """Langfuse would send nothing more."""
        return self._failed_in_a_row >= FAILURES_TO_SWITCH_OFF

    async def play(self, steps: Iterable[Step], begun: Callable[[Step], None] = lambda _: None) -> None:
        """Play step after step, each when the one before is answered, until the automation would be switched off."""
        for step in steps:
            begun(step)
            await self.post(step.webhooks)
            if self.switched_off:
                return

    async def post(self, webhooks: Sequence[Webhook]) -> None:
        await asyncio.gather(*map(self._execute, webhooks))

    async def _execute(self, webhook: Webhook) -> None:
        async with self._workers:
            if self.switched_off:
                return
            await self._turn()
            headers = {
                "content-type": "application/json",
                "user-agent": "Langfuse/1.0",
                # an execution is signed once, however often it is tried
                "x-langfuse-signature": self._signatures.setdefault(
                    webhook.id, sign(webhook.body, self._secret, datetime.now(UTC))
                ),
            }
            for attempt, wait in enumerate((*WAITS, None), start=1):
                sent = await self._attempt(webhook, headers, attempt)
                if sent.accepted or wait is None:
                    break
                await asyncio.sleep(wait.total_seconds())
            self._failed_in_a_row = 0 if sent.accepted else self._failed_in_a_row + 1
            self._sent(sent)

    async def _turn(self) -> None:
        if self._rate is None:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        self._next_start = start + 1 / self._rate
        await asyncio.sleep(start - now)

    async def _attempt(self, webhook: Webhook, headers: dict[str, str], attempt: int) -> Sent:
        loop = asyncio.get_running_loop()
        began = loop.time()
        status: int | None = None
        try:
            async with (
                asyncio.timeout(TIMEOUT.total_seconds()),
                self._client.request("POST", self._url, headers=headers, body=webhook.body) as response,
            ):
                status = response.status
                said = _said(await answer_of(response))
        except TimeoutError:
            said = f"no answer within {TIMEOUT.total_seconds():g} s"
        except aiohttp.ClientError as error:
            outcome = failure(error)
            said = "" if isinstance(outcome, Accepted) else outcome.reason
        return Sent(webhook=webhook, status=status, said=said, attempts=attempt, seconds=loop.time() - began)


class _Answer(Struct, frozen=True):
    """What a router says: what became of the webhook, or why it was refused."""

    status: str | int = ""
    detail: str = ""


def _said(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return answer.detail or str(answer.status)
