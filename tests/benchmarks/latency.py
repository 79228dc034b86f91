"""Webhook to sink at rest: one event at a time, with `settle = "0s"`: from sending it to its message's arrival.

python -m tests.benchmarks.latency [--rounds 5]
"""

import asyncio
import contextlib
import itertools
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from tests.benchmarks.load import requests_for, webhook
from tests.benchmarks.processes import Signature, router, rules
from tests.benchmarks.table import Row, run

COMMAND = "python -m tests.benchmarks.latency"
EVENTS = 40
"""Of a round."""

PAUSE = 0.05


class Stopwatch:
    """Sends webhooks and is the sink at `url` where their messages arrive: one clock sees both ends."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._arrivals: asyncio.Queue[float] = asyncio.Queue()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = runner.run(asyncio.start_server(self._answer, sock=listener))
        self._dice = random.Random()
        self._numbers = itertools.count()

    def times(self, server: str, signature: Signature = "langfuse") -> Callable[[], float]:
        """Return what sends a round of events to the server at that URL, and tells the median in milliseconds."""
        return lambda: self._runner.run(self._round(f"{server}/webhooks/prod", signature))

    async def _round(self, url: str, signature: Signature) -> float:
        target = urlsplit(url)
        bodies = (webhook(number, 1_000_000, self._dice) for number in itertools.islice(self._numbers, EVENTS))
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        taken = []
        for request in requests_for(url, bodies, signature):
            await asyncio.sleep(PAUSE)
            began = time.perf_counter()
            writer.write(request)
            arrival = await asyncio.wait_for(self._arrivals.get(), 10)
            taken.append((arrival - began) * 1_000)
            assert await _read(reader) in (b"HTTP/1.1 200 OK", b"HTTP/1.1 202 Accepted")
        writer.close()
        return statistics.median(taken)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)  # the last: when all is measured
        with contextlib.suppress(*over):
            while True:
                await _read(reader)
                self._arrivals.put_nowait(time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP message; return its first line."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    length = next((int(line[15:]) for line in headers if line.lower().startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return first


@contextlib.contextmanager
def at_rest() -> Iterator[tuple[Path, Stopwatch, Callable[[], float]]]:
    """Run a router with nothing to do; give a folder, the stopwatch, and what measures a round of it."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stopwatch = Stopwatch(stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop)))
        url, _ = stack.enter_context(router(folder / "router", rules(stopwatch.url, "0s")))
        ours = stopwatch.times(url)
        ours()  # the first round warms up
        yield folder, stopwatch, ours


def rows(rounds: int) -> Iterator[Row]:
    with at_rest() as (_, _, ours):
        taken = statistics.median(ours() for _ in range(rounds))
    yield Row(work="webhook to sink at rest, median", ours=f"{taken:.1f} ms", command=COMMAND)


if __name__ == "__main__":
    run(__doc__, rows, rounds=5)
