"""Memory of the service after it started, and with many stored events while it receives, routes and delivers.

python -m tests.benchmarks.memory [--events 100000] [--load 5000]

RSS counts what is shared with other processes in full, PSS in parts. "At most" is the kernel's own mark (VmHWM).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from router.storage.store import Store
from tests.benchmarks.drain import until
from tests.benchmarks.million import filled
from tests.benchmarks.processes import module, router, rules, send_load
from tests.benchmarks.table import Row, run

COMMAND = "python -m tests.benchmarks.memory"


def megabytes(pid: int, file: str, key: str) -> float:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024


def rows(events: int, load: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, module("sink", Path(name)) as sink:
        folder = Path(name)
        with router(folder / "empty", rules(sink, "0s")) as (url, process):
            until(lambda: httpx.get(f"{url}/health/ready").is_success)
            yield Row(
                work="memory after start",
                ours=f"RSS {megabytes(process.pid, 'status', 'VmRSS'):.0f} MB, "
                f"PSS {megabytes(process.pid, 'smaps_rollup', 'Pss'):.0f} MB",
                goal="RSS ≤ 120 MB",
                command=COMMAND,
            )
        store_url = f"sqlite:///{folder}/many.db"
        filled(store_url, events)
        with router(folder / "many", rules(sink, "0s"), store=store_url) as (url, process):
            send_load(f"{url}/webhooks/prod", requests=load, prompts=500)
            with Store.open(store_url) as store:
                until(lambda: not (backlog := store.backlog()).waiting and not backlog.queues)
            yield Row(
                work=f"memory with {events:,} stored events, after {load:,} more came and went",
                ours=f"RSS {megabytes(process.pid, 'status', 'VmHWM'):.0f} MB at most, "
                f"PSS {megabytes(process.pid, 'smaps_rollup', 'Pss'):.0f} MB at the end",
                goal="RSS ≤ 250 MB",
                command=COMMAND,
            )


if __name__ == "__main__":
    run(__doc__, rows, events=100_000, load=5_000)
