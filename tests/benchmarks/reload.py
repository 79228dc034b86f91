"""How long a reload of many rules takes, and for how long it holds the event loop up.

Run it with `python -m tests.benchmarks.reload [RULES]`. The event loop ticks every 2 ms meanwhile. What this process
computes between two ticks is the time for which something held the interpreter's lock; what a tick is late by the clock
on the wall is told too, but a busy machine is late by itself.
"""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from router.domain.problem import RulesError
from router.service.letting_go import let_go
from router.service.outside import Disk
from router.service.rulebook import Rulebook
from tests.benchmarks.table import Row

COMMAND = "python -m tests.benchmarks.reload"
HEAD = """[sources.prod]
secret = "${SECRET}"
[destinations.team]
type = "slack"
webhook_url = "${HOOK}"
[destinations.api]
type = "http"
url = "https://api.example.com"
"""
RULE = """[[rules]]
name = "rule-{n}"
match = {{ action = ["created", "updated"], prompt = "{prompt}", labels_gained = "{label}" }}
[[rules.actions]]
to = "team"
text = "*{{{{ prompt.name }}}}* v{{{{ prompt.version }}}} is now {{{{ label }}}} ({n})"
[[rules.actions]]
to = "api"
path = "/prompts/{{{{ prompt.name }}}}"
json = {{ rule = "{n}", version = "{{{{ prompt.version }}}}", by = "{{{{ author }}}}" }}
"""
BROKEN = '[[rules]]\nname = "broken"\nactions = [{ to = "nobody" }]\n'
ENVIRONMENT = {"SECRET": "lf-whsec_1", "HOOK": "https://hooks.slack.com/services/x"}
TICK = 0.002


def rules(count: int) -> str:
    """Return a file of rules of mixed shape, each with a text of its own."""
    return HEAD + "".join(
        RULE.format(
            n=n,
            prompt=f"team-{n % 500}/**" if n % 2 else f"folder-{n % 500}/prompt-{n}",
            label=("production", "staging", f"label-{n % 50}")[n % 3],
        )
        for n in range(count)
    )


class Measured(NamedTuple):
    """Seconds: how long it took, and of all ticks the most that one was late and that was computed before one."""

    took: float
    late: float
    computed: float


async def measured(work: Callable[[], Awaitable[object]]) -> Measured:
    late, computed = [0.0], [0.0]

    async def tick() -> None:
        while True:
            due, before = time.perf_counter() + TICK, time.process_time()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - due)
            computed.append(time.process_time() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    started = time.perf_counter()
    await work()
    took = time.perf_counter() - started
    ticking.cancel()
    return Measured(took, max(late), max(computed))


async def reload(book: Rulebook) -> None:
    """Do what the service does when it is told to reload."""
    replaced: list[object] = [book.put_in_force(await asyncio.to_thread(book.read))]
    await asyncio.to_thread(let_go, replaced)


async def refused_reload(book: Rulebook) -> None:
    with suppress(RulesError):
        await asyncio.to_thread(book.read)


async def nothing(_: Rulebook) -> None:
    await asyncio.sleep(2)


@contextmanager
def loaded(count: int) -> Iterator[tuple[Path, Rulebook]]:
    """Give a file of that many rules, and those rules in force."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text(rules(count))
        yield path, Rulebook(str(path), Disk(ENVIRONMENT), missing="error")


def rows(count: int, rounds: int) -> Iterator[Row]:
    with loaded(count) as (_, book):
        found = [asyncio.run(measured(partial(reload, book))) for _ in range(rounds)]
    yield Row(
        work=f"reload of {count:,} rules beside the event loop",
        ours=f"{statistics.median(one.took for one in found):.1f} s, "
        f"the loop is held up for {max(one.computed for one in found) * 1000:.0f} ms at most",
        command=COMMAND,
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    before = time.process_time()
    with loaded(count) as (path, book):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count:,} rules: loaded in {time.process_time() - before:.2f} s of CPU, {peak:.0f} MB at most")
        for _ in range(3):
            for work in (nothing, reload, refused_reload):
                path.write_text(rules(count) + (BROKEN if work is refused_reload else ""))
                found = asyncio.run(measured(partial(work, book)))
                ours, all_ = found.computed * 1000, found.late * 1000
                held_up = f"held up by it for {ours:5.1f} ms, by all for {all_:5.1f} ms"
                print(f"{work.__name__:15} {found.took:6.2f} s; {held_up}")


if __name__ == "__main__":
    main()
