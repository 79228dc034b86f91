"""Routing: from stored events to stored deliveries, without receiving and sending, in one process.

python -m tests.benchmarks.routing [--events 2000] [--rounds 5]

Each event is the first of its prompt, matches one rule and makes one message. The CPU time is this process's own: the
PostgreSQL server's is not in it.
"""

import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

import psycopg

from router.domain.routing import Routing
from router.engine.ruleset import Ruleset
from router.langfuse.envelope import envelope
from router.service.routing import RoutingLoop
from router.storage.events import NewEvent
from router.storage.store import Store
from tests.benchmarks.load import webhook
from tests.benchmarks.peers.alertmanager import our_rules
from tests.benchmarks.processes import EVERYTHING, rules
from tests.benchmarks.table import Row, run
from tests.build import ruleset_of
from tests.postgres import running_server

COMMAND = "python -m tests.benchmarks.routing"


def arrived(count: int, dice: random.Random) -> list[NewEvent]:
    """Return events as webhooks bring them, each of another prompt."""
    now = datetime.now(UTC)
    found = []
    for number in range(count):
        raw = webhook(number, count, dice)
        seen = envelope(raw, "prod", now)
        event = NewEvent(
            source="prod",
            id=seen.id,
            type=seen.type,
            action=seen.action,
            project_id=seen.project_id,
            prompt=seen.prompt,
            received_at=now,
            sent_at=seen.timestamp,
            body=raw,
        )
        found.append(event)
    return found


async def routed(store: Store, compiled: Ruleset, events: int) -> None:
    """Route so many events that wait."""
    left = events

    def told(routings: Sequence[Routing], _claimed: Collection[str]) -> None:
        nonlocal left
        left -= sum(len(routing.deliveries) for routing in routings)
        if not left:
            loop.stop()

    loop = RoutingLoop(store, lambda: compiled, told, capture=False)
    await loop.run()
    assert not left


def measured(url: str, compiled: Ruleset, events: int, rounds: int) -> tuple[float, float]:
    """Return the CPU time for an event in microseconds and the events per second, medians of the rounds."""
    dice = random.Random()
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):  # the first warms up
            with Store.open(url.format(folder=folder, number=number), migrate=True) as store:
                for result in store.receive_all(arrived(events, dice)).result():
                    assert not isinstance(result, Exception)
                began, computed = time.perf_counter(), time.process_time()
                asyncio.run(routed(store, compiled, events))
                times.append((time.process_time() - computed, time.perf_counter() - began))
    return (
        statistics.median(computed for computed, _ in times[1:]) / events * 1e6,
        events / statistics.median(took for _, took in times[1:]),
    )


def ruleset(written: str) -> Ruleset:
    return ruleset_of(rules("http://127.0.0.1:9", "0s", written).replace("${LANGFUSE_WEBHOOK_SECRET}", "${SECRET}"))


def rows(events: int, rounds: int) -> Iterator[Row]:
    few, many = map(ruleset, (EVERYTHING, our_rules()))
    gc.freeze()  # as the service does
    with ExitStack() as stack:

        def stores() -> Iterator[tuple[str, str]]:
            yield "SQLite", "sqlite:///{folder}/{number}.db"
            server = stack.enter_context(running_server(options="-c fsync=on"))
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE router")
            yield "PostgreSQL", f"{server.url.removesuffix('/postgres')}/router"

        for store, url in stores():
            computed, rate = measured(url, few, events, rounds)
            computed_many, rate_many = measured(url, many, events, rounds)
            yield Row(
                work=f"routing of stored events, {store}: CPU time of one",
                ours=f"10,000 rules {computed_many:.0f} µs ({rate_many:.0f}/s)",
                other=f"1 rule {computed:.0f} µs ({rate:.0f}/s)",
                ratio=computed_many / computed,
                command=COMMAND,
            )


if __name__ == "__main__":
    run(__doc__, rows, events=2_000, rounds=5)
