"""A webhook that goes straight from its connection to intake is answered like one that takes the long way."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from router.langfuse.signature import sign
from router.service.connections import Limits
from router.service.exchange import SMALL_BODY, Exchange
from router.storage.records import EventFilter
from tests.acceptance.running import SECRET
from tests.acceptance.test_intake import body
from tests.service.conftest import Asked, eventually
from tests.service.test_connections import ASKED, Port, listening

LIMITS = Limits(connections=100, bodies=8 * SMALL_BODY)
CLOSE = "connection: close\r\n"
LONG_WAYS = {
    "in chunks": (CLOSE + "transfer-encoding: chunked\r\n",),
    "after a word": (CLOSE + "expect: 100-continue\r\n",),
    "for the last time": (CLOSE,),
    "with a query": (CLOSE, "/webhooks/prod?x=1"),
    "with an escape": (CLOSE, "/webhooks/%70rod"),
    "with a slash": (CLOSE, "/webhooks/prod/"),
    "in HTTP/1.0": ("", "/webhooks/prod", "1.0"),
}


def event(id: str, text: str = "Hello") -> bytes:
    return msgspec.json.encode(body(id, {"prompt": text}))


def request(
    raw: bytes, more: str = "", path: str = "/webhooks/prod", version: str = "1.1", *, secret: str = SECRET
) -> bytes:
    """Return a signed webhook."""
    signature = sign(raw, secret, datetime.now(UTC))
    head = f"POST {path} HTTP/{version}\r\nhost: x\r\nx-langfuse-signature: {signature}\r\n{more}"
    if "chunked" in more:
        return head.encode() + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)
    return f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Return the next answer, without what it says of the connection."""
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100 "):
            return await answer(reader)
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        return head.replace(b"connection: close\r\n", b"") + await reader.readexactly(int(length[1]))


async def asked_once(port: Port, sent: bytes) -> tuple[bytes, bool]:
    """Return the answer, and whether it took the short way."""
    reader, writer = await port.connected()
    before = set(port.connections)
    writer.write(sent)
    said = await answer(reader)
    straight = any(isinstance(one.cycle, Exchange) for one in before)
    writer.close()

    async def gone() -> bool | None:
        return None if before & port.connections else True

    await eventually(gone, "the connection is closed")
    return said, straight


@pytest.mark.parametrize("way", LONG_WAYS)
async def test_the_answer_is_the_same_whichever_way_a_request_goes(asked: Asked, way: str) -> None:
    """Accepted, there already, not understood, refused."""
    cases = (
        (event("a"), event("b"), SECRET),
        (event("a"), event("b"), SECRET),
        (b'{"id":"a-1"}', b'{"id":"b-1"}', SECRET),
        (event("a-2"), event("b-2"), "somebody else's"),
    )
    async with listening(asked, LIMITS) as port:
        for short, long, secret in cases:
            one, straight = await asked_once(port, request(short, secret=secret))
            assert straight
            other, straight = await asked_once(port, request(long, *LONG_WAYS[way], secret=secret))
            assert not straight
            assert re.sub(rb'"b\b', b'"a', other) == one


async def test_requests_sent_ahead_are_answered_in_turn_whichever_way_they_go(asked: Asked) -> None:
    async with listening(asked, LIMITS) as port:
        reader, writer = await port.connected()
        large = request(event("large", "x" * SMALL_BODY))
        writer.write(request(event("first")) + ASKED + request(event("second")) + large + request(event("last")))
        said = [await answer(reader) for _ in range(5)]
        writer.close()
    ids = [re.findall(rb'"id":"(\w+)"', one) for one in said]
    assert ids == [[b"first"], [], [b"second"], [b"large"], [b"last"]]


@contextlib.contextmanager
def busy(asked: Asked) -> Iterator[None]:
    """Let nobody write to the store while the block runs."""
    with contextlib.closing(sqlite3.connect(asked.rules.with_name("router.db"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def waits(port: Port) -> None:
    """Return when an event waits for the disk."""

    async def answering() -> bool | None:
        return True if any(one.phase == "answer" for one in port.connections) else None

    await eventually(answering, "an event waits for the disk")


async def test_an_event_is_kept_though_whoever_sent_it_went_away_meanwhile(asked: Asked) -> None:
    async with listening(asked, LIMITS) as port:
        with busy(asked):
            _, writer = await port.connected()
            writer.write(request(event("orphan")))
            await waits(port)
            writer.transport.abort()

            async def gone() -> bool | None:
                return None if port.connections else True

            await eventually(gone, "whoever sent it is gone")

        async def kept() -> bool | None:
            return True if asked.store.events(EventFilter()).items else None

        await eventually(kept, "the event is there")
        assert (await asked_once(port, ASKED))[0].startswith(b"HTTP/1.1 200 ")


async def test_what_waits_for_the_disk_when_the_server_ends_is_answered_for_the_last_time(asked: Asked) -> None:
    async with listening(asked, LIMITS) as port:
        reader, writer = await port.connected()
        with busy(asked):
            writer.write(request(event("late")))
            await waits(port)
            port.server.should_exit = True

            async def ending() -> bool | None:
                return True if port.server.server_state.default_headers else None

            await eventually(ending, "the server ends")
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert b"\r\nconnection: close\r\n" in said
        writer.close()
