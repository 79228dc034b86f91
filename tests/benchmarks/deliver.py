"""10,000 deliveries to 20 destinations of which 5 misbehave: is any lost, and does it hurt the others?

    python -m tests.benchmarks.deliver [deliveries]

Runs the worker on a SQLite file, with real sockets. Two destinations hang, one resets, one answers 503, one takes a
second; the other fifteen answer at once. Prints the time until the healthy ones have everything, how long an attempt
at one of them took (median, p95), the most memory, and that nothing was lost.
"""

import asyncio
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from router.delivery.client import Clients
from router.delivery.worker import Ended, Worker
from router.domain.delivery import NewDelivery
from router.domain.destination import AnyDestination, HttpDestination, Limits
from router.domain.message import HttpMessage, JsonBody
from router.domain.text import Text
from router.storage.store import Store
from tests.storage.make import delivery, enqueue

DESTINATIONS = 20
MESSAGE = HttpMessage(body=JsonBody.of({"text": "production moved v3 -> v4. " * 40}))
BAD = ("hangs", "hangs", "resets", "fails", "slow")


class Sink:
    """An HTTP server on asyncio: the path says how it behaves. `done`: all that is `wanted` has arrived."""

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.done = asyncio.Event()
        self.over = asyncio.Event()
        self.arrived: dict[str, float] = {}
        self.copies = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines[1:] if line)
                await reader.readexactly(int(headers.get("content-length", 0)))
                match lines[0].split()[1].strip("/"):
                    case "hangs":
                        await self.over.wait()
                        return
                    case "resets":
                        writer.transport.abort()
                        return
                    case "fails":
                        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
                        continue
                    case "slow":
                        await asyncio.sleep(1)
                self.copies += headers["idempotency-key"] in self.arrived
                self.arrived.setdefault(headers["idempotency-key"], time.monotonic())
                self.wanted.discard(headers["idempotency-key"])
                if not self.wanted:
                    self.done.set()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def destinations(url: str) -> Mapping[str, AnyDestination]:
    limits = Limits(allow_private=True, timeout=timedelta(seconds=2), retry=(timedelta(hours=1),) * 8)
    found: dict[str, AnyDestination] = {}
    for number in range(DESTINATIONS):
        name = f"d{number}"
        way = BAD[number] if number < len(BAD) else "ok"
        found[name] = HttpDestination(name=name, limits=limits, url=Text(f"{url}/{way}"))
    return found


def one_to(destination: str, number: int) -> NewDelivery:
    made = delivery(f"k-{number}", action=str(number), destination=destination, message=MESSAGE)
    return msgspec.structs.replace(made, type="http")


async def run(count: int, folder: Path) -> None:
    healthy = {f"k-{number}" for number in range(count) if number % DESTINATIONS >= len(BAD)}
    sink = Sink(set(healthy))
    server = await asyncio.start_server(sink.answer, "127.0.0.1", 0, backlog=1_000)
    known = destinations(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    ended: list[Ended] = []
    with Store.open(f"sqlite:///{folder / 'router.db'}", serve=True) as store:
        enqueue(store, *(one_to(f"d{number % DESTINATIONS}", number) for number in range(count)))
        async with Clients() as clients:
            worker = Worker(store, clients, lambda: known, ended.append, lambda _: None)
            started = time.monotonic()
            running = asyncio.create_task(worker.run())
            await sink.done.wait()
            took = time.monotonic() - started
            busy = [one.took.total_seconds() * 1000 for one in ended if one.claim.key in healthy]
            worker.stop()
            await running
            sink.over.set()
    with sqlite3.connect(folder / "router.db") as database:
        states = dict(database.execute("SELECT status, count(*) FROM deliveries GROUP BY status"))
    print(f"{len(healthy):,} deliveries to 15 healthy destinations: {took:.1f} s, {len(healthy) / took:,.0f}/s")
    cuts = statistics.quantiles(busy, n=100)
    print(f"an attempt to a healthy one: median {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB at most")
    lost = count - sum(states.values())
    print(f"states: {states}; lost: {lost}; twice to a receiver: {sink.copies}")
    server.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, Path(temporary)))
