"""What it costs to match one change against many rules of which a handful match.

Run it with `python -m tests.benchmarks.matching [MOST RULES]`. The rules are of the mixed shape {action, exact name or
glob, label gained}. Compare the columns of one run with each other: the figures themselves are the machine's.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

from router.domain.change import Change
from router.domain.json import JsonObject
from router.engine.context import Setting
from router.engine.index import Index
from router.engine.match import Match, Vocabulary, compile_match
from tests.match.cases import MOVED

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


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1]
    print(f"{'rules':>8} {'matching':>9} {'look-up':>10} {'a change':>10} {'every rule':>12} ", end="")
    print(f"{'× at 100':>9} {'× faster':>9} {'index in':>9} {'of size':>9}")
    at_100 = float("nan")
    for count in (size for size in SIZES if size <= most):
        matches = [compile_match(table, Vocabulary())[0] for table in written(count)]
        built = best(partial(Index, matches), 1)
        tracemalloc.start()
        index = Index(matches)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        matching = by_index(matches, index, MOVED)
        assert matching == one_by_one(matches, MOVED) == MATCHING
        look_up = best(partial(index.candidates, MOVED), 2_000)
        found = best(partial(by_index, matches, index, MOVED), 500)
        every = best(partial(one_by_one, matches, MOVED), max(3, 20_000 // count))
        at_100 = found if count == 100 else at_100
        print(
            f"{count:>8,} {matching:>9} {look_up * 1e6:>7.1f} µs {found * 1e6:>7.0f} µs {every * 1e6:>9,.0f} µs "
            f"{found / at_100:>9.2f} {every / found:>9,.1f} {built:>7.2f} s {size / 2**20:>6.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
