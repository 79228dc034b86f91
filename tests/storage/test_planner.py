"""What is done again and again finds its rows by the small indexes, however much there is."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from router.domain.delivery import Accepted, Answer
from router.domain.event import PromptKey
from router.storage.deliveries import Settlement, Wanted
from router.storage.events import WaitingBatch
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.storage.make import NOW, delivery, enqueue

WANTED = {"team": Wanted(type="log", most=5, lease=timedelta(seconds=40), max_age=timedelta(days=1))}

GROWING = ("events", "deliveries", "prompts", "versions", "labels")


def settle(store: Store) -> None:
    claims = store.claim(WANTED).result()
    assert claims
    answer = Answer(outcome=Accepted("ok"))
    store.settle([Settlement(claim=claim, answer=answer, final="delivered") for claim in claims]).result()


def waiting_batch(number: int) -> WaitingBatch:
    key = PromptKey("prod", "project", f"prompt-{number}") if number else None
    return WaitingBatch(key=key, seq=number, source="prod", count=1, first_received_at=NOW, last_received_at=NOW)


def take_turn(store: Store) -> None:
    batches = [waiting_batch(number) for number in range(3)]
    keys = [batch.key for batch in batches if batch.key is not None]
    with store.turn(batches) as turn:
        turn.events(batches)
        turn.ledgers(keys)
        turn.contents({key: ["v-1"] for key in keys})


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.waiting(),
        lambda store: store.batch(PromptKey("prod", "project", "checkout")),
        take_turn,
        lambda store: store.due_destinations(WANTED),
        settle,
        lambda store: store.give_up(WANTED).result(),
    ],
    ids=[
        "what waits",
        "the events of a prompt",
        "all that a step of routing reads",
        "what is due",
        "claim and settle",
        "give up",
    ],
)
def test_queues_are_read_by_their_own_indexes(tmp_path: Path, work: Callable[[Store], object]) -> None:
    url = f"sqlite:///{tmp_path / 'router.db'}"
    with Store.open(url, serve=True) as store:
        enqueue(store, *(delivery(f"k-{number}", action=str(number)) for number in range(5)))
    with Store.open(url, serve=True) as store, executed() as statements:
        work(store)
    plans = explained(tmp_path / "router.db", statements)
    assert plans
    for plan in plans:
        assert not plan.startswith(tuple(f"SCAN {table}" for table in GROWING)), plan
        assert "_seq (" not in plan, f"goes through a list that grows: {plan}"


@pytest.mark.parametrize("wanted", [EventFilter(until=NOW), EventFilter(since=NOW), EventFilter(since=NOW, until=NOW)])
def test_events_of_a_time_are_sought_and_not_walked_to(tmp_path: Path, wanted: EventFilter) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'router.db'}", serve=True):
        pass
    with Store.open(f"sqlite:///{tmp_path / 'router.db'}", serve=True) as store, executed() as statements:
        store.events(wanted)
    plan = explained(tmp_path / "router.db", statements)
    assert plan[0].startswith("SEARCH events USING INDEX events_received_at_source (received_at"), plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan, "only what arrived in the same millisecond is sorted"


@contextmanager
def executed() -> Iterator[list[tuple[str, Any]]]:
    """Collect what is executed, each statement with (one of) its parameters."""
    statements: list[tuple[str, Any]] = []

    def collect(*told: Any) -> None:
        _connection, _cursor, statement, parameters, _context, executemany = told
        statements.append((statement, parameters[0] if executemany else parameters))

    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", collect)


def explained(path: Path, statements: Iterable[tuple[str, Any]]) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [
            row[-1]
            for statement, parameters in statements
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def test_a_store_can_be_opened_again_and_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'router.db'}"
    for _ in range(2):
        with Store.open(url, serve=True) as store, store._database.read() as connection:
            counted = connection.execute(text("SELECT count(*), count(DISTINCT idx) FROM sqlite_stat1")).one()
            assert counted[0] == counted[1]
