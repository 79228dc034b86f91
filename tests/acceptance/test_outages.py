"""PostgreSQL goes away and comes back: nothing is lost, everything goes on by itself, and the log stays readable."""

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from router.storage.records import DeliveryFilter, EventFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import RunningRouter, eventually
from tests.acceptance.test_intake import body
from tests.acceptance.test_upgrades import Load
from tests.postgres import Proxy, Server, running_server

RULES = """
[store]
url = "postgresql://nobody@127.0.0.1:1/nothing"
SPOOL

[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.sink]
type = "http"
url = "SINK/hook"
allow_private = true

[[rules]]
name = "everything"
actions = [{ to = "sink", json = { id = "{{ event.id }}" } }]
"""


def rules(receiver: Receiver, *, spool: bool = True) -> str:
    return RULES.replace("SINK", receiver.url).replace("SPOOL", 'spool = "spool.db"' if spool else "")


def post(router: RunningRouter, *ids: str) -> list[int]:
    return [router.post(body(id, {"id": f"v-{id}", "name": f"prompt-{id}"})).status_code for id in ids]


def arrived(receiver: Receiver) -> list[str]:
    return [str(one.json["id"]) for one in receiver.arrived]


def delivered(receiver: Receiver, *ids: str, seconds: float = 60) -> None:
    eventually(lambda: set(arrived(receiver)) >= set(ids), f"{', '.join(ids)} are delivered", seconds)
    assert sorted(arrived(receiver)) == sorted(ids)


def stored(url: str) -> list[str]:
    """Return the ids of all events in the store, the first first."""
    with Store.open(url) as store:
        return [event.id for event in reversed(store.events(EventFilter(), limit=1000).items)]


def tracebacks(router: RunningRouter) -> Sequence[str]:
    return router.logged("Traceback") + router.logged('"exception"')


def is_spooling(router: RunningRouter) -> bool:
    return router.health()[1].startswith("spooling")


