"""Apprise: a real notification through its plugin for JSON webhooks, and what is known of one that fails."""

import threading
from datetime import UTC, datetime, timedelta

import msgspec

from router.delivery.client import Clients
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer, Refused, Retry
from router.domain.destination import AppriseDestination, Limits
from router.domain.message import AppriseMessage
from router.domain.text import Text
from tests.acceptance.receivers import Receiver, Reply

MESSAGE = AppriseMessage(title="production moved", body="v3 → v4\nby Ann")


async def attempt(url: str, *, seconds: float = 20) -> Answer:
    destination = AppriseDestination(
        name="phone", limits=Limits(timeout=timedelta(seconds=seconds)), url=Text.secret(url)
    )
    async with Clients() as clients:
        return await send(MESSAGE, destination, "key", clients, datetime.now(UTC))


async def test_a_notification_arrives() -> None:
    with Receiver() as receiver:
        answer = await attempt(f"json://127.0.0.1:{receiver.port}/hook")
    assert isinstance(answer.outcome, Accepted)
    (arrived,) = receiver.arrived
    said = msgspec.json.decode(arrived.body)
    assert (said["title"], said["message"]) == ("production moved", "v3 → v4\nby Ann")


async def test_why_not_is_what_apprise_logged_without_the_secret() -> None:
    with Receiver() as receiver:
        receiver.replies = [Reply(status=500)]
        answer = await attempt(f"json://user:s3cr3t-w0rd@127.0.0.1:{receiver.port}/hook")
    assert isinstance(answer.outcome, Retry)
    assert answer.outcome.reason.startswith("Apprise says that it was not sent: Failed to send JSON")
    assert "500" in answer.outcome.reason
    assert "s3cr3t-w0rd" not in answer.outcome.reason


async def test_a_service_that_hangs_ends_with_the_deadline() -> None:
    with Receiver() as receiver:
        over = threading.Event()
        receiver.replies = [Reply(before=over.wait)]
        answer = await attempt(f"json://127.0.0.1:{receiver.port}/hook", seconds=1)
        over.set()
    assert answer.outcome == Retry("no answer within 1 s")


async def test_what_is_no_service_is_refused() -> None:
    answer = await attempt("nosuchservice://example.com/token")
    assert answer.outcome == Refused("Apprise cannot read the destination's `url`")
