"""All benchmarks in one table, each with the command that runs it alone, at sizes that take a quarter of an hour.

python -m tests.benchmarks
"""

from tests.benchmarks import (
    drain,
    intake,
    latency,
    matching,
    memory,
    million,
    pages,
    reload,
    rendering,
    replicas,
    routing,
)
from tests.benchmarks.table import in_turn, show

ROUNDS = 5


def main() -> None:
    show(
        in_turn(
            (
                matching.rows(10_000),
                rendering.rows(),
                reload.rows(10_000, 3),
                latency.rows(ROUNDS),
                intake.rows(6_000, ROUNDS),
                routing.rows(2_100, ROUNDS),
                drain.rows(3_000, ROUNDS),
                replicas.rows(3_000, ROUNDS),
                memory.rows(100_000, 5_000),
                million.rows(200_000),
                pages.rows(100_000),
            )
        )
    )


if __name__ == "__main__":
    main()