def test_a_stopped_server_is_bridged_by_the_spool(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    with RunningRouter(tmp_path, rules(receiver), "--migrate", store=database) as router:
        assert post(router, "before") == [202]
        delivered(receiver, "before")
        server.stop()
        try:
            during = [f"during-{number}" for number in range(20)]
            assert set(post(router, *during, "before", during[0])) == {202}
            assert router.health()[0] == 200
            assert router.health()[1].startswith("spooling, the store does not answer: ")
        finally:
            server.start()
        delivered(receiver, "before", *during)
        eventually(lambda: router.health() == (200, "ok"), "it is as before")
        assert post(router, "after") == [202]
        delivered(receiver, "before", *during, "after")
        assert stored(database) == ["before", *during, "after"]
        assert not tracebacks(router)
        said = Counter(msgspec.json.decode(line)["event"] for line in router.logged("cannot be"))
        assert set(said.values()) <= {1}, "an outage is told once by each loop, not at every step"
        assert router.stop() == 0


def test_without_a_spool_the_sender_is_told_to_come_again(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    with RunningRouter(tmp_path, rules(receiver, spool=False), "--migrate", store=database) as router:
        assert post(router, "before") == [202]
        delivered(receiver, "before")
        server.stop()
        try:
            refused = router.post(body("during"))
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            status, words = router.health()
            assert status == 503
            assert words.startswith("the store does not answer")
        finally:
            server.start()
        eventually(lambda: router.health() == (200, "ok"), "it is as before")
        assert post(router, "during") == [202]
        delivered(receiver, "before", "during")
        assert not tracebacks(router)


def test_a_service_starts_without_its_server_if_it_has_a_spool(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    Store.open(database, migrate=True).close()
    with RunningRouter(tmp_path, rules(receiver), store=database) as router:
        post(router, "first run")
        delivered(receiver, "first run")
        server.stop()
        try:
            assert post(router, "left behind") == [202]
            router.kill()
            router.start()
            assert post(router, "second run") == [202]
            assert is_spooling(router)
        finally:
            server.start()
        delivered(receiver, "first run", "left behind", "second run")
        assert stored(database) == ["first run", "left behind", "second run"]
        assert not tracebacks(router)


def test_a_server_that_comes_back_without_a_schema_is_waited_for(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    server.stop()
    try:
        router = RunningRouter(tmp_path, rules(receiver), store=database)
        router.start()
        assert post(router, "before the server") == [202]
    finally:
        server.start()
    try:
        eventually(lambda: "db upgrade" in router.health()[1], "it says what is missing")
        assert is_spooling(router)
        assert post(router, "before the schema") == [202]
        Store.open(database, migrate=True).close()
        delivered(receiver, "before the server", "before the schema")
        eventually(lambda: router.health() == (200, "ok"), "it works as usual")
        assert stored(database) == ["before the server", "before the schema"]
        assert not tracebacks(router)
    finally:
        router.stop()


def test_tables_that_somebody_took_away_are_waited_for(tmp_path: Path, database: str, receiver: Receiver) -> None:
    with RunningRouter(tmp_path, rules(receiver), "--migrate", store=database) as router:
        assert post(router, "before") == [202]
        delivered(receiver, "before")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER TABLE events RENAME TO elsewhere")
            assert post(router, "during") == [202]
            assert is_spooling(router)
            assert "events" in router.health()[1]
            connection.execute("ALTER TABLE elsewhere RENAME TO events")
        delivered(receiver, "before", "during")
        eventually(lambda: router.health() == (200, "ok"), "it is as before")
        assert stored(database) == ["before", "during"]
        assert not tracebacks(router)


def test_lost_and_hanging_connections_are_survived(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    with Proxy(server.port) as proxy:
        url = database.replace(f":{server.port}/", f":{proxy.port}/") + "?tcp_user_timeout=2000"
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            ids: list[str] = []
            for disturb in (proxy.cut, proxy.freeze):
                disturb()
                ids.append(f"event-{len(ids)}")
                assert post(router, ids[-1]) == [202]
                assert is_spooling(router)
                proxy.mend()
                delivered(receiver, *ids)
                eventually(lambda: router.health() == (200, "ok"), "it is as before")
            assert stored(database) == ids
            assert not tracebacks(router)


def test_another_address_is_found_when_the_first_is_lost(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    with Proxy(server.port) as one, Proxy(server.port) as other:
        url = database.replace(f":{server.port}/", f":{one.port},127.0.0.1:{other.port}/")
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            assert post(router, "over the first") == [202]
            delivered(receiver, "over the first")
            one.cut()
            assert post(router, "over the second") == [202]
            delivered(receiver, "over the first", "over the second")
            eventually(lambda: router.health() == (200, "ok"), "it is as before")
            assert not tracebacks(router)


@pytest.mark.long
def test_an_address_that_leads_nowhere_is_left_for_another(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    """It takes what is sent, acknowledges it, and never answers: to TCP all is well."""
    with Proxy(server.port) as one:
        url = database.replace(f":{server.port}/", f":{one.port},127.0.0.1:{server.port}/")
        url += "?tcp_user_timeout=2000&connect_timeout=2"
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            assert post(router, "over the first") == [202]
            delivered(receiver, "over the first")
            one.freeze()
            ids = [f"event-{number}" for number in range(20)]
            assert set(post(router, *ids)) == {202}
            # what was locked on the way that is lost is free after 30 s
            delivered(receiver, "over the first", *ids, seconds=120)
            eventually(lambda: router.health() == (200, "ok"), "it is as before")
            assert not tracebacks(router)
            assert router.stop() == 0


@pytest.mark.long
def test_under_load_nothing_is_lost_whatever_becomes_of_the_way_to_the_server(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    receiver.script = lambda _: Reply(before=lambda: time.sleep(0.05))  # so that deliveries are always under way
    with Proxy(server.port) as proxy:
        url = database.replace(f":{server.port}/", f":{proxy.port}/") + "?tcp_user_timeout=2000&connect_timeout=2"
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            with Load([router]) as load:
                load.goes_on()
                for disturb, mend in ((proxy.cut, proxy.mend), (proxy.freeze, proxy.mend), (server.stop, server.start)):
                    disturb()
                    try:
                        eventually(lambda: is_spooling(router), "it goes into the spool")
                        load.goes_on()
                    finally:
                        mend()
                    eventually(lambda: router.health() == (200, "ok"), "it is as before")
                    load.goes_on()
            assert_told(database, receiver, load.posted)
            assert not tracebacks(router)


def assert_told(url: str, receiver: Receiver, ids: list[str]) -> None:
    """Everything is stored and delivered; again only what was under way when the store was lost, under its key."""
    with Store.open(url) as store:
        eventually(lambda: not store.backlog().waiting and not store.backlog().queues, "all is delivered")
        assert Counter(event.id for event in store.events(EventFilter(), limit=1000).items) == Counter(ids)
        deliveries = store.deliveries(DeliveryFilter(), limit=1000).items
        assert Counter(delivery.status for delivery in deliveries) == {"delivered": len(ids)}
        times = Counter(one.headers["idempotency-key"] for one in receiver.arrived)
        assert set(times) == {delivery.key for delivery in deliveries}
        for key in (key for key, count in times.items() if count > 1):
            detail = store.delivery(key)
            assert detail is not None
            assert "lost" in {attempt.outcome for attempt in detail.attempts}


@pytest.fixture(scope="module")
def small_server() -> Iterator[Server]:
    with running_server(options="-c fsync=off -c max_connections=12 -c superuser_reserved_connections=3") as running:
        with psycopg.connect(running.url, autocommit=True) as admin:
            admin.execute("CREATE ROLE clerk LOGIN")
        yield running


@pytest.mark.parametrize("spool", [True, False], ids=["spool", "no spool"])
def test_a_server_without_a_free_connection_is_an_outage_too(
    tmp_path: Path, small_server: Server, receiver: Receiver, *, spool: bool
) -> None:
    with psycopg.connect(small_server.url, autocommit=True) as admin, contextlib.ExitStack() as others:
        admin.execute("DROP DATABASE IF EXISTS router WITH (FORCE)")
        admin.execute("CREATE DATABASE router OWNER clerk")
        url = f"{small_server.url.replace('postgres@', 'clerk@').removesuffix('/postgres')}/router"

        def nothing_is_left() -> bool:
            """Take what is free; until that is all, take from the router what it has."""
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(url, application_name="others"))
            ours = "FROM pg_stat_activity WHERE application_name = 'langfuse-router'"
            return not admin.execute(f"SELECT pg_terminate_backend(pid, 5000) {ours}").fetchall()

        with RunningRouter(tmp_path, rules(receiver, spool=spool), "--migrate", store=url) as router:
            assert post(router, "before") == [202]
            delivered(receiver, "before")
            eventually(nothing_is_left, "others have all connections")
            eventually(lambda: "connection slots are reserved" in router.health()[1], "readiness says what is wrong")
            assert router.health()[0] == (200 if spool else 503)
            if spool:
                assert post(router, "during") == [202]
            else:
                refused = router.post(body("during"))
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            others.close()
            eventually(lambda: router.health() == (200, "ok"), "it is as before")
            if not spool:
                assert post(router, "during") == [202]
            delivered(receiver, "before", "during")
            assert not tracebacks(router)


@pytest.mark.long
def test_a_router_has_no_more_connections_than_the_documentation_says(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/postgresql-and-replicas.md"
    (most,) = re.findall(r"has at most (\d+) connections", page.read_text())
    asked = '[server]\nadmin_token = "t"\n' + rules(receiver)
    with RunningRouter(tmp_path, asked, "--migrate", store=database) as router, psycopg.connect(server.url) as admin:
        admin.autocommit = True
        counts = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'langfuse-router'"
        seen = list[int]()
        with Load([router]) as load, ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(events_page, router) for _ in range(100)]
            while not all(answer.done() for answer in answers):
                ((count,),) = admin.execute(counts).fetchall()
                seen.append(count)
            assert {answer.result() for answer in answers} == {200}
            load.goes_on()
        assert max(seen) <= int(most)


def events_page(router: RunningRouter) -> int:
    answer = httpx.get(f"{router.url}/api/v1/events", headers={"authorization": "Bearer t"}, timeout=60)
    return answer.status_code


def test_what_was_answered_survives_the_primary(tmp_path: Path, receiver: Receiver) -> None:
    """Two servers, one of which takes over; its commits are the other one's, too: synchronous replication."""
    options = "-c fsync=off -c wal_level=replica"
    with (
        running_server(options=f"{options} -c synchronous_standby_names=*") as primary,
        primary.standby(options=options) as heir,
    ):
        url = f"{primary.url.removesuffix('/postgres')},127.0.0.1:{heir.port}/postgres?connect_timeout=2"
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            with Load([router]) as load:
                load.goes_on()
                primary.kill()
                load.goes_on()
                assert is_spooling(router)
                heir.promote()
                eventually(lambda: router.health() == (200, "ok"), "the other one is found")
                load.goes_on()
            assert_told(heir.url, receiver, load.posted)
            assert not tracebacks(router)
