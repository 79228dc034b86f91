"""What it costs to match one change against many rules of which a handful match.

Run it with `python -m tests.benchmarks.matching [MOST RULES]`. The rules are of the mixed shape {action, exact name or
glob, label gained}. Compare the columns of one run with each other: the figures themselves are the machine's.
"Look-up" finds the rules that can match, "a change" also has the verdicts of those, clause by clause, as they are
stored; "from bytes" is all of it with what comes before: a webhook of 1.2 KB decoded, and what it changed derived.
"""

import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from router.domain.change import Change
from router.domain.json import JsonObject
from router.domain.ledger import Ledger
from router.engine.context import Setting
from router.engine.index import Index
from router.engine.ledger import derive, with_contents
from router.engine.match import Match, Vocabulary, compile_match
from router.langfuse.wire import decode
from tests.benchmarks.load import webhook
from tests.benchmarks.table import Row
from tests.build import NOON
from tests.match.cases import MOVED

COMMAND = "python -m tests.benchmarks.matching 10000"
SIZES = (10, 100, 1_000, 10_000, 100_000)
MATCHING = 5
SETTING = Setting(rule="rule")


def written(count: int) -> Iterator[JsonObject]:
    """Yield the matches of so many rules; the first few match `MOVED`, whatever the count."""
    for n in range(count):
        prompt = "checkout/cart" if n % 2 else "checkout/**"
        if n >= MATCHING:
            prompt = f"folder-{n // 20}/prompt-{n}" if n % 2 else f"team-{n // 20}/**"
        yield {
            "action": ["created", "updated"],
            "prompt": prompt,
            "labels_gained": "production" if n < MATCHING else ("production", "staging", f"label-{n % 50}")[n % 3],
        }


def by_index(matches: list[Match], index: Index, change: Change) -> int:
    """Return how many rules match, asking those that can."""
    return sum(matches[place].decide(change, SETTING).answer == "yes" for place in index.candidates(change))


def by_bytes(matches: list[Match], index: Index, raw: bytes) -> int:
    """Return how many rules match the change that a webhook tells about a prompt nobody knew."""
    event = decode(raw, "prod", NOON)
    assert event.prompt is not None
    derived = derive(Ledger(prompt=event.prompt), [event])
    return sum(by_index(matches, index, with_contents(change, derived.ledger.contents)) for change in derived.changes)


def one_by_one(matches: list[Match], change: Change) -> int:
    """Return how many rules match, asking every one."""
    return sum(match.decide(change, SETTING).answer == "yes" for match in matches)


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the seconds that the quickest round took: the others had company."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


class Costs(NamedTuple):
    """Seconds, but for `size`: bytes."""

    look_up: float
    change: float
    every_rule: float
    from_bytes: float
    built: float
    size: int


def costs(count: int) -> Costs:
    """Measure with that many rules."""
    matches = [compile_match(table, Vocabulary())[0] for table in written(count)]
    built = best(partial(Index, matches), 1)
    tracemalloc.start()
    index = Index(matches)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    raw = webhook(0, 1, random.Random()).replace(b"team-0/prompt-0", b"checkout/cart")
    assert by_index(matches, index, MOVED) == one_by_one(matches, MOVED) == by_bytes(matches, index, raw) == MATCHING
    return Costs(
        look_up=best(partial(index.candidates, MOVED), 2_000),
        change=best(partial(by_index, matches, index, MOVED), 500),
        every_rule=best(partial(one_by_one, matches, MOVED), max(3, 20_000 // count)),
        from_bytes=best(partial(by_bytes, matches, index, raw), 500),
        built=built,
        size=size,
    )


def rows(most: int) -> Iterator[Row]:
    few, many = costs(100), costs(most)
    for work, goal, one, other in (
        ("which rules a change can match", "≤ 5 µs, ratio ≤ 2.5", many.look_up, few.look_up),
        (f"the verdicts of the {MATCHING} that match, too", "ratio ≤ 2.5", many.change, few.change),
        ("the same from the bytes of a webhook", "ratio ≤ 2.5", many.from_bytes, few.from_bytes),
    ):
        yield Row(
            work=f"{most:,} rules: {work}",
            ours=f"{one * 1e6:.1f} µs",
            other=f"100 rules {other * 1e6:.1f} µs",
            ratio=one / other,
            goal=goal,
            command=COMMAND,
        )


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1]
    print(f"{'rules':>8} {'look-up':>10} {'a change':>10} {'from bytes':>10} {'every rule':>12} ", end="")
    print(f"{'× at 100':>9} {'× faster':>9} {'index in':>9} {'of size':>9}")
    at_100 = float("nan")
    for count in (size for size in SIZES if size <= most):
        found = costs(count)
        at_100 = found.change if count == 100 else at_100
        print(
            f"{count:>8,} {found.look_up * 1e6:>7.1f} µs {found.change * 1e6:>7.0f} µs "
            f"{found.from_bytes * 1e6:>7.0f} µs {found.every_rule * 1e6:>9,.0f} µs {found.change / at_100:>9.2f} "
            f"{found.every_rule / found.change:>9,.1f} {found.built:>7.2f} s {found.size / 2**20:>6.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
