"""Routing: from stored events to stored deliveries, without receiving and sending, in one process.

python -m tests.benchmarks.routing [--events 2100] [--rounds 5]

Each event is of another prompt, matches one rule and makes one message; a number of events that seven divides meets the
same prompts again. The CPU time is this process's own: the PostgreSQL server's is not in it.
"""

import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

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


def arrived(version: int, prompts: int, dice: random.Random) -> list[NewEvent]:
    """Return events as webhooks bring them: that version of so many prompts."""
    now = datetime.now(UTC)
    found = []
    for number in range((version - 1) * prompts, version * prompts):
        raw = webhook(number, prompts, dice)
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


class Cost(NamedTuple):
    """CPU time and time of one event, in seconds."""

    computed: float
    took: float

    def __str__(self) -> str:
        return f"{self.computed * 1e6:.0f} µs ({1 / self.took:.0f}/s)"


def cost(store: Store, compiled: Ruleset, arrived: Sequence[NewEvent]) -> Cost:
    for result in store.receive_all(arrived).result():
        assert not isinstance(result, Exception)
    began, computed = time.perf_counter(), time.process_time()
    asyncio.run(routed(store, compiled, len(arrived)))
    return Cost((time.process_time() - computed) / len(arrived), (time.perf_counter() - began) / len(arrived))


def measured(fresh: Callable[[], str], compiled: Ruleset, events: int, rounds: int) -> tuple[Cost, Cost]:
    """Return what an event of a prompt costs that was not known, and of one that was: medians of the rounds.

    `fresh` makes an empty database and returns its URL.
    """
    dice = random.Random()
    first, second = list[Cost](), list[Cost]()
    for _ in range(rounds + 1):
        with Store.open(fresh(), migrate=True) as store:
            first.append(cost(store, compiled, arrived(1, events, dice)))
            second.append(cost(store, compiled, arrived(2, events, dice)))
    # the first round warms up
    return median(first[1:]), median(second[1:])


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(part) for part in zip(*costs, strict=True)))


def ruleset(written: str) -> Ruleset:
    return ruleset_of(rules("http://127.0.0.1:9", "0s", written).replace("${LANGFUSE_WEBHOOK_SECRET}", "${SECRET}"))


def rows(events: int, rounds: int) -> Iterator[Row]:
    few, many = map(ruleset, (EVERYTHING, our_rules()))
    gc.freeze()  # as the service does
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        numbers = count()

        def file() -> str:
            return f"sqlite:///{folder}/{next(numbers)}.db"

        server = stack.enter_context(running_server(options="-c fsync=on"))

        def database() -> str:
            name = f"router_{next(numbers)}"
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"{server.url.removesuffix('/postgres')}/{name}"

        for store, fresh in (("SQLite", file), ("PostgreSQL", database)):
            pairs = zip(measured(fresh, many, events, rounds), measured(fresh, few, events, rounds), strict=True)
            for known, (ours, other) in zip(("not known", "known"), pairs, strict=True):
                yield Row(
                    work=f"routing an event of a prompt that was {known}, {store}: CPU time",
                    ours=f"10,000 rules {ours}",
                    other=f"1 rule {other}",
                    ratio=ours.computed / other.computed,
                    command=COMMAND,
                )


if __name__ == "__main__":
    run(__doc__, rows, events=2_100, rounds=5)
