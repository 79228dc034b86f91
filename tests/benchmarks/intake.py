"""Intake: distinct signed 1.2 KB webhooks on 64 connections, committed, against a Litestar handler that does nothing.

python -m tests.benchmarks.intake [--requests 20000] [--rounds 5]
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

from tests.benchmarks.processes import Load, free_port, router, running, send_load
from tests.benchmarks.table import Row, paired, shown
from tests.postgres import running_server

COMMAND = "python -m tests.benchmarks.intake"
RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "SETTLE"

[destinations.sink]
type = "http"
url = "http://127.0.0.1:PORT/hook"
allow_private = true
concurrency = 50

[[rules]]
name = "everything"
actions = [{ to = "sink" }]
"""


def rules(sink: int, settle: str) -> str:
    return RULES.replace("PORT", str(sink)).replace("SETTLE", settle)


class Server:
    """Sends loads to one server and remembers what came of them."""

    def __init__(self, url: str, requests: int) -> None:
        self._url = f"{url}/webhooks/prod"
        self._requests = requests
        self.loads: list[Load] = []

    def load(self) -> float:
        """Return the requests per second."""
        load = send_load(self._url, self._requests, prompts=500)
        assert not load.failed
        self.loads.append(load)
        return load.per_second

    @property
    def p99(self) -> float:
        return statistics.median(load.p99 for load in self.loads)


def rows(requests: int, rounds: int) -> Sequence[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare_port, sink = free_port(), free_port()
        for module, port in (("bare", bare_port), ("sink", sink)):
            command = (sys.executable, "-m", f"tests.benchmarks.{module}", str(port))
            stack.enter_context(running(*command, url=f"http://127.0.0.1:{port}", log=folder / f"{module}.log"))
        bare = Server(f"http://127.0.0.1:{bare_port}", requests)

        def against_bare(work: str, goal: str, settle: str, store: str | None) -> Row:
            ours, other, ratio, p99 = _compared(
                bare, folder / work.replace(" ", "-"), rules(sink, settle), store, requests, rounds
            )
            return Row(
                work=f"durable intake, {work}",
                ours=f"{ours:.0f}/s, p99 {p99:.0f} ms",
                other=f"bare handler {other:.0f}/s, p99 {bare.p99:.0f} ms",
                ratio=ratio,
                goal=goal,
                command=COMMAND,
            )

        found = [
            against_bare("SQLite", "≥ 1.0, p99 ≤ 25 ms", "1h", None),
            against_bare("SQLite, routing and delivery beside it", "≥ 0.5", "0s", None),
        ]
        server = stack.enter_context(running_server(options="-c fsync=on"))
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE router")
        url = f"{server.url.removesuffix('/postgres')}/router"
        found.append(against_bare("PostgreSQL", "≥ 0.8", "1h", url))
        return found


def _compared(
    bare: Server, folder: Path, rules: str, store: str | None, requests: int, rounds: int
) -> tuple[float, float, float, float]:
    """Return our and the bare handler's requests per second, their ratio, and our p99."""
    with router(folder, rules, store=store) as (url, _):
        ours = Server(url, requests)
        measured: Callable[[], float] = ours.load
        measured()  # the first round warms up
        ours.loads.clear()
        return (*paired(measured, bare.load, rounds), ours.p99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print(shown(rows(asked.requests, asked.rounds)))


if __name__ == "__main__":
    main()
