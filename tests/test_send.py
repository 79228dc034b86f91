"""Single attempts over real sockets."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from router.delivery.client import Clients
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer
from router.domain.destination import HttpDestination, Limits
from router.domain.message import HttpMessage, JsonBody
from router.domain.text import Text
from tests.acceptance.receivers import Receiver, Reply

MESSAGE = HttpMessage(body=JsonBody({"hello": "world"}))


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
