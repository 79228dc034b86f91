"""Drain: a filled queue to a local sink at concurrency 50: claim, send, store how it ended.

python -m tests.benchmarks.drain [--deliveries 3000] [--rounds 5]
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx

from router.storage.records import DeliveryFilter
from router.storage.store import Store
from tests.benchmarks.processes import module, router, rules, send_load
from tests.benchmarks.table import Row, run

T = TypeVar("T")

COMMAND = "python -m tests.benchmarks.drain"


def until(look: Callable[[], T | None], seconds: float = 120) -> T:
    """Return what `look` finds as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError


def filled(folder: Path, count: int, store_url: str) -> list[str]:
    """Receive and route that many webhooks; return the keys of their deliveries, all of them captured."""
    with router(folder, rules("http://127.0.0.1:9", "0s"), "--capture", store=store_url) as (base, _):
        send_load(f"{base}/webhooks/prod", requests=count, prompts=count)
        with Store.open(store_url) as store:
            until(lambda: not store.backlog().waiting)
    with Store.open(store_url) as store:
        cursor, keys = None, []
        while True:
            page = store.deliveries(DeliveryFilter(status="captured"), limit=1_000, cursor=cursor)
            keys += [record.key for record in page.items]
            if (cursor := page.next_cursor) is None:
                break
    assert len(keys) == count
    return keys


def arrived(sink: str, count: int) -> float:
    """Wait until the sink has that many, and no more; return how many came per second, from the first to the last."""
    told = until(lambda: found if (found := httpx.get(sink).json())["count"] >= count else None)
    assert told["count"] == count
    return float(count / (told["last"] - told["first"]))


def queue(folder: Path, sink: str, count: int) -> Callable[[], float]:
    """Fill a queue; return what sends all of a copy of it and tells the deliveries per second."""
    url = f"sqlite:///{folder}/filled/router.db"
    keys = filled(folder / "filled", count, url)
    with Store.open(url) as store:
        store.retry(keys).result()

    def drained() -> float:
        copy = shutil.copytree(folder / "filled", folder / "copy")
        httpx.delete(sink)
        with router(copy, rules(sink, "0s")):
            rate = arrived(sink, count)
            with Store.open(f"sqlite:///{copy}/router.db") as store:
                until(lambda: not store.backlog().queues)
        shutil.rmtree(copy)
        return rate

    return drained


def rows(deliveries: int, rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, module("sink", Path(name)) as sink:
        drained = queue(Path(name), sink, deliveries)
        rate = statistics.median(drained() for _ in range(rounds))
        yield Row(work="drain of a filled queue at concurrency 50", ours=f"{rate:.0f}/s", command=COMMAND)


if __name__ == "__main__":
    run(__doc__, rows, deliveries=3_000, rounds=5)
