"""What a connection may cost, tried over real sockets against a real service with less patience than it usually has."""

import asyncio
import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest
from structlog.testing import capture_logs

from router.langfuse.signature import sign
from router.service.connections import MOST_AHEAD, Connection, Connections, Limits, most_connections
from router.service.exchange import SMALL_BODY
from router.service.server import GRACE_SECONDS, BoundedServer
from tests.acceptance.running import SECRET
from tests.acceptance.test_intake import body
from tests.service.conftest import Asked, eventually

LARGE = 4 * SMALL_BODY


class Port:
    """The port of a service. `ended`: why connections were given up."""

    def __init__(self, shared: Connections, ended: Counter[str], server: BoundedServer, port: int) -> None:
        self.shared = shared
        self.ended = ended
        self.server = server
        self.port = port

    @property
    def connections(self) -> set[Connection]:
        return cast("set[Connection]", self.server.server_state.connections)

    async def connected(self, receive_buffer: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=connection)

    async def said(self, *sent: bytes, every: float = 0) -> bytes:
        """Send these, again and again the last of them if `every` so many seconds, and return all that comes back."""
        reader, writer = await self.connected()
        dripping = asyncio.create_task(self._drip(writer, sent, every))
        answer = b""
        with contextlib.suppress(ConnectionError):  # who goes on sending is cut off after the answer
            async with asyncio.timeout(20):
                while part := await reader.read(65_536):
                    answer += part
        dripping.cancel()
        writer.close()
        return answer

    async def _drip(self, writer: asyncio.StreamWriter, sent: tuple[bytes, ...], every: float) -> None:
        with contextlib.suppress(ConnectionError):
            for part in sent:
                writer.write(part)
                await writer.drain()
            while every:
                await asyncio.sleep(every)
                writer.write(sent[-1])
                await writer.drain()

    async def webhook(self, id: str, text: str = "Hello") -> bytes:
        """Send an honest webhook; return the answer's first line."""
        raw = msgspec.json.encode(body(id, {"prompt": text}))
        answer = await self.said(
            b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            + f"x-langfuse-signature: {sign(raw, SECRET, datetime.now(UTC))}\r\n".encode()
            + b"content-length: %d\r\n\r\n" % len(raw)
            + raw
        )
        return answer.partition(b"\r\n")[0]


