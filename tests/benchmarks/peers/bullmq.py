"""The same by BullMQ: Redis that writes every answer to the disk, a server that makes jobs, a worker that posts them.

python -m tests.benchmarks.peers.bullmq [--deliveries 3000] [--rounds 5]
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.drain import arrived, queue
from tests.benchmarks.latency import at_rest
from tests.benchmarks.peers.installed import HERE, NotInstalled, program
from tests.benchmarks.processes import free_port, module, running, send_load
from tests.benchmarks.table import Row, paired, run

COMMAND = "python -m tests.benchmarks.peers.bullmq"


class BullMQ:
    """A queue in a Redis of its own. What it runs, it runs until the block ends."""

    def __init__(self, folder: Path, redis_port: str) -> None:
        self._folder = folder
        self._redis_port = redis_port

    @contextmanager
    def server(self) -> Iterator[str]:
        """Make jobs of what is sent to the URL given."""
        port = str(free_port())
        url = f"http://127.0.0.1:{port}"
        with self._node("server.js", port, url=url):
            yield url

    @contextmanager
    def worker(self, sink: str) -> Iterator[None]:
        """Post jobs to the URL `sink`."""
        with self._node("worker.js", sink, url=sink):
            yield

    def drain(self, sink: str, count: int) -> Callable[[], float]:
        """Return what fills the queue with webhooks, sends all, and tells the deliveries per second."""

        def drained() -> float:
            with self.server() as url:
                send_load(f"{url}/webhooks/prod", requests=count, prompts=count)
            httpx.delete(sink)
            with self.worker(sink):
                return arrived(sink, count)

        return drained

    @contextmanager
    def _node(self, script: str, argument: str, *, url: str) -> Iterator[None]:
        command = ("node", str(HERE / script), self._redis_port, argument)
        with running(*command, url=url, log=self._folder / f"{script}.log"):
            yield


@contextmanager
def bullmq(folder: Path) -> Iterator[BullMQ]:
    """Run Redis. Raises NotInstalled."""
    redis = program("redis-server", "redis-server")
    program("node", "nodejs")
    if not (HERE / "node_modules" / "bullmq").exists():
        raise NotInstalled(f"bullmq is not installed: npm install --prefix {HERE.relative_to(Path.cwd())}")
    folder.mkdir()
    port = str(free_port())
    command = (redis, str(HERE / "redis.conf"), "--port", port, "--dir", str(folder))
    with running(*command, url=f"redis://127.0.0.1:{port}", log=folder / "redis.log"):
        yield BullMQ(folder, port)


def rows(deliveries: int, rounds: int) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as name,
        module("sink", Path(name)) as sink,
        bullmq(Path(name) / "bullmq") as peer,
    ):
        ours, other, ratio = paired(queue(Path(name), sink, deliveries), peer.drain(sink, deliveries), rounds)
    yield Row(
        work="drain of a filled queue at concurrency 50",
        ours=f"{ours:.0f}/s",
        other=f"BullMQ {other:.0f}/s",
        ratio=ratio,
        goal="≥ 1.5, then 2.0",
        command=COMMAND,
    )
    with (
        at_rest() as (folder, stopwatch, our_times),
        bullmq(folder / "bullmq") as peer,
        peer.server() as url,
        peer.worker(stopwatch.url),
    ):
        times = stopwatch.times(url)
        times()  # the first round warms up
        ours, other, ratio = paired(our_times, times, rounds)
    yield Row(
        work="webhook to sink at rest, median",
        ours=f"{ours:.1f} ms",
        other=f"BullMQ {other:.1f} ms",
        ratio=ratio,
        goal="≤ 1.0",
        command=COMMAND,
    )


if __name__ == "__main__":
    run(__doc__, rows, deliveries=3_000, rounds=5)
