"""The console over a store with many events: how long the server takes for each page.

python -m tests.benchmarks.pages [--events 100000] [--postgres]

The service itself receives and routes the first 4,000 events; the others are copies of them with all that came of them,
later in the week. What it captured is then made delivered, or dead.
"""

import argparse
import asyncio
import contextlib
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx
import msgspec
from sqlalchemy import ColumnElement, Connection, Table, insert, select, text

from router.domain.text import Text
from router.langfuse.wire import decode
from router.service.app import Service, public_app
from router.service.console.playground import BEFORE
from router.service.logging import configure
from router.service.outside import Disk
from router.service.rulebook import Rulebook
from router.storage.database import open_database
from router.storage.events import NewEvent
from router.storage.records import DeliveryFilter, EventFilter
from router.storage.store import Store
from router.storage.tables import change_labels, changes, deliveries, events, firing_changes, firings, verdicts
from tests.acceptance.running import SECRET
from tests.acceptance.test_intake import body
from tests.benchmarks.table import Row
from tests.postgres import running_server

COMMAND: Final = "python -m tests.benchmarks.pages"
GOAL_MS: Final = 200
LOOKS: Final = 7
PROMPTS: Final = 2_000
BUSY: Final = "team-0/prompt-0"
"""The prompt of every 50th event."""

ROUTED: Final = 4_000
AT_ONCE: Final = 2_000
WEEK: Final = timedelta(days=7)
COPIED: Final = (events, changes, change_labels, verdicts, firings, firing_changes, deliveries)
"""With their columns that name an event, a change, a firing or a delivery, and those that say when."""

NUMBERS: Final = {"events.seq", "changes.seq", "changes.event", "deliveries.seq"}
NAMES: Final = {"events.id", "changes.id", "firings.id", "deliveries.key", "deliveries.firing", "firing_changes.firing"}
TIMES: Final = {"received_at", "sent_at", "routed_at", "happened_at", "at", "created_at", "ended_at"}
TOKEN: Final = "token"
RULES: Final = """
[server]
admin_token = "token"
[store]
retention = "3650d"
[sources.prod]
secret = "${SECRET}"
settle = "0s"
[destinations.journal]
type = "log"
level = "debug"
[destinations.page]
type = "log"
level = "debug"
[[rules]]
name = "promoted"
match = { labels_gained = "production" }
actions = [{ to = "page" }]
[[rules]]
name = "all"
actions = [{ to = "journal" }]
""" + "".join(
    f'[[rules]]\nname = "team-{n}"\nmatch = {{ prompt = "team-{n}/*", labels_gained = "staging" }}\n'
    'actions = [{ to = "journal" }]\n'
    for n in range(30)
)


def arriving(count: int, began: datetime, span: timedelta) -> Iterator[NewEvent]:
    """Yield events: each prompt gets versions, and labels move between them."""
    for n in range(count):
        at = began + span * (n / count)
        number = n % PROMPTS
        name = BUSY if n % 50 == 0 else f"team-{number % 40}/prompt-{number}"
        version = n // PROMPTS + 1 if name != BUSY else n // 50 + 1
        stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        labels = ["latest", *(["production"] if n % 3 else []), *(["staging"] if n % 2 else [])]
        changes = {"id": f"{name} {version}", "name": name, "version": version, "labels": labels}
        changes |= {"createdAt": stamp, "updatedAt": stamp, "prompt": f"Answer {{{{name}}}} in {version} words.\n" * 20}
        raw = msgspec.json.encode(body(f"event-{n}", changes) | {"timestamp": stamp})
        event = decode(raw, "prod", at)
        assert event.prompt is not None
        yield NewEvent(
            source="prod",
            id=event.id,
            type=event.type,
            action=event.action,
            project_id=event.project_id,
            prompt=event.prompt.name,
            received_at=at,
            body=raw,
        )


async def fill(service: Service, count: int, span: timedelta) -> None:
    """Receive and route what happens in the first part of the week."""
    store = service.store
    waiting = []
    async with service.running():
        for n, event in enumerate(arriving(count, datetime.now(UTC) - WEEK, span), start=1):
            waiting.append(asyncio.wrap_future(store.receive(event)))
            if n % AT_ONCE == 0 or n == count:
                await asyncio.gather(*waiting)
                waiting.clear()
                service.routing.wake()
                while (await asyncio.to_thread(store.backlog)).waiting:  # noqa: ASYNC110 -- it tells nobody
                    await asyncio.sleep(0.02)


def copy(connection: Connection, number: int, span: timedelta) -> None:
    """Let what happened in the first part of the week happen once more, `number` parts later."""
    for table in COPIED:
        columns = []
        for column in table.c:
            of = f"{table.name}.{column.name}"
            if of in NUMBERS:
                columns.append(column + number * 1_000_000)
            elif of in NAMES or column.name == "change_id":
                columns.append(column + f"-{number}")
            elif column.name in TIMES:
                columns.append(column + number * int(span.total_seconds() * 1000))
            else:
                columns.append(column)
        first = NUMBERS & {f"{table.name}.seq"}
        rows = select(*columns).where(table.c.seq < 1_000_000) if first else select(*columns).where(_first(table))
        connection.execute(insert(table).from_select(list(table.c), rows))


def _first(table: Table) -> ColumnElement[bool]:
    name = table.c.id if table is firings else table.c.change_id
    return ~name.contains("-")


