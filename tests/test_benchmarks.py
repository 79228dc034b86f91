"""The benchmarks still run: what they fill stores with fits the tables, what they start starts."""

from tests.benchmarks import drain, million, rendering
from tests.benchmarks.table import line


def test_a_store_is_filled_and_asked() -> None:
    (row,) = million.rows(20)
    assert row.work == "20 stored events, SQLite: what people and loops ask"


def test_a_queue_is_filled_and_drained_in_every_round() -> None:
    (row,) = drain.rows(20, rounds=2)
    assert row.ours.endswith("/s")


def test_slack_messages_are_rendered_and_every_row_names_its_command() -> None:
    rows = list(rendering.rows())
    assert len(rows) == 3
    assert all(line(row).endswith("`python -m tests.benchmarks.rendering` |") for row in rows)
