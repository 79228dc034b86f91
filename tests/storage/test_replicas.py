"""Two routers on one database tell everything once between them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import func, select

from router.domain.event import PromptKey
from router.engine.ruleset import Ruleset
from router.service.held import HeldLoop
from router.service.routing import RoutingLoop
from router.storage.events import NewEvent
from router.storage.store import Store
from router.storage.tables import changes, deliveries, events, firing_changes
from tests.acceptance.running import eventually
from tests.build import ruleset_of

RULES = """
[sources.prod]
secret = "${SECRET}"
settle = "0s"
[destinations.log]
type = "log"
[[rules]]
name = "plain"
actions = [{ to = "log" }]
[[rules]]
name = "throttled"
throttle = "30ms"
actions = [{ to = "log" }]
[[rules]]
name = "collecting"
collect = "30ms"
actions = [{ to = "log" }]
[[rules]]
name = "grouped"
group = "prompt"
throttle = "50ms"
actions = [{ to = "log" }]
"""
PROMPTS, VERSIONS = 5, 30


def new_version(number: int) -> NewEvent:
    name, version = f"p{number % PROMPTS}", number // PROMPTS + 1
    time = datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(seconds=number)
    prompt = {
        "id": f"{name}-{version}",
        "name": name,
        "version": version,
        "projectId": "p1",
        "labels": [],
        "prompt": "Hello",
        "updatedAt": time.isoformat(),
    }
    body = {"id": f"e{number}", "timestamp": time.isoformat(), "type": "prompt-version", "action": "created"}
    return NewEvent(
        source="prod",
        id=f"e{number}",
        type="prompt-version",
        action="created",
        project_id="p1",
        prompt=name,
        received_at=datetime.now(UTC),
        body=msgspec.json.encode(body | {"prompt": prompt}),
    )


class Replica:
    """A router without its web server and its deliveries."""

    def __init__(self, store: Store, ruleset: Ruleset) -> None:
        self.held = HeldLoop(store, lambda: ruleset, lambda _: None, capture=False)
        self.routing = RoutingLoop(store, lambda: ruleset, self._routed, capture=False)
        self.tasks = [asyncio.create_task(loop.run()) for loop in (self.routing, self.held)]

    def _routed(self, *_: object) -> None:
        self.held.wake()

    async def stop(self) -> None:
        self.routing.stop()
        self.held.stop()
        await asyncio.gather(*self.tasks)


def finished(store: Store) -> bool:
    with store._database.read() as connection:
        if connection.execute(select(events.c.seq).where(events.c.status == "waiting")).first():
            return False
    return not store.backlog().held


async def test_replicas_tell_each_change_once(url: str) -> None:
    ruleset = ruleset_of(RULES)
    with Store.open(url) as one, Store.open(url) as other:
        replicas = [Replica(store, ruleset) for store in (one, other)]
        async with asyncio.timeout(60):
            for number in range(PROMPTS * VERSIONS):
                await asyncio.wrap_future(one.receive(new_version(number)))
                for replica in replicas:
                    replica.routing.wake()
            await asyncio.to_thread(eventually, lambda: finished(one), "everything is told")
        for replica in replicas:
            await replica.stop()
        with one._database.read() as connection:
            told = connection.execute(
                select(firing_changes.c.rule, firing_changes.c.change_id).join(
                    deliveries, deliveries.c.firing == firing_changes.c.firing
                )
            ).all()
    assert set(Counter(told).values()) == {1}
    assert Counter(rule for rule, _ in told) == {rule.name: PROMPTS * VERSIONS for rule in ruleset.rules}


async def test_what_nobody_told_is_routed_as_well_while_others_are_told_of(url: str) -> None:
    with Store.open(url) as store:
        replica = Replica(store, ruleset_of(RULES))
        await asyncio.wrap_future(store.receive(new_version(0)))  # by somebody else
        async with asyncio.timeout(60):
            number = 1
            while any(batch.seq == 1 for batch in await asyncio.to_thread(store.waiting)):
                event = new_version(number * PROMPTS + 1)
                await asyncio.wrap_future(store.receive(event))
                replica.routing.came(PromptKey("prod", "p1", str(event.prompt)), event.received_at)
                number += 1
            await asyncio.to_thread(eventually, lambda: finished(store), "everything is told")
        await replica.stop()
        with store._database.read() as connection:
            assert connection.execute(select(func.count()).select_from(changes)).scalar() == number


async def test_a_batch_that_cannot_be_read_keeps_no_other_one_of_its_step(url: str) -> None:
    broken = msgspec.structs.replace(new_version(0), id="broken", prompt="broken", body=b"nothing that was understood")
    with Store.open(url) as store:
        for event in (new_version(1), broken, new_version(2)):
            store.receive(event).result()
        replica = Replica(store, ruleset_of(RULES))
        async with asyncio.timeout(60):
            await asyncio.to_thread(eventually, lambda: len(store.waiting()) == 1, "the others are routed")
        await replica.stop()
        (left,) = store.waiting()
        assert left.key is not None
        assert left.key.name == "broken"
