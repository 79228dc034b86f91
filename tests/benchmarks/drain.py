"""Drain: a filled queue to a local sink at concurrency 50: claim, send, store how it ended.

python -m tests.benchmarks.drain [--deliveries 3000]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx

from router.storage.records import DeliveryFilter
from router.storage.store import Store
from tests.benchmarks.processes import free_port, router, running, send_load

T = TypeVar("T")

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.sink]
type = "http"
url = "http://127.0.0.1:PORT/hook"
allow_private = true
concurrency = 50

[[rules]]
name = "everything"
actions = [{ to = "sink" }]
"""


def until(look: Callable[[], T | None], seconds: float = 120) -> T:
    """Return what `look` finds as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError


def filled(folder: Path, rules: str, count: int) -> str:
    """Return the URL of a SQLite store with that many deliveries that wait."""
    url = f"sqlite:///{folder}/router.db"
    with router(folder, rules, "--capture") as (base, _):
        send_load(f"{base}/webhooks/prod", count, prompts=count)
        with Store.open(url) as store:
            until(lambda: not store.backlog().waiting)
    with Store.open(url) as store:
        cursor, keys = None, []
        while True:
            page = store.deliveries(DeliveryFilter(status="captured"), limit=1_000, cursor=cursor)
            keys += [record.key for record in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert len(store.retry(keys).result()) == count
    return url


def drained(folder: Path, rules: str, sink: str, count: int) -> float:
    """Start a router on the filled store; return deliveries per second, from the first to the last at the sink."""
    httpx.delete(sink)
    with router(folder, rules):
        told = until(lambda: found if (found := httpx.get(sink).json())["count"] >= count else None)
        with Store.open(f"sqlite:///{folder}/router.db") as store:
            until(lambda: not store.backlog().queues)
    assert told["count"] == count
    return float(count / (told["last"] - told["first"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=3_000)
    asked = parser.parse_args()
    port = free_port()
    sink, rules = f"http://127.0.0.1:{port}/", RULES.replace("PORT", str(port))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = (sys.executable, "-m", "tests.benchmarks.sink", str(port))
        with running(*command, url=sink, log=folder / "sink.log"):
            filled(folder / "router", rules, asked.deliveries)
            print(f"{drained(folder / 'router', rules, sink, asked.deliveries):.0f} deliveries/s")


if __name__ == "__main__":
    main()
