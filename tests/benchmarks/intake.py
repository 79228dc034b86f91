"""Intake: distinct signed 1.2 KB webhooks on 64 connections, committed, against a Litestar handler that does nothing.

python -m tests.benchmarks.intake [--requests 20000] [--rounds 5]
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg

from router.storage.store import Store
from tests.benchmarks.drain import until
from tests.benchmarks.processes import Server, module, router, rules
from tests.benchmarks.table import Row, paired, run
from tests.postgres import running_server

COMMAND = "python -m tests.benchmarks.intake"


def rows(requests: int, rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare_url, sink = (stack.enter_context(module(name, folder)) for name in ("bare", "sink"))
        bare = Server(bare_url, requests=requests)

        def against_bare(work: str, goal: str, settle: str, store: str | None) -> Row:
            ours, other, ratio, p99 = _compared(
                bare,
                folder / work.replace(" ", "-"),
                rules(sink, settle),
                store,
                requests,
                rounds,
                at_rest=settle == "0s",
            )
            return Row(
                work=f"durable intake, {work}",
                ours=f"{ours:.0f}/s, p99 {p99:.0f} ms",
                other=f"bare handler {other:.0f}/s, p99 {bare.p99:.0f} ms",
                ratio=ratio,
                goal=goal,
                command=COMMAND,
            )

        yield against_bare("SQLite", "≥ 1.0, p99 ≤ 25 ms", "1h", None)
        yield against_bare("SQLite, routing and delivery beside it", "≥ 0.5", "0s", None)
        server = stack.enter_context(running_server(options="-c fsync=on"))
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE router")
        url = f"{server.url.removesuffix('/postgres')}/router"
        yield against_bare("PostgreSQL", "≥ 0.8", "1h", url)


def _compared(
    bare: Server, folder: Path, rules: str, store: str | None, requests: int, rounds: int, *, at_rest: bool
) -> tuple[float, float, float, float]:
    """Return our and the bare handler's requests per second, their ratio, and our p99. `at_rest`: a round begins when
    everything that came of the one before is delivered.
    """
    with router(folder, rules, store=store) as (url, _):
        ours = Server(url, requests=requests)
        ours.load()  # the first round warms up
        ours.loads.clear()
        with Store.open(store or f"sqlite:///{folder}/router.db") as reading:

            def measured() -> float:
                if at_rest:
                    until(lambda: not (left := reading.backlog()).waiting and not left.queues)
                return ours.load()

            return (*paired(measured, bare.load, rounds), ours.p99)


if __name__ == "__main__":
    run(__doc__, rows, requests=20_000, rounds=5)
