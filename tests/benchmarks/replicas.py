"""Three replicas on one PostgreSQL against one, on the same machine: what sharing costs, no speed-up.

python -m tests.benchmarks.replicas [--requests 3000] [--rounds 5]
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg

from router.storage.store import Store
from tests.benchmarks.drain import arrived, filled, until
from tests.benchmarks.processes import Server, module, router, rules
from tests.benchmarks.table import Row, paired, run
from tests.postgres import running_server

COMMAND = "python -m tests.benchmarks.replicas"
REPLICAS = 3


class Postgres:
    """A server that writes to the disk what it answers."""

    def __init__(self, stack: ExitStack) -> None:
        url = stack.enter_context(running_server(options="-c fsync=on")).url
        self._base = url.removesuffix("/postgres")
        self._connection = stack.enter_context(psycopg.connect(url, autocommit=True))

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database, a copy of `template`; return its URL."""
        self._connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        self._connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return f"{self._base}/{name}"


def replicas(stack: ExitStack, count: int, folder: Path, rules: str, store: str) -> Sequence[str]:
    """Run so many routers on one store; return their URLs."""
    urls = [stack.enter_context(router(folder / str(number), rules, store=store))[0] for number in range(count)]
    for url in urls:
        until(lambda url=url: httpx.get(f"{url}/health/ready").is_success)  # type: ignore[misc]
    return urls


def rows(requests: int, rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(module("sink", folder))
        postgres = Postgres(stack)

        def intake(count: int) -> Callable[[], float]:
            store = postgres.create(f"intake_{count}")
            urls = replicas(stack, count, folder / f"intake-{count}", rules(sink, "1h"), store)
            server = Server(*urls, requests=requests)
            server.load()  # the first round warms up
            return server.load

        three, one, ratio = paired(intake(REPLICAS), intake(1), rounds)
        yield _row("durable intake", three, one, ratio)

        keys = filled(folder / "filled", requests, postgres.create("filled"))

        def drain(count: int) -> float:
            url = postgres.create("copy", "filled")
            with ExitStack() as running:
                replicas(running, count, folder / "copy", rules(sink, "0s"), url)
                httpx.delete(sink)
                with Store.open(url) as store:
                    store.retry(keys).result()
                    rate = arrived(sink, requests)
                    until(lambda: not store.backlog().queues)
            return rate

        three, one, ratio = paired(lambda: drain(REPLICAS), lambda: drain(1), rounds)
        yield _row("drain of a filled queue", three, one, ratio)


def _row(work: str, three: float, one: float, ratio: float) -> Row:
    return Row(
        work=f"{work}, {REPLICAS} replicas on one PostgreSQL",
        ours=f"{three:.0f}/s",
        other=f"1 replica {one:.0f}/s",
        ratio=ratio,
        goal="≥ 0.9",
        command=COMMAND,
    )


if __name__ == "__main__":
    run(__doc__, rows, requests=3_000, rounds=5)
