"""Import and looks of the service, with a real store and a server that answers like Langfuse."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import msgspec
import pytest

from router.delivery.client import Clients
from router.domain.event import PromptKey
from router.domain.routing import Routing, SettledEvent
from router.domain.source import Api, Source
from router.domain.text import Text
from router.engine.ledger import Derivation, derive, labels_held, with_contents
from router.langfuse.bodies import Person, prompt_version
from router.langfuse.model import Queued
from router.langfuse.wire import decode
from router.service.baseline import Baseline
from router.service.halves import Halves
from router.service.public_api import ApiUnavailable, PublicApi, PublicApis
from router.service.reconcile import AlreadyLooking, Look, Reconciler
from router.storage.events import NewEvent, WaitingBatch, decoded
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.langfuse_server import PUBLIC_KEY, SECRET_KEY, Asked, LangfuseServer

ANN = Person("u1", "Ann", "ann@example.com")
NAME = "checkout/cart"
KEY = PromptKey("prod", "project", NAME)
BOMB = gzip.compress(b"0" * 70_000_000, compresslevel=1)


class Bench:
    """A source with its server, a store, and what reads the one into the other."""

    def __init__(self, store: Store, server: LangfuseServer, clients: Clients) -> None:
        self.store = store
        self.server = server
        self.langfuse = server.langfuse
        self.source = Source(
            name="prod",
            secrets=(Text("s"),),
            api=Api(
                host=Text(server.url), public_key=Text(PUBLIC_KEY), secret_key=Text(SECRET_KEY), allow_private=True
            ),
        )
        self.apis = PublicApis(clients)
        self.looks: list[Look] = []
        self.came = asyncio.Event()
        self.restart()

    def restart(self) -> None:
        self.baseline = Baseline(self.store, self.apis.of, self.came.set)
        self.reconciler = Reconciler(self.store, self.baseline, self.apis.of, self.looks.append, lambda: None)

    async def begin(self) -> None:
        """Import what there is; what happens from now on happened lately, but not just now."""
        await self.look()
        self.server.time = datetime.now(UTC) - timedelta(seconds=90)

    async def look(self) -> Look:
        return await self.reconciler.look(self.source)

    async def look_a_minute_later(self) -> Look:
        """As if the look before was a minute ago."""
        progress = self.store.look_progress("prod")
        assert progress.looked_at is not None
        earlier = {
            name: {id: since - timedelta(seconds=61) for id, since in ids.items()}
            for name, ids in self.store.differing("prod").items()
        }
        self.store.finish_look("prod", progress.project_id, progress.looked_at, earlier).result()
        return await self.look()

    def deliver(self, queued: Sequence[Queued], key: PromptKey = KEY) -> None:
        """Let the webhooks arrive."""
        for one in queued:
            row = self.langfuse.read(one)
            assert row is not None
            now = datetime.now(UTC)
            body = prompt_version(one.action, row, one.by, id=f"event-{next(_numbers)}", sent_at=now)
            raw = msgspec.json.encode(body)
            event = decode(raw, "prod", now)
            self.store.receive(
                NewEvent(
                    source="prod", id=event.id, type=event.type, action=event.action, project_id=key.project_id,
                    prompt=key.name, received_at=now, sent_at=now, body=raw,
                )
            ).result()  # fmt: skip

    def derive(self, *, pair: timedelta, gone: frozenset[str] = frozenset()) -> Derivation:
        """Return what the waiting events change, as routing sees it now."""
        events = [decoded(row) for row in self.store.batch(KEY)]
        return derive(self.store.ledger(KEY), events, now=datetime.now(UTC), pair=pair, gone=gone)

    def route(self, key: PromptKey = KEY) -> list[str]:
        """Route what waits, without rules; return what was told of, in words."""
        stored = self.store.batch(key)
        events = [decoded(row) for row in stored]
        derived = derive(self.store.ledger(key), events)
        seqs = {row.id: row.seq for row in stored}
        routing = Routing(
            ledger=derived.ledger,
            events=tuple(SettledEvent(seqs[id], status, reason) for id, (status, reason) in derived.statuses.items()),
            changes=tuple(with_contents(change, derived.ledger.contents) for change in derived.changes),
            verdicts={},
            firings=(),
            deliveries=(),
            ruleset="r",
        )
        (committed,) = self.store.commit([routing], datetime.now(UTC)).result().routings
        assert committed is not None
        return [
            f"{change.action} v{change.version.number} {change.origin}"
            + "".join(f" {move.label} {move.from_}→{move.to}" for move in change.moved)
            + " assumed" * change.assumed
            for change in derived.changes
            if change.version and not change.quiet and not change.half
        ]

    def held(self, key: PromptKey = KEY) -> dict[str, int]:
        return {label: version.number for label, version in labels_held(self.store.ledger(key)).items()}


_numbers = count(1)


@pytest.fixture
def server() -> Iterator[LangfuseServer]:
    """A project with a past of two hours: v1 in production, v2 the latest."""
    with LangfuseServer(datetime.now(UTC) - timedelta(hours=2)) as server:
        server.langfuse.create(NAME, "Hello", by=ANN, labels=["production"], tags=["eu"])
        server.langfuse.create(NAME, "Hello {{name}}", by=ANN)
        yield server


@pytest.fixture
async def bench(tmp_path: Path, server: LangfuseServer) -> AsyncIterator[Bench]:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        async with Clients() as clients:
            yield Bench(store, server, clients)


# ---- the import


async def test_the_import_knows_everything_and_tells_nothing(bench: Bench) -> None:
    bench.langfuse.create("a b/ü%?#", "x", by=ANN, labels=["staging"])
    look = await bench.look()
    assert (look.imported, look.prompts, look.missed, look.waiting) == (2, 2, (), 0)
    assert bench.held() == {"production": 1, "latest": 2}
    assert bench.held(PromptKey("prod", "project", "a b/ü%?#")) == {"staging": 1, "latest": 1}
    assert bench.store.whole_ledger(KEY).contents.keys() == {row.id for row in bench.langfuse.versions(NAME)}
    assert bench.store.events(EventFilter()).items == ()
    found = bench.store.prompt(KEY)
    assert found is not None
    assert found.changes == ()


async def test_a_second_look_reads_no_version(bench: Bench) -> None:
    await bench.look()
    bench.server.asked.clear()
    look = await bench.look()
    assert (look.imported, look.read) == (0, 0)
    assert bench.server.versions_read() == []


async def test_the_import_goes_on_where_it_stopped(bench: Bench) -> None:
    for number in range(20):
        bench.langfuse.create(f"p/{number:02}", "x", by=ANN)

    def fail_later(asked: Asked) -> None:
        if asked.name == "p/13":
            bench.server.away = (403, b"{}")

    bench.server.before = fail_later
    with pytest.raises(ApiUnavailable):
        await bench.look()
    known = len(bench.store.imported("prod", bench.langfuse.names()))
    assert 8 <= known <= 17
    bench.server.before = lambda _: None
    bench.server.away = None
    bench.server.asked.clear()
    bench.restart()
    look = await bench.look()
    assert look.imported == 21 - known
    assert len({asked.name for asked in bench.server.asked if asked.name and asked.query.get("version")}) == 21 - known


async def test_a_prompt_that_slips_over_the_border_of_a_page_is_imported_too(bench: Bench) -> None:
    for number in range(210):
        bench.langfuse.create(f"p/{number:03}", "x", by=ANN)

    def delete_one(asked: Asked) -> None:
        if asked.name is None and asked.query.get("page") == "2" and bench.langfuse.versions("p/000"):
            bench.langfuse.delete_in_silence("p/000")

    bench.server.before = delete_one
    await bench.look()
    assert bench.store.imported("prod", bench.langfuse.names()) >= set(bench.langfuse.names())


async def test_labels_are_never_taken_from_the_cache_and_texts_are_resolved(bench: Bench) -> None:
    bench.langfuse.create("r", "@@@langfusePrompt:name=x|label=y@@@!", by=ANN, labels=["production"])
    await bench.look()
    ledger = bench.store.whole_ledger(PromptKey("prod", "project", "r"))
    (content,) = ledger.contents.values()
    assert content.prompt == "Hello!"


# ---- a prompt whose event waits


def batch(bench: Bench) -> WaitingBatch:
    (found,) = bench.store.waiting()
    return found


async def test_a_prompt_whose_event_waits_is_imported_first_and_only_that_one_waits(bench: Bench) -> None:
    bench.langfuse.create("other", "x", by=ANN)
    queued = bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
    bench.deliver(queued)
    until = bench.baseline.wait_for(batch(bench), bench.source)
    assert until is not None
    assert timedelta(seconds=25) < until - datetime.now(UTC) <= timedelta(seconds=30)
    await bench.came.wait()
    assert bench.baseline.wait_for(batch(bench), bench.source) is None
    assert {asked.name for asked in bench.server.asked if asked.name} == {NAME}
    assert bench.route() == ["updated v2 webhook assumed"], "the import shows the change already"


async def test_what_was_before_the_waiting_event_is_known_for_it(bench: Bench) -> None:
    bench.langfuse.set_labels(NAME, 1, ["production", "staging"], by=ANN)
    bench.deliver(bench.langfuse.create(NAME, "third", by=ANN, labels=["canary"]))
    await bench.baseline.import_prompt(_api(bench), NAME, await _api(bench).listed(NAME))
    told = bench.route()
    assert told == ["created v3 webhook"]
    assert bench.held() == {"production": 1, "staging": 1, "canary": 3, "latest": 3}


async def test_an_event_that_comes_after_the_import_is_told_as_a_move(bench: Bench) -> None:
    await bench.look()
    bench.deliver(bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN))
    assert bench.baseline.wait_for(batch(bench), bench.source) is None
    assert bench.route() == ["updated v2 webhook production 1→2"]


def _api(bench: Bench) -> PublicApi:
    api = bench.apis.of(bench.source)
    assert api is not None
    return api


async def test_a_waiting_event_gets_its_time_after_a_restart_but_not_for_ever(bench: Bench) -> None:
    bench.server.away = (502, b"<html>bad gateway</html>")
    bench.deliver(bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN))
    long_ago = msgspec.structs.replace(batch(bench), first_received_at=datetime.now(UTC) - timedelta(hours=1))
    until = bench.baseline.wait_for(long_ago, bench.source)
    assert until is not None
    assert until - datetime.now(UTC) <= timedelta(seconds=30)
    without_api = msgspec.structs.replace(bench.source, api=None)
    assert bench.baseline.wait_for(long_ago, without_api) is None


async def test_nobody_waits_for_an_api_that_refuses_the_keys(bench: Bench) -> None:
    bench.server.away = (401, b"{}")
    bench.deliver(bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN))
    assert bench.baseline.wait_for(batch(bench), bench.source) is not None
    await bench.came.wait()
    assert bench.baseline.wait_for(batch(bench), bench.source) is None


# ---- looks


async def test_a_missed_move_is_told_by_the_second_look_a_minute_later_and_its_webhook_is_quiet(bench: Bench) -> None:
    await bench.begin()
    lost = bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
    first = await bench.look()
    assert (first.waiting, first.missed) == (2, ())
    again = await bench.look()
    assert (again.waiting, again.missed) == (2, ()), "not a minute later"
    second = await bench.look_a_minute_later()
    assert second.waiting == 0
    assert [change.labels_gained for change in second.missed] == [("production",)]
    assert bench.route() == ["updated v2 reconcile production 1→2"]
    bench.deliver(lost)
    assert bench.route() == []
    third = await bench.look_a_minute_later()
    assert (third.missed, third.waiting) == ((), 0)


async def test_a_webhook_that_comes_between_the_looks_is_told_by_itself(bench: Bench) -> None:
    await bench.begin()
    late = bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
    await bench.look()
    bench.deliver(late)
    assert (await bench.look_a_minute_later()).missed == (), "it waits to be routed"
    assert bench.route() == ["updated v2 webhook production 1→2"]
    assert (await bench.look_a_minute_later()).missed == ()


async def test_a_missed_prompt_is_told_with_its_versions(bench: Bench) -> None:
    await bench.begin()
    bench.langfuse.create("new", "x", by=ANN, labels=["production"])
    await bench.look()
    look = await bench.look_a_minute_later()
    assert [change.action for change in look.missed] == ["created"]
    assert bench.route(PromptKey("prod", "project", "new")) == ["created v1 reconcile"]


async def test_a_missed_deletion_is_told_once_and_what_slipped_by_in_silence_is_quiet(bench: Bench) -> None:
    await bench.begin()
    bench.langfuse.delete_in_silence(NAME, version=2)
    await bench.look()
    look = await bench.look_a_minute_later()
    assert [(change.action, change.labels_lost) for change in look.missed] == [("deleted", ("latest",))]
    assert bench.route() == ["deleted v2 reconcile"]
    assert bench.held() == {"production": 1, "latest": 1}
    assert (await bench.look_a_minute_later()).missed == ()


async def test_a_prompt_that_was_deleted_whole_is_read_version_by_version_before_that_is_believed(bench: Bench) -> None:
    await bench.begin()
    bench.langfuse.delete_in_silence(NAME)
    bench.server.asked.clear()
    await bench.look()
    assert set(bench.server.versions_read()) >= {"1", "2"}
    look = await bench.look_a_minute_later()
    assert [change.action for change in look.missed] == ["deleted", "deleted"]


async def test_reads_around_a_move_invent_no_loss(bench: Bench) -> None:
    """Version 2 is read before the move, version 1 after it: the label is seen on neither."""
    await bench.begin()
    bench.langfuse.set_labels(NAME, 2, ["staging"], by=ANN)

    def move(asked: Asked) -> None:
        if asked.query.get("version") == "1" and bench.langfuse.find(NAME, 1).labels:
            bench.langfuse.set_labels(NAME, 2, ["staging", "production"], by=ANN)

    bench.server.before = move
    bench.langfuse.set_labels(NAME, 1, ["production", "canary"], by=ANN)
    await bench.look()
    bench.server.before = lambda _: None
    look = await bench.look_a_minute_later()
    assert all("production" not in change.labels_removed for change in look.missed)
    told = bench.route()
    assert "updated v2 reconcile production 1→2" in told


async def test_two_routers_do_not_look_at_once(bench: Bench) -> None:
    assert bench.store.take_look("prod", timedelta(minutes=1)).result()
    with pytest.raises(AlreadyLooking):
        await bench.look()
    bench.store.let_go_look("prod").result()
    await bench.look()


@pytest.mark.parametrize("name", [NAME, "another"])
async def test_keys_of_another_project_delete_nothing(bench: Bench, name: str) -> None:
    await bench.begin()
    with LangfuseServer(datetime.now(UTC) - timedelta(hours=1), project="other") as other:
        other.langfuse.create(name, "x", by=ANN, labels=["staging"])
        assert bench.source.api is not None
        api = msgspec.structs.replace(bench.source.api, host=Text(other.url))
        for _ in range(2):
            with pytest.raises(ApiUnavailable, match="of project other, but what is known is of project project"):
                await bench.reconciler.look(msgspec.structs.replace(bench.source, api=api))
    assert bench.store.differing("prod") == {}


async def test_a_version_that_a_webhook_told_without_its_id_is_the_same_one(bench: Bench) -> None:
    now = datetime.now(UTC)
    guide = {
        "event": "prompt.updated",
        "timestamp": (now - timedelta(hours=3)).isoformat(),
        "data": {"promptName": NAME, "promptVersion": 1, "labels": ["production"], "projectId": "project"},
    }
    raw = msgspec.json.encode(guide)
    event = decode(raw, "prod", now)
    bench.store.receive(
        NewEvent(
            source="prod", id=event.id, type=event.type, action="updated", project_id="project", prompt=NAME,
            received_at=now, body=raw,
        )
    ).result()  # fmt: skip
    bench.route()
    await bench.look()
    assert len(bench.store.ledger(KEY).versions) == 2
    look = await bench.look()
    assert (look.waiting, look.missed) == (0, ())


# ---- politeness, and distrust


async def test_no_more_than_four_questions_are_under_way(bench: Bench) -> None:
    for number in range(30):
        bench.langfuse.create(f"p/{number}", "x", by=ANN)
    bench.server.before = lambda asked: threading.Event().wait(0.01)
    await bench.look()
    assert bench.server.most_under_way == 4


async def test_429_is_waited_out_as_long_as_it_says(bench: Bench) -> None:
    bench.server.limited = 3
    bench.server.retry_after = "1"
    begun = asyncio.get_running_loop().time()
    await bench.look()
    assert asyncio.get_running_loop().time() - begun >= 1
    assert bench.held() == {"production": 1, "latest": 2}


async def test_who_wants_to_be_left_alone_for_long_is_left_alone(bench: Bench) -> None:
    bench.server.limited = 1
    bench.server.retry_after = "3600"
    with pytest.raises(ApiUnavailable, match="left alone until"):
        await bench.look()
    asked = len(bench.server.asked)
    with pytest.raises(ApiUnavailable, match="left alone until"):
        await bench.look()
    assert len(bench.server.asked) == asked


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, b"<html>no such page</html>", "HTTP 404"),
        (200, b"<html>maintenance</html>", "another form"),
        (200, b"\xff\xfe\x00", "another form"),
        (200, b"[" * 1_000_000, "another form"),
        (200, b'{"version": ' + b"9" * 5_000 + b"}", "another form"),
        (200, BOMB, "an answer is longer than 67,108,864 bytes"),
        (301, b"", "HTTP 301"),
        (401, b"{}", "refuses the API keys"),
    ],
    ids=["404", "html", "not UTF-8", "deep", "a huge number", "a bomb", "301", "401"],
)
async def test_what_is_not_langfuses_answer_deletes_nothing(bench: Bench, status: int, body: bytes, why: str) -> None:
    await bench.begin()
    bench.langfuse.create(NAME, "third", by=ANN)

    def go_away(asked: Asked) -> None:
        if asked.name:
            bench.server.away = (status, body)

    bench.server.before = go_away
    for _ in range(2):
        with pytest.raises(ApiUnavailable, match=why) as caught:
            await bench.look()
        assert SECRET_KEY not in str(caught.value)
    assert bench.store.differing("prod") == {}
    assert bench.store.events(EventFilter()).items == ()


async def test_private_addresses_are_refused_unless_they_are_meant(bench: Bench) -> None:
    assert bench.source.api is not None
    guarded = msgspec.structs.replace(bench.source.api, allow_private=False)
    with pytest.raises(ApiUnavailable, match="allow_private"):
        await bench.reconciler.look(msgspec.structs.replace(bench.source, api=guarded))
    assert bench.server.asked == []


# ---- the other half of a move


async def test_a_label_that_nobody_holds_is_removed_without_waiting_for_its_other_half(bench: Bench) -> None:
    await bench.begin()
    bench.deliver(bench.langfuse.set_labels(NAME, 1, [], by=ANN))
    asked = asyncio.Event()
    halves = Halves(bench.store, bench.apis.of, asked.set)
    derived = bench.derive(pair=timedelta(hours=1))
    assert derived.awaited == {"production"}
    assert derived.until is not None
    halves.seek(bench.source, KEY, derived.awaited, derived.until)
    await asked.wait()
    assert halves.gone(KEY) == {"production"}
    derived = bench.derive(pair=timedelta(hours=1), gone=halves.gone(KEY))
    assert (derived.until, [change.labels_removed for change in derived.changes]) == (None, [("production",)])
    halves.forget(KEY)
    assert halves.gone(KEY) == frozenset()


async def test_a_gain_whose_webhook_does_not_come_in_time_is_told_as_a_move_all_the_same(bench: Bench) -> None:
    await bench.begin()
    queued = bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
    bench.deliver([one for one in queued if one.row.version == 1])
    found = asyncio.Event()
    halves = Halves(bench.store, bench.apis.of, found.set)
    derived = bench.derive(pair=timedelta(seconds=1))
    assert derived.until is not None
    halves.seek(bench.source, KEY, derived.awaited, derived.until)
    await found.wait()
    assert halves.gone(KEY) == frozenset()
    assert bench.route() == ["updated v2 reconcile production 1→2"]


async def test_a_gain_whose_webhook_comes_in_time_is_not_told_twice(bench: Bench) -> None:
    await bench.begin()
    queued = bench.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
    bench.deliver([one for one in queued if one.row.version == 1])
    found = asyncio.Event()
    halves = Halves(bench.store, bench.apis.of, found.set)
    derived = bench.derive(pair=timedelta(seconds=1))
    assert derived.until is not None
    halves.seek(bench.source, KEY, derived.awaited, derived.until)
    bench.deliver([one for one in queued if one.row.version == 2])
    await found.wait()
    assert bench.route() == ["updated v2 webhook production 1→2"]