@contextlib.asynccontextmanager
async def listening(asked: Asked, limits: Limits) -> AsyncIterator[Port]:
    ended: Counter[str] = Counter()
    shared = Connections(limits, lambda cause: ended.update([cause]))
    shared.webhooks = asked.service.webhooks
    server = BoundedServer(asked.app, shared)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        try:
            yield Port(shared, ended, server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


IMPATIENT = Limits(head=0.5, body=0.8, answer=0.5, connections=100, bodies=10 * LARGE)

ASKED = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_who_takes_too_long_is_told_so_and_hung_up_on(asked: Asked) -> None:
    head = b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\n"
    with capture_logs() as logged:
        async with listening(asked, IMPATIENT) as port:
            answers = await asyncio.gather(
                port.said(b""),
                port.said(b"POST "),
                port.said(head, b"x: y\r\n", every=0.1),
                port.said(head + b"content-length: 1000\r\n\r\n", b"{", every=0.1),
                port.said(head + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n{\r\n", every=0.1),
                port.said(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n", b"a", every=0.1),
                # after an answer, line breaks are no request
                port.said(ASKED, b"\r\n", every=0.1),
                # answered before its body was there
                port.said(head.replace(b"prod", b"none") + b"content-length: 1000\r\n\r\n", b"{", every=0.1),
            )
    assert [re.findall(rb"HTTP/1\.1 (\d+)", answer) for answer in answers] == [
        [],
        *[[b"408"]] * 4,
        [b"403"],  # without a CSRF token nobody asks for its body
        [b"200"],
        [b"404"],
    ]
    assert b'{"status":408,"title":"Request Timeout","detail":"the request took too long to come"}' in answers[1]
    assert port.ended == {"idle": 2, "head": 2, "body": 4}
    assert not [line for line in logged if line["log_level"] == "error"]


async def test_who_goes_away_in_the_midst_of_a_request_is_no_fault(asked: Asked) -> None:
    with capture_logs() as logged:
        async with listening(asked, IMPATIENT) as port:
            csrf = await asked.csrf("/login")
            cookie = "; ".join(f"{name}={value}" for name, value in asked.browser.cookies.items())
            headers = f"host: x\r\ncookie: {cookie}\r\nx-csrftoken: {csrf}\r\ncontent-length: 1000\r\n"
            form = "content-type: application/x-www-form-urlencoded\r\n"
            answer = await port.said(f"POST /login HTTP/1.1\r\n{headers}{form}\r\n".encode(), b"a", every=0.1)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert port.ended == {"body": 1}
    assert not [line for line in logged if line["log_level"] == "error"]


async def test_who_is_waited_for_no_longer_than_usual_stays(asked: Asked) -> None:
    await asked.log_in()
    cookie = "; ".join(f"{name}={value}" for name, value in asked.browser.cookies.items())
    async with listening(asked, IMPATIENT) as port:
        reader, writer = await port.connected()
        live, watching = await port.connected()
        watching.write(f"GET /live HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n".encode())
        assert (await live.readline()).startswith(b"HTTP/1.1 200 ")
        for _ in range(12):
            writer.write(ASKED)
            await reader.readuntil(b"}")
            await asyncio.sleep(0.25)
        await asked.post("told-to-who-watches")
        async with asyncio.timeout(20):
            await live.readuntil(b"event: changed")
        for one in (writer, watching):
            one.close()
    assert not port.ended


async def test_an_answer_that_is_not_read_ends_and_one_that_is_read_slowly_does_not(asked: Asked) -> None:
    large = b"GET /static/vendor/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n"
    async with listening(asked, IMPATIENT) as port:
        refusing = socket.socket()
        refusing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        refusing.connect(("127.0.0.1", port.port))
        refusing.send(large * MOST_AHEAD)
        slow, writer = await port.connected(receive_buffer=4096)
        writer.write(large)
        read = 0
        for _ in range(15):
            read += len(await slow.read(65_536))
            await asyncio.sleep(0.2)

        async def given_up() -> bool | None:
            return True if port.ended["answer"] else None

        await eventually(given_up, "who reads nothing is given up")
        async with asyncio.timeout(20):
            while read < 1_732_839:
                read += len(await slow.read(65_536))
        assert port.ended["answer"] == 1
        refusing.close()
        writer.close()


async def test_of_too_many_connections_those_go_that_were_waited_for_longest(asked: Asked) -> None:
    async with listening(asked, Limits(connections=100, bodies=LARGE)) as port:
        crowd = [await port.connected() for _ in range(300)]
        for number in range(3):
            assert await port.webhook(f"in-the-crowd-{number}") == b"HTTP/1.1 202 Accepted"

        async def few() -> bool | None:
            return True if len(port.connections) <= 100 else None

        await eventually(few, "the crowd is gone")
        assert 200 <= port.ended["crowd"] <= 210, "hardly more than it takes"
        assert await crowd[0][0].read() == b"", "the first had waited longest"
        assert not crowd[-1][0].at_eof(), "the last had just come"
        for _, writer in crowd:
            writer.close()


async def test_large_bodies_share_what_there_is_and_small_ones_are_always_taken(asked: Asked) -> None:
    async with listening(asked, Limits(connections=100, bodies=3 * LARGE)) as port:
        unfinished = b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (2 * LARGE)
        writers = []
        for _ in range(3):
            _, writer = await port.connected()
            writer.write(unfinished + b" " * LARGE)
            await writer.drain()
            writers.append(writer)

        async def counted() -> bool | None:
            return True if port.shared.bodies == 3 * LARGE else None

        await eventually(counted, "what was sent is counted")
        assert await port.webhook("small", "Hello") == b"HTTP/1.1 202 Accepted"
        refused = await port.said(unfinished, b" " * LARGE)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in refused
        assert port.ended == {"memory": 1}
        for writer in writers:
            writer.close()

        async def free() -> bool | None:
            return True if not port.shared.bodies else None

        await eventually(free, "what nobody sends any more takes no place")
        assert await port.webhook("large", "x" * LARGE) == b"HTTP/1.1 202 Accepted"
        assert not port.shared.bodies


async def test_requests_sent_ahead_are_answered_in_turn_but_not_thousands_of_them(asked: Asked) -> None:
    async with listening(asked, IMPATIENT) as port:
        answers = await port.said(ASKED * MOST_AHEAD)
        assert len(re.findall(rb"HTTP/1\.1 200 ", answers)) == MOST_AHEAD
        assert not await port.said(ASKED * 3_000)
        assert await port.webhook("afterwards") == b"HTTP/1.1 202 Accepted"


async def test_who_wants_another_protocol_gets_this_one(asked: Asked) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    async with listening(asked, IMPATIENT) as port:
        paths = (b"/webhooks/prod", b"/live", b"/health/live")
        asked_for = [port.said(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n" + upgrade + key) for path in paths]
        statuses = [re.findall(rb"^HTTP/1\.1 (\d+) ", answer) for answer in await asyncio.gather(*asked_for)]
    assert statuses == [[b"405"], [b"303"], [b"200"]]


@pytest.mark.parametrize(("descriptors", "connections"), [(300, 150), (1024, 512), (20_000, 16_384), (2**40, 16_384)])
def test_most_connections_leave_some_files_to_the_others(descriptors: int, connections: int) -> None:
    assert most_connections(descriptors) == connections


@pytest.mark.parametrize("framing", [b"content-length: 9\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"])
async def test_who_does_not_finish_a_request_does_not_hold_up_the_end(asked: Asked, framing: bytes) -> None:
    async with listening(asked, Limits(connections=100, bodies=LARGE)) as port:
        _, writer = await port.connected()
        writer.write(b"POST /webhooks/prod HTTP/1.1\r\nhost: x\r\n" + framing)

        async def begun() -> bool | None:
            return True if any(one.phase == "body" for one in port.connections) else None

        await eventually(begun, "the request is under way")
        began = time.monotonic()
    assert time.monotonic() - began < GRACE_SECONDS / 2
    writer.close()
