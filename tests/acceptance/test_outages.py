"""PostgreSQL goes away and comes back: nothing is lost, everything goes on by itself, and the log stays readable."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psycopg

from router.storage.records import EventFilter
from router.storage.store import Store
from tests.acceptance.receivers import Receiver
from tests.acceptance.running import RunningRouter, eventually
from tests.acceptance.test_intake import body
from tests.postgres import Proxy, Server

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


def delivered(receiver: Receiver, *ids: str) -> None:
    eventually(lambda: set(arrived(receiver)) >= set(ids), f"{', '.join(ids)} are delivered")
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


def test_a_server_without_a_free_connection_is_an_outage_too(
    tmp_path: Path, server: Server, database: str, receiver: Receiver
) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'clerk'").fetchone():
            admin.execute("CREATE ROLE clerk LOGIN")
        admin.execute("ALTER DATABASE router OWNER TO clerk")
        url = database.replace("postgres@", "clerk@")
        with RunningRouter(tmp_path, rules(receiver), "--migrate", store=url) as router:
            assert post(router, "before") == [202]
            delivered(receiver, "before")
            admin.execute("ALTER ROLE clerk CONNECTION LIMIT 0")
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'clerk'")
            assert post(router, "during") == [202]
            assert is_spooling(router)
            admin.execute("ALTER ROLE clerk CONNECTION LIMIT -1")
            delivered(receiver, "before", "during")
            eventually(lambda: router.health() == (200, "ok"), "it is as before")
            assert not tracebacks(router)
