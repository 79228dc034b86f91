"""Several routers on one PostgreSQL, as processes that nobody stops gently."""

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg

from router.service.live import LOOK_SECONDS, QUIET_SECONDS
from router.storage.records import DeliveryFilter, EventFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "SETTLE"

[destinations.sink]
type = "http"
url = "SINK/hook"
allow_private = true
timeout = "1s"

[[rules]]
name = "everything"
actions = [{ to = "sink", json = { id = "{{ event.id }}" } }]
"""


def start_all(stack: ExitStack, folder: Path, rules: str, url: str, count: int) -> list[RunningRouter]:
    """Start replicas at the same moment, on an empty database."""
    routers = []
    for number in range(count):
        (folder / str(number)).mkdir()
        routers.append(RunningRouter(folder / str(number), rules, "--migrate", store=url))
    threads = [threading.Thread(target=router.start) for router in routers]
    for router, thread in zip(routers, threads, strict=True):
        stack.push(router)
        thread.start()
    for thread in threads:
        thread.join()
    assert all(router.is_ready() for router in routers)
    return routers


def post_all(routers: Sequence[RunningRouter], ids: Sequence[str]) -> None:
    """Post each event until somebody took it, as Langfuse would: to any replica."""
    for number, id in enumerate(ids):
        for turn in range(100):
            router = routers[(number + turn) % len(routers)]
            try:
                if router.post(body(id, {"id": f"v-{id}", "name": f"prompt-{number % 10}"})).status_code == 202:
                    break
            except httpx.TransportError:
                continue
        else:
            raise AssertionError(f"nobody took {id}")


def test_three_replicas_share_the_work_and_one_may_die(tmp_path: Path, database: str, receiver: Receiver) -> None:
    rules = RULES.replace("SINK", receiver.url).replace("SETTLE", "100ms")
    ids = [[f"{thread}-{number}" for number in range(100)] for thread in range(3)]
    with ExitStack() as stack:
        routers = start_all(stack, tmp_path, rules, database, 3)
        store = stack.enter_context(Store.open(database))
        threads = [threading.Thread(target=post_all, args=(routers, some)) for some in ids]
        for thread in threads:
            thread.start()
        eventually(lambda: len(receiver.arrived) > 50, "there is load")
        routers[0].kill()
        for thread in threads:
            thread.join()
        everything = {id for some in ids for id in some}

        def all_delivered() -> bool:
            backlog = store.backlog()
            return not backlog.waiting and not backlog.queues

        eventually(all_delivered, "everything is routed and delivered", seconds=120)
        events = store.events(EventFilter(), limit=1000).items
        assert {event.id for event in events} == everything
        assert len(events) == len(everything)
        assert {event.status for event in events} == {"routed"}
        deliveries = store.deliveries(DeliveryFilter(), limit=1000).items
        assert len(deliveries) == len(everything)
        assert {delivery.status for delivery in deliveries} == {"delivered"}
        times = Counter(one.headers["idempotency-key"] for one in receiver.arrived)
        assert set(times) == {delivery.key for delivery in deliveries}
        # at least once: only what the dead one was sending may have been sent again, under its key
        for key in (key for key, count in times.items() if count > 1):
            detail = store.delivery(key)
            assert detail is not None
            assert "lost" in {attempt.outcome for attempt in detail.attempts}
        for router in routers[1:]:
            assert router.stop() == 0
            assert not router.logged("Traceback")


def test_replicas_that_race_for_one_prompt_tell_each_change_once(
    tmp_path: Path, database: str, receiver: Receiver
) -> None:
    rules = RULES.replace("SINK", receiver.url).replace("SETTLE", "0s")
    with ExitStack() as stack:
        routers = start_all(stack, tmp_path, rules, database, 2)
        doubles = [
            threading.Thread(
                target=lambda router=router: [
                    router.post(body(f"e-{number}", {"id": f"v-{number}", "version": number})) for number in range(60)
                ]
            )
            for router in routers
        ]
        for thread in doubles:
            thread.start()
        for thread in doubles:
            thread.join()
        with Store.open(database) as store:
            eventually(lambda: not store.backlog().waiting and not store.backlog().queues, "all is told")
            assert len(store.events(EventFilter(), limit=1000).items) == 60
            assert len(store.deliveries(DeliveryFilter(), limit=1000).items) == 60
        assert len(receiver.arrived) == 60


class Console:
    """A console that somebody watches; what it is told only because time has passed does not count."""

    def __init__(self, stack: ExitStack, router: RunningRouter) -> None:
        self._browser = stack.enter_context(httpx.Client(base_url=router.url, timeout=60))
        (csrf,) = re.findall(r'name="_csrf_token" value="([^"]+)"', self._browser.get("/login").text)
        assert self._browser.post("/login", data={"token": "t", "_csrf_token": csrf}).status_code == 303
        self.told = threading.Event()
        live = stack.enter_context(self._browser.stream("GET", "/live"))
        threading.Thread(target=self._listen, args=(live,), daemon=True).start()

    def _listen(self, live: httpx.Response) -> None:
        last = time.monotonic()
        with contextlib.suppress(httpx.HTTPError):  # the router ends before
            for line in live.iter_lines():
                if line == "event: changed":
                    if time.monotonic() - last < LOOK_SECONDS:
                        self.told.set()
                    last = time.monotonic()

    def wait(self, words: str) -> None:
        while True:
            assert self.told.wait(30), f"nothing told that it may be looked for {words}"
            self.told.clear()
            if words in self._browser.get("/events").text:
                return


def test_consoles_show_at_once_what_another_replica_does(tmp_path: Path, database: str, receiver: Receiver) -> None:
    answers = threading.Event()
    receiver.script = lambda _: Reply(before=lambda: answers.wait(20))
    rules = RULES.replace("SINK", receiver.url).replace("SETTLE", "0s").replace('"1s"', '"30s"')
    rules = rules.replace("actions", 'match = { prompt = "checkout/*" }\nactions')
    with ExitStack() as stack:
        routers = start_all(stack, tmp_path, f'[server]\nadmin_token = "t"\n{rules}', database, 2)
        eventually(lambda: listeners(database) == 2, "each hears the other")
        consoles = [Console(stack, router) for router in routers]
        routers[0].post(body("e-1"))
        eventually(lambda: receiver.arrived, "it is being sent")
        routers[1].post(body("e-2", {"name": "not told"}))
        for console in consoles:
            console.wait('id="event-2"')
        time.sleep(3 * QUIET_SECONDS)  # what is told late of that would be taken for the delivery's end
        for console in consoles:
            console.told.clear()
        answers.set()
        for console in consoles:
            console.wait("1 delivered")


def listeners(database: str) -> int:
    with psycopg.connect(database) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


def test_a_replica_does_not_start_on_a_database_that_nobody_migrated(tmp_path: Path, database: str) -> None:
    (tmp_path / "rules.toml").write_text(RULES.replace("SINK", "http://127.0.0.1:9").replace("SETTLE", "0s"))
    env = {"LANGFUSE_WEBHOOK_SECRET": "x"}
    refused = command("serve", "--port", "0", "--store", database, folder=tmp_path, env=env)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "langfuse-router db upgrade" in refused.stderr
