"""Single attempts over real sockets."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from router.delivery.client import Clients
from router.delivery.outcome import failure, slack_outcome, smtp_outcome
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer, Refused, Rejected, Retry
from router.domain.destination import HttpDestination, Limits
from router.domain.message import HttpMessage, JsonBody
from router.domain.text import Text
from tests.acceptance.receivers import Receiver, Reply

MESSAGE = HttpMessage(body=JsonBody.of({"hello": "world"}))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def destination(receiver: Receiver, seconds: float = 20) -> HttpDestination:
    limits = Limits(allow_private=True, timeout=timedelta(seconds=seconds))
    return HttpDestination(name="sink", limits=limits, url=Text(receiver.url))


async def attempt(to: HttpDestination, clients: Clients, key: str = "k") -> Answer:
    return await send(MESSAGE, to, key, clients, datetime.now(UTC))


async def test_cancelled_attempts_never_harm_later_ones(receiver: Receiver) -> None:
    go_on = threading.Event()
    receiver.script = lambda arrived: Reply(before=lambda: go_on.wait(30))
    to = destination(receiver)
    async with Clients() as clients:
        # cancelled while it connects, sends, or waits for the answer, all at once and again and again
        for turns in range(40):
            tasks = [asyncio.create_task(attempt(to, clients)) for _ in range(5)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        go_on.set()
        answers = await asyncio.gather(*(attempt(to, clients, f"k-{number}") for number in range(50)))
    assert [type(answer.outcome) for answer in answers] == [Accepted] * 50
    keys = {arrived.headers["idempotency-key"] for arrived in receiver.arrived}
    assert {f"k-{number}" for number in range(50)} <= keys


async def test_attempts_that_ran_out_of_time_never_harm_later_ones(receiver: Receiver) -> None:
    go_on = threading.Event()
    receiver.script = lambda arrived: Reply(before=lambda: go_on.wait(30))
    async with Clients() as clients:
        late = await asyncio.gather(*(attempt(destination(receiver, 0.2), clients) for _ in range(50)))
        assert {str(answer.outcome) for answer in late} == {"Retry(reason='no answer within 0.2 s', after=None)"}
        go_on.set()
        answers = await asyncio.gather(*(attempt(destination(receiver), clients) for _ in range(50)))
    assert [type(answer.outcome) for answer in answers] == [Accepted] * 50


async def test_a_proxy_gets_the_request_and_resolves_the_name_itself(receiver: Receiver) -> None:
    limits = Limits(proxy=Text.secret(receiver.url))
    to = HttpDestination(name="sink", limits=limits, url=Text("http://only-the-proxy-knows.invalid/hook"))
    async with Clients() as clients:
        assert isinstance((await attempt(to, clients)).outcome, Accepted)
    assert [arrived.path for arrived in receiver.arrived] == ["http://only-the-proxy-knows.invalid/hook"]


async def test_the_proxy_of_the_environment_is_used_only_if_asked_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", receiver.url)
    monkeypatch.delenv("no_proxy", raising=False)
    for proxy, count in ((None, 0), (Text("env"), 1)):
        to = HttpDestination(name="sink", limits=Limits(proxy=proxy), url=Text("http://elsewhere.invalid/"))
        async with Clients() as clients:
            await attempt(to, clients)
        assert len(receiver.arrived) == count


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("a%2Fb/c%20d?sig=x%2By%2F%3D&plus=1+1&tilde=%7E", None),
        ("[x]?a[]=1&b=;:@,!$'()*", None),
        ("grüße?wer=ü", "gr%C3%BC%C3%9Fe?wer=%C3%BC"),
        ("a b?c=d|e", "a%20b?c=d%7Ce"),
    ],
)
async def test_an_address_is_used_as_it_is_written(receiver: Receiver, written: str, arrives: str | None) -> None:
    limits = Limits(allow_private=True)
    to = HttpDestination(name="sink", limits=limits, url=Text(f"{receiver.url}/{written}"))
    async with Clients() as clients:
        assert isinstance((await attempt(to, clients)).outcome, Accepted)
    assert [arrived.path for arrived in receiver.arrived] == [f"/{arrives or written}"]


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://x:port/", "ftp://example.com/"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    to = HttpDestination(name="sink", limits=Limits(allow_private=True), url=Text(url))
    async with Clients() as clients:
        answer = await attempt(to, clients)
    assert answer.outcome == Refused("the address of the destination cannot be used")


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.script = lambda arrived: Reply(status=307, headers={"location": f"{receiver.url}/elsewhere"})
    async with Clients() as clients:
        answer = await attempt(destination(receiver), clients)
    assert answer.status == 307
    assert len(receiver.arrived) == 1


def test_what_others_say_can_stand_within_a_sentence() -> None:
    certificate = ssl.SSLCertVerificationError()
    certificate.verify_message = "IP address mismatch, certificate is not valid for '127.0.0.1'."
    assert failure(certificate) == Retry("TLS: IP address mismatch, certificate is not valid for '127.0.0.1'")
    assert smtp_outcome(550, "5.1.1 No such user.\r\nGo away.") == Rejected("SMTP 550 5.1.1 No such user. Go away")
    assert slack_outcome(400, {}, "invalid_blocks.\n", datetime.now(UTC)) == Rejected(
        "HTTP 400 Bad Request: invalid_blocks"
    )
