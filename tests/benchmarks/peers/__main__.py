"""All comparisons with other programs in one table; who is not installed is left out.

python -m tests.benchmarks.peers
"""

from tests.benchmarks.peers import alertmanager, bullmq, webhook
from tests.benchmarks.table import in_turn, show

ROUNDS = 5


def main() -> None:
    show(in_turn((bullmq.rows(3_000, ROUNDS), webhook.rows(3_000, ROUNDS), alertmanager.rows(1_500, ROUNDS))))


if __name__ == "__main__":
    main()
