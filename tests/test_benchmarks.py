"""The benchmarks still run: what they fill stores with fits the tables, what they start starts."""

from pathlib import Path

from tests.benchmarks import drain, million, rendering, routing
from tests.benchmarks.processes import EVERYTHING
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


def test_stored_events_are_routed_and_so_are_the_next_of_their_prompts(tmp_path: Path) -> None:
    urls = (f"sqlite:///{tmp_path}/{number}.db" for number in range(2))
    costs = routing.measured(lambda: next(urls), routing.ruleset(EVERYTHING), events=7, rounds=1)
    assert all(cost.computed for cost in costs)
