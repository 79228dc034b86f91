"""All comparisons with other programs in one table; who is not installed is left out.

python -m tests.benchmarks.peers
"""

from collections.abc import Iterable, Iterator

from tests.benchmarks.peers import alertmanager, bullmq, webhook
from tests.benchmarks.peers.installed import NotInstalled
from tests.benchmarks.table import Row, show

ROUNDS = 5


def installed(rows: Iterable[Row], missing: list[str]) -> Iterator[Row]:
    """Yield the rows of a peer, unless it cannot be measured: then say why in `missing`."""
    try:
        yield from rows
    except NotInstalled as error:
        missing.append(str(error))


def main() -> None:
    missing: list[str] = []
    peers = (bullmq.rows(3_000, ROUNDS), webhook.rows(3_000, ROUNDS), alertmanager.rows(1_500, ROUNDS))
    show(row for rows in peers for row in installed(rows, missing))
    for one in missing:
        print(f"Left out: {one}")


if __name__ == "__main__":
    main()