def age(url: str, copies: int) -> None:
    """Fill the week, and let what was captured have been sent over the week, every 30th without success."""
    failed = "status = CASE seq % 30 WHEN 0 THEN 'dead' ELSE 'delivered' END, reason = 'HTTP 200'"
    database = open_database(url)
    with database.writes.begin() as connection:
        for number in range(1, copies):
            copy(connection, number, WEEK / copies)
        connection.execute(text(f"UPDATE deliveries SET {failed}"))
    if database.writes.dialect.name == "postgresql":
        with database.writes.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does in its time
    database.close()


def paths(store: Store) -> Iterator[str]:
    busy = {"name": BUSY}
    newest = store.events(EventFilter(), limit=1).items[0].seq
    middle = store.events(EventFilter(), limit=1, cursor=str(newest // 2)).items[0].seq
    dead = store.deliveries(DeliveryFilter(status="dead"), limit=1).items[0]
    yield from ("/", "/events", f"/events?cursor={middle}", "/events?label=production", "/events?rule=all")
    yield from ("/events?prompt=prompt-7", "/events?status=stale", "/events?period=1h", "/events?destination=page")
    yield from (f"/events/{middle}", f"/events/{newest}")
    yield from ("/deliveries", "/deliveries?status=dead", "/deliveries?prompt=prompt-7", "/deliveries?label=production")
    yield from ("/deliveries?destination=page&rule=promoted&period=7d", "/deliveries/all/retry?status=dead")
    yield f"/deliveries/{dead.key}"
    yield from ("/prompts", "/prompts?prompt=prompt-7", "/prompts?label=production")
    yield from (f"/prompts/one?{urlencode(busy)}", f"/prompts/one?{urlencode({'name': 'team-7/prompt-7'})}")
    yield from ("/rules", "/rules/one?name=all", "/rules/one?name=team-7", "/playground")
    yield f"/playground?start=event-{newest}"
    yield from (f"/events/{newest}/replay", f"/events/{newest}/replay?force=on", f"/events/{newest}/test")
    yield "/deliveries/all/cancel?status=dead"


def forms(store: Store) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what is posted: a trial of the rules in force with a saved event, and actions that find nothing to do."""
    newest = store.events(EventFilter(), limit=1).items[0].seq
    detail = store.event(newest)
    assert detail is not None
    rules = RULES[RULES.index("[[rules]]") :]
    trial = {"start": f"event-{newest}", "rules": rules, "body": detail.body.decode()}
    for before in BEFORE:
        yield "/playground", trial | {"before": before}
    yield "/playground", trial | {"before": "start", "rules": rules.replace("labels_gained", "labels_gaind")}
    yield f"/events/{newest}/replay", {}
    yield "/rules/reload", {}
    yield "/deliveries/all/retry", {"status": "captured"}


async def measure(service: Service) -> dict[str, float]:
    """Return the milliseconds that the server takes for each page, over ASGI: no network, no browser."""
    transport = httpx.ASGITransport(cast("Any", public_app(service, with_admin=True)))
    async with httpx.AsyncClient(transport=transport, base_url="http://router", timeout=60) as browser:
        login = (await browser.get("/login")).text
        csrf = login.partition('name="_csrf_token" value="')[2].partition('"')[0]
        await browser.post("/login", data={"token": TOKEN, "_csrf_token": csrf})
        found = {}
        for path in paths(service.store):
            found[path] = await median(partial(browser.get, path))
        for path, form in forms(service.store):
            data = form | {"_csrf_token": csrf}
            said = " ".join(filter(None, ("POST", path, form.get("before"), "with faults" * ("gaind" in str(form)))))
            found[said] = await median(partial(browser.post, path, data=data))
        return found


async def median(ask: Callable[[], Awaitable[httpx.Response]]) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = await ask()
        times.append((time.perf_counter() - began) * 1_000)
        assert answer.status_code in (200, 303), (answer.url, answer.status_code)
    return statistics.median(times)


def figures(count: int, kept: Path | None = None, *, postgres: bool = False) -> dict[str, float]:
    """Fill a store, unless it was kept; return the milliseconds of each page."""
    server = running_server(options="") if postgres else contextlib.nullcontext()
    with server as running, tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.toml"
        rules.write_text(RULES)
        file = kept or Path(folder) / "router.db"
        url, filled = (f"sqlite:///{file}", file.exists()) if running is None else (running.url, False)
        if running is not None:
            Store.open(url, migrate=True).close()
        rulebook = Rulebook(str(rules), Disk({"SECRET": SECRET}), missing="error")
        if not filled:
            copies = max(1, count // ROUTED)
            with Store.open(url, serve=True) as store:
                service = Service(rulebook, store, capture=True, token=None)
                asyncio.run(fill(service, min(ROUTED, count), WEEK / copies))
            age(url, copies)
        with Store.open(url, serve=True) as store:
            service = Service(rulebook, store, capture=False, token=Text.secret(TOKEN))
            return asyncio.run(measure(service))


def rows(count: int) -> Iterator[Row]:
    configure("console", level=logging.WARNING)
    found = figures(count)
    slowest = max(found, key=found.__getitem__)
    yield Row(
        work=f"a page of the console, {count:,} events",
        ours=f"median {statistics.median(found.values()):.0f} ms; "
        f"the slowest of {len(found)}, {slowest.partition('?')[0]}, {found[slowest]:.0f} ms",
        goal=f"each ≤ {GOAL_MS} ms",
        command=COMMAND,
    )


def main() -> None:
    configure("console", level=logging.WARNING)
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="a file to keep the store in, or one that was filled before")
    parser.add_argument("--postgres", action="store_true", help="in a PostgreSQL of its own, with fsync")
    given = parser.parse_args()
    for path, took in figures(given.events, given.store, postgres=given.postgres).items():
        print(f"{took:8.1f} ms {'over' if took > GOAL_MS else '    '}  {path}")


if __name__ == "__main__":
    main()
