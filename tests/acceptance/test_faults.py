"""Everything that can go wrong on the way to a destination: what is said of it, and whether it is tried again.

The same table stands in docs/explanation/delivery.md.
"""

import gzip
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from router.delivery.client import Clients
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer, Refused, Rejected, Retry
from router.domain.destination import EmailDestination, HttpDestination, Limits
from router.domain.message import EmailMessage, HttpMessage, JsonBody, Message
from router.domain.text import Text
from tests.acceptance.receivers import Receiver, Reply, mailbox
from tests.acceptance.running import RunningRouter, eventually
from tests.acceptance.test_delivery import ONE
from tests.acceptance.test_intake import body

MESSAGE = HttpMessage(body=JsonBody.of({"hello": "world"}))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def attempt(url: str, *, seconds: float = 20, message: Message = MESSAGE) -> Answer:
    limits = Limits(allow_private=True, timeout=timedelta(seconds=seconds))
    async with Clients() as clients:
        return await send(message, HttpDestination(name="sink", limits=limits, url=Text(url)), "k", clients, NOW)


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Run a server of which `answer` gets each connection once the request has begun to come."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    answer(connection)
                except OSError:
                    pass  # whoever asked is gone

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side gives up


def hang_after(sent: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(sent)
        hang(connection)

    return answer


def drip(connection: socket.socket) -> None:
    for byte in OK * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reset, Retry("connection reset")),
        (lambda _: None, Retry("the connection ended before there was an answer")),
        (hang, Retry("no answer within 1 s")),
        (hang_after(OK[:20]), Retry("no answer within 1 s")),
        (drip, Retry("no answer within 1 s")),
        # the status was said, so what becomes of the body changes nothing
        (hang_after(OK[:-1]), Accepted("HTTP 200 OK")),
        (lambda connection: connection.sendall(OK[:-1]), Accepted("HTTP 200 OK")),
        (lambda connection: connection.sendall(b"hello\r\n\r\n"), Retry("what came back is not HTTP")),
    ],
)
async def test_a_connection_that_goes_wrong(answer: Callable[[socket.socket], object], expected: object) -> None:
    with listening(answer) as url:
        answered = await attempt(url, seconds=1)
    assert answered.outcome == expected


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert (await attempt(f"http://127.0.0.1:{port}")).outcome == Retry("connection refused")
    assert (await attempt("http://nowhere.invalid")).outcome == Retry("cannot resolve host")


async def test_a_certificate_that_nobody_vouches_for_and_one_that_ca_file_does(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Receiver() as receiver:
        receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
        url = receiver.url.replace("http:", "https:")
        outcome = (await attempt(url)).outcome
        assert isinstance(outcome, Retry)
        assert outcome.reason.startswith("TLS: ")
        limits = Limits(allow_private=True, ca_file=str(tmp_path / "ca.pem"))
        to = HttpDestination(name="sink", limits=limits, url=Text(url))
        async with Clients() as clients:
            assert isinstance((await send(MESSAGE, to, "k", clients, NOW)).outcome, Accepted)
        missing = HttpDestination(name="s", limits=Limits(allow_private=True, ca_file="gone.pem"), url=Text(url))
        async with Clients() as clients:
            assert isinstance((await send(MESSAGE, missing, "k", clients, NOW)).outcome, Retry)


async def test_an_answer_without_end_is_left_after_64_kib() -> None:
    sent = 0

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 65_536)

    with listening(pour) as url:
        answer = await attempt(url)
    assert answer.outcome == Accepted("HTTP 200 OK")
    assert len(answer.excerpt) == 2_000
    assert sent < 20_000_000


async def test_a_compressed_answer_is_left_after_64_kib() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=1)
    with Receiver() as receiver:
        receiver.replies = [Reply(headers={"content-encoding": "gzip"}, body=bomb)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = await attempt(receiver.url)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert answer.outcome == Accepted("HTTP 200 OK")
    assert grown < 50_000  # KiB


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, Accepted) for status in (200, 201, 202, 204, 299)),
        *((status, Rejected) for status in (300, 301, 302, 303, 304, 307, 308)),
        *((status, Rejected) for status in (400, 402, 405, 406, 409, 413, 415, 418, 422, 431, 451)),
        *((status, Refused) for status in (401, 403, 404, 410)),
        *((status, Retry) for status in (408, 425, 429, 500, 501, 502, 503, 504, 599)),
    ],
)
async def test_every_status(status: int, expected: type) -> None:
    with Receiver() as receiver:
        receiver.script = lambda _: Reply(status=status, body=b"", headers={"location": "https://elsewhere.example/"})
        outcome = (await attempt(receiver.url)).outcome
        assert isinstance(outcome, expected)
        if 300 <= status < 400:
            assert isinstance(outcome, Rejected)
            assert outcome.reason.endswith("to https://elsewhere.example/; redirects are not followed")
        assert len(receiver.arrived) == 1


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("120", timedelta(minutes=2)),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), timedelta(minutes=3)),
        (format_datetime(NOW - timedelta(minutes=3), usegmt=True), timedelta()),
        ("99999999999", timedelta(days=1)),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_retry_after_as_seconds_and_as_date(said: str, after: timedelta | None) -> None:
    with Receiver() as receiver:
        receiver.replies = [Reply(status=503, headers={"retry-after": said})]
        assert (await attempt(receiver.url)).outcome == Retry("HTTP 503 Service Unavailable", after=after)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("421 closing", Retry("SMTP 421 closing")),
        ("450 mailbox busy", Retry("SMTP 450 mailbox busy")),
        ("550 no such user", Rejected("SMTP 550 no such user")),
    ],
)
async def test_what_a_mail_server_says(reply: str, expected: object) -> None:
    with mailbox() as (box, port):
        box.refuse = {"ann@example.com": reply}
        to = EmailDestination(
            name="mail",
            limits=Limits(allow_private=True),
            smtp=Text(f"smtp://127.0.0.1:{port}"),
            sender=Text("prompts@example.com"),
        )
        message = EmailMessage(recipients=("ann@example.com",), subject="s", text="t")
        async with Clients() as clients:
            answer = await send(message, to, "k", clients, NOW)
    assert answer.outcome == expected


def test_a_full_disk_refuses_webhooks_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with Receiver() as receiver, RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        assert router.process is not None
        router.post(body("before"))
        eventually(lambda: len(receiver.arrived) == 1, "one is delivered")
        unlimited = resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE)
        largest = max(path.stat().st_size for path in tmp_path.iterdir())
        # no file may grow any more: what a full disk means to the store
        resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE, (largest, unlimited[1]))
        answers: list[int] = []

        def large(number: int) -> dict[str, object]:
            return body(f"e{number}", {"id": f"v{number}", "name": f"p{number}", "prompt": "x" * 200_000})

        while 503 not in answers:  # so that Langfuse sends it again
            assert len(answers) < 500
            answers.append(router.post(large(len(answers))).status_code)
        resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE, unlimited)
        again = large(len(answers) - 1)
        eventually(lambda: router.post(again).status_code == 202, "there is room again")
        eventually(
            lambda: len({arrived.json["prompt"]["name"] for arrived in receiver.arrived}) == len(answers) + 1,
            "everything that was taken is delivered",
        )
        keys = [arrived.headers["idempotency-key"] for arrived in receiver.arrived]
        assert len(set(keys)) == len(answers) + 1
