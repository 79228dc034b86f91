"""A store with many events: how long what people and loops ask takes, on SQLite and on PostgreSQL.

python -m tests.benchmarks.million [--events 1000000] [--store postgresql://…]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from router.domain.event import PromptKey
from router.storage.database import open_database
from router.storage.deliveries import Wanted
from router.storage.events import NewEvent
from router.storage.records import DeliveryFilter, EventFilter
from router.storage.store import Store
from tests.benchmarks.table import Row

COMMAND = "python -m tests.benchmarks.million"
PROMPTS = 5_000
BODY = b'{"prompt": "' + b"x" * 1_186 + b'"}'
LOOKS = 7

NUMBERS = {
    "postgresql": "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS numbers(n)",
    "sqlite": (
        "(WITH RECURSIVE numbers(n) AS (SELECT CAST(:first AS int) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)"
        " SELECT n FROM numbers) AS numbers"
    ),
}

FILL = [
    """INSERT INTO prompts (id, source, project_id, name, revision)
       SELECT n, 'prod', 'p-1', 'team/prompt-' || n, 1 FROM {prompts}""",
    """INSERT INTO events (seq, source, id, origin, type, action, project_id, prompt, received_at, sent_at, status,
                           reason, ruleset, routed_at, body_digest, body)
       SELECT n, 'prod', 'event-' || n, 'webhook', 'prompt-version', 'updated', 'p-1',
              'team/prompt-' || (n % :prompt_count + 1), :now - (:count - n) * 1000, :now - (:count - n) * 1000,
              'routed', '', 'r-1', :now, 'd', :body FROM {events}""",
    """INSERT INTO changes (id, event, prompt, type, action, origin, happened_at, facts, at)
       SELECT 'change-' || n, n, n % :prompt_count + 1, 'prompt-version', 'updated', 'webhook',
              :now - (:count - n) * 1000, '{{}}', :now
       FROM {events}""",
    """INSERT INTO verdicts (change_id, rule, verdict, clauses)
       SELECT 'change-' || n, 'rule', 'match', '[]' FROM {events}""",
    """INSERT INTO firings (id, rule, mode, ruleset, at)
       SELECT 'firing-' || n, 'rule', 'live', 'r-1', :now FROM {events}""",
    """INSERT INTO firing_changes (change_id, rule, firing)
       SELECT 'change-' || n, 'rule', 'firing-' || n FROM {events}""",
    """INSERT INTO deliveries (seq, key, firing, rule, action, position, destination, type, status, reason, prompt,
                               about_trouble, created_at, queued_at, due_at, ended_at, attempts, fence, again, message)
       SELECT n, 'key-' || n, 'firing-' || n, 'rule', 'a', 0, 'team', 'log', 'delivered', '', n % :prompt_count + 1,
              false, :now - (:count - n) * 1000, :now, :now, :now, 1, 1, 0, '{{"type":"log","text":"x"}}'
       FROM {events}""",
    """INSERT INTO attempts (delivery, fence, number, started_at, finished_at, outcome, reason, excerpt)
       SELECT n, 1, 1, :now, :now, 'accepted', '', '' FROM {events}""",
]


def fill(connection: Connection, count: int, now: datetime) -> None:
    """Store `count` routed events, each with a change, a firing and a delivered delivery."""
    numbers = NUMBERS[connection.dialect.name]
    for statement in FILL:
        sql = statement.format(
            prompts=numbers.replace(":last", ":prompt_count").replace(":first", "1"),
            events=numbers.replace(":last", ":count").replace(":first", "1"),
        )
        given = {"count": count, "prompt_count": PROMPTS, "now": int(now.timestamp() * 1_000), "body": BODY}
        wanted = text(sql)
        connection.execute(wanted, {name: given[name] for name in wanted.compile().params})
    if connection.dialect.name == "postgresql":
        for table in ("events", "deliveries", "prompts"):
            column = "id" if table == "prompts" else "seq"
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}")
            )


def median_ms(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)


def filled(url: str, count: int) -> datetime:
    """Fill an empty store with events of the last seconds, one each millisecond; return when the last came."""
    now = datetime.now(UTC)
    database = open_database(url, migrate=True)
    with database.writes.begin() as connection:
        fill(connection, count, now)
    database.close()
    analyze(url)
    return now


def measure(url: str, count: int) -> dict[str, float]:
    """Fill an empty store; return the milliseconds that each question takes."""
    now = filled(url, count)
    middle = count // 2
    with Store.open(url) as store:
        wanted = {"team": Wanted(type="log", most=50, lease=timedelta(seconds=40), max_age=timedelta(days=3))}
        store.put_in_force({"team": "log"}, []).result()
        arriving = iter(range(LOOKS + 1))

        def receive() -> object:
            number = next(arriving)
            return store.receive(
                NewEvent(
                    source="prod",
                    id=f"new-{number}",
                    type="prompt-version",
                    action="updated",
                    project_id="p-1",
                    prompt=f"team/prompt-{number + 1}",
                    received_at=now,
                    body=BODY,
                )
            ).result()

        return {
            "receive": median_ms(receive),
            "waiting": median_ms(store.waiting),
            "claim": median_ms(lambda: store.claim(wanted).result()),
            "due": median_ms(lambda: store.due_destinations(wanted)),
            "backlog": median_ms(store.backlog),
            "ledger": median_ms(lambda: store.ledger(PromptKey("prod", "p-1", "team/prompt-7"))),
            "events list": median_ms(lambda: store.events(EventFilter())),
            "events list in the middle": median_ms(lambda: store.events(EventFilter(), cursor=str(middle))),
            "events list of a prompt": median_ms(lambda: store.events(EventFilter(prompt="team/prompt-7"))),
            "events list of a rare status": median_ms(lambda: store.events(EventFilter(status="stale"))),
            "events list since an hour": median_ms(lambda: store.events(EventFilter(since=now - timedelta(hours=1)))),
            "events list before half": median_ms(
                lambda: store.events(EventFilter(until=now - timedelta(seconds=middle)))
            ),
            "events show": median_ms(lambda: store.event(f"event-{middle}")),
            "deliveries list": median_ms(lambda: store.deliveries(DeliveryFilter())),
            "deliveries list of a prompt": median_ms(lambda: store.deliveries(DeliveryFilter(prompt="team/prompt-7"))),
            "deliveries list, dead": median_ms(lambda: store.deliveries(DeliveryFilter(status="dead"))),
            "deliveries list of an absent rule": median_ms(lambda: store.deliveries(DeliveryFilter(rule="nobody"))),
            "deliveries show": median_ms(lambda: store.delivery(f"key-{middle}")),
        }


def analyze(url: str) -> None:
    """Let the database learn what it holds, as PostgreSQL's autovacuum does by itself."""
    database = open_database(url)
    with database.writes.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("VACUUM ANALYZE")
    database.close()


def rows(count: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        times = measure(f"sqlite:///{folder}/router.db", count)
    slowest = max(times, key=times.__getitem__)
    yield Row(
        work=f"{count:,} stored events, SQLite: what people and loops ask",
        ours=f"receive {times['receive']:.1f} ms, claim {times['claim']:.1f} ms; the slowest of {len(times)}, "
        f"{slowest}, {times[slowest]:.0f} ms",
        command=COMMAND,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", help="An empty database instead of a SQLite file.")
    asked = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(asked.store or f"sqlite:///{Path(folder) / 'router.db'}", asked.events)
    print(f"{asked.events:,} events stored and asked for in {time.perf_counter() - began:.0f} s")
    for what, milliseconds in times.items():
        print(f"{what:32} {milliseconds:9.1f} ms")


if __name__ == "__main__":
    main()
