"""The load generator, a process of its own: distinct signed webhooks over kept-open connections, to this machine only.

Everything is prepared before the clock starts: bodies, signatures, whole requests. Bounded by `--requests`.

    python -m tests.benchmarks.load http://127.0.0.1:8787/webhooks/prod --requests 20000
"""

import argparse
import asyncio
import hmac
import ipaddress
import itertools
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast, get_args
from urllib.parse import urlsplit

import msgspec
import uvloop

from router.langfuse.signature import sign
from tests.benchmarks.processes import SECRET, Load, Signature

BODY_BYTES = 1_200
KEY = SECRET.encode()


def webhook(number: int, prompts: int, dice: random.Random) -> bytes:
    """Return a body of about 1.2 KB: a version of one of `prompts` prompts that gained a label."""
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(milliseconds=number)
    moment = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {
        "id": str(uuid.UUID(int=dice.getrandbits(128))),
        "timestamp": moment,
        "type": "prompt-version",
        "apiVersion": "v1",
        "action": "created",
        "user": {"name": "Ann", "email": "ann@example.com"},
        "prompt": {
            "id": str(uuid.UUID(int=dice.getrandbits(128))),
            "name": f"team-{number % 7}/prompt-{number % prompts}",
            "version": number // prompts + 1,
            "projectId": "project-1",
            "createdBy": "user-1",
            "labels": ["production", "latest"],
            "prompt": "",
            "type": "text",
            "config": {"model": "gpt-4o", "temperature": 0.2},
            "commitMessage": "say it shorter",
            "tags": ["checkout"],
            "createdAt": moment,
            "updatedAt": moment,
        },
    }
    lacking = BODY_BYTES - len(msgspec.json.encode(body))
    body["prompt"]["prompt"] = f"Hello {{{{name}}}}, {dice.getrandbits(4 * lacking):x}"[:lacking]  # type: ignore[index]
    return msgspec.json.encode(body)


def requests_for(url: str, bodies: Iterator[bytes], signature: Signature = "langfuse") -> list[bytes]:
    """Return whole HTTP/1.1 requests, signed now."""
    target = urlsplit(url)
    now = datetime.now(UTC)

    def signed(body: bytes) -> str:
        return sign(body, SECRET, now) if signature == "langfuse" else hmac.digest(KEY, body, "sha256").hex()

    return [
        (
            f"POST {target.path} HTTP/1.1\r\nhost: {target.netloc}\r\ncontent-type: application/json\r\n"
            f"user-agent: Langfuse/1.0\r\nx-langfuse-signature: {signed(body)}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        for body in bodies
    ]


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last has come."""

    def __init__(self, load: Iterator[bytes], answered: list[tuple[float, int]], done: asyncio.Future[None]) -> None:
        self._load = load
        self._answered = answered
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < int(length):
            return
        self._answered.append((time.perf_counter() - self._sent, int(head[9:12])))
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _next(self) -> None:
        request = next(self._load, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def fire(urls: Sequence[str], requests: list[bytes], connections: int) -> Load:
    """Send all requests to addresses of this machine in turn, `connections` at a time."""
    targets = [(target.hostname or "", target.port or 80) for target in map(urlsplit, urls)]
    for host, _ in targets:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{host} is not this machine")
    loop = asyncio.get_running_loop()
    answered: list[tuple[float, int]] = []
    rest = iter(requests)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for end, (host, port) in zip(ends, itertools.cycle(targets), strict=False):
        await loop.create_connection(lambda end=end: _Connection(rest, answered, end), host, port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    seconds = time.perf_counter() - began
    times = sorted(taken for taken, _ in answered)
    accepted = sum(200 <= status < 300 for _, status in answered)
    return Load(
        requests=accepted,
        failed=len(requests) - accepted,
        seconds=seconds,
        p50=times[len(times) // 2] * 1_000,
        p99=times[len(times) * 99 // 100] * 1_000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="+", help="they all have the same path")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--signature", choices=get_args(Signature), default="langfuse")
    asked = parser.parse_args()
    dice = random.Random()
    bodies = (webhook(number, asked.prompts, dice) for number in range(asked.requests))
    load = uvloop.run(fire(asked.url, requests_for(asked.url[0], bodies, asked.signature), asked.connections))
    print(msgspec.json.encode(load).decode())


if __name__ == "__main__":
    main()
