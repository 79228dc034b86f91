"""What Langfuse sends in storms reaches people as one message; what is held back survives everything."""

import random
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from router.domain.message import LogMessage
from router.storage.records import DeliveryRecord
from tests.acceptance.running import RunningRouter, eventually
from tests.acceptance.test_intake import body

HEAD = """
[server]
admin_token = "admin"
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "SETTLE"
[destinations.journal]
type = "log"
"""


def rules(*tables: str, settle: str = "200ms") -> str:
    """Rules named r0, r1, … that write log lines."""
    head = HEAD.replace("SETTLE", settle)
    return head + "".join(
        f'[[rules]]\nname = "r{n}"\nactions = [{{ to = "journal" }}]\n{table}\n' for n, table in enumerate(tables)
    )


def version(name: str, number: int, action: str = "created", minute: int = 0, **more: Any) -> dict[str, Any]:
    """A webhook about a version of a prompt, updated so many minutes after ten."""
    updated_at = datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(minutes=minute, milliseconds=number)
    changed = {"id": f"{name}-{number}", "name": name, "version": number, "updatedAt": updated_at.isoformat()}
    return body(f"{name}-{number}-{action}-{minute}", {"createdAt": updated_at.isoformat(), **changed, **more}) | {
        "action": action,
        "timestamp": (updated_at + timedelta(seconds=1)).isoformat(),
    }


def post_all(router: RunningRouter, bodies: Iterable[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(router.post, bodies)} == {202}


def all_routed(router: RunningRouter) -> None:
    eventually(lambda: all(event.status != "waiting" for event in router.events()), "everything is routed")


def of_rule(router: RunningRouter, rule: str) -> list[DeliveryRecord]:
    return [delivery for delivery in router.deliveries() if delivery.rule == rule]


def message(router: RunningRouter, delivery: DeliveryRecord) -> str:
    with router.store() as store:
        found = store.delivery(delivery.key)
    assert found is not None
    assert isinstance(found.message, LogMessage)
    return found.message.text


def told(router: RunningRouter) -> list[tuple[str, str]]:
    """Return (rule, change) for everything that was told."""
    engine = create_engine(f"sqlite:///{router.folder / 'router.db'}")
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT f.rule, f.change_id FROM firing_changes f JOIN deliveries d ON d.firing = f.firing"
                " ORDER BY d.seq"
            )
        )
        found = [(rule, change) for rule, change in rows]
    engine.dispose()
    return found


def held(router: RunningRouter) -> int:
    with router.store() as store:
        return sum(store.backlog().held.values())


# ---- storms


def test_a_tag_edit_on_200_versions_is_one_change_and_one_message(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules('match = { action = "updated" }')) as router:
        post_all(router, (version("cart", n) for n in range(1, 201)))
        all_routed(router)
        assert of_rule(router, "r0") == []
        edited = (
            version("cart", n, "updated", 5, labels=["latest"] if n == 200 else [], tags=["new"]) for n in range(1, 201)
        )
        post_all(router, edited)
        all_routed(router)
        (delivery,) = of_rule(router, "r0")
        assert message(router, delivery) == "cart: tags +new (Ann)"
        statuses = [event.status for event in router.events() if event.action == "updated"]
        assert (statuses.count("routed"), statuses.count("quiet")) == (1, 199)


def test_deleting_a_prompt_with_50_versions_is_one_message_that_lists_them(tmp_path: Path) -> None:
    table = 'group = "prompt"\nmatch = { action = "deleted" }'
    with RunningRouter(tmp_path, rules(table, "match = { versions_left = 0 }")) as router:
        post_all(router, (version("cart", n) for n in range(1, 51)))
        all_routed(router)
        post_all(router, (version("cart", n, "deleted") for n in range(1, 51)))
        all_routed(router)
        (delivery,) = of_rule(router, "r0")
        assert message(router, delivery) == "50 changes to cart by Ann: v1–v50 deleted, none left"
        assert len(of_rule(router, "r1")) == 1


def test_a_folder_of_500_prompts_duplicated_is_one_message(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules('collect = "1h"')) as router:
        post_all(router, (version(f"copies/p{n}", 1, labels=["production", "latest"]) for n in range(500)))
        all_routed(router)
        assert held(router) == 500
        router.reload(rules('collect = "1s"'))  # a slow machine may need longer than any span worth waiting for
        (delivery,) = eventually(lambda: of_rule(router, "r0"), "it is told")
        said = message(router, delivery)
        assert said.startswith("500 changes to 500 prompts by Ann: v1 created; production set on v1 in 500 prompts:")
        assert len(set(told(router))) == 500
        assert held(router) == 0


def test_settling_stretches_with_a_storm_and_ends_by_its_cap(tmp_path: Path) -> None:
    settle = 0.5
    with RunningRouter(tmp_path, rules("", settle="500ms")) as router:
        number, begun = 0, time.monotonic()
        while time.monotonic() - begun < 12 * settle:
            number += 1
            router.post(version("cart", number))
        all_routed(router)
        arrived = sorted((event.received_at, event.routed_at) for event in router.events())
        capped = arrived[0][0] + timedelta(seconds=9 * settle)  # whatever follows, the cap comes first
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(arrived) if earlier < capped]
        assert max(gaps) < timedelta(seconds=settle), "the machine was too slow for a storm"
        batches = sorted({routed_at for _, routed_at in arrived if routed_at})
        assert 2 <= len(batches) <= 3
        first = batches[0] - arrived[0][0]
        assert timedelta(seconds=10 * settle) <= first < timedelta(seconds=10 * settle + 5)


# ---- what is held back


def test_a_throttle_tells_the_first_at_once_and_the_last_word_at_its_end(tmp_path: Path) -> None:
    with RunningRouter(tmp_path, rules('throttle = "3s"', settle="0s")) as router:
        for n in range(1, 6):
            router.post(version("cart", n))
            all_routed(router)
        router.post(version("search", 1))
        all_routed(router)
        said = [message(router, delivery) for delivery in of_rule(router, "r0")]
        assert sorted(said) == ["cart: v1 created (Ann)", "search: v1 created (Ann)"]
        assert held(router) == 4
        metrics = router.client.get(f"{router.url}/metrics", headers={"authorization": "Bearer admin"}).text
        assert 'langfuse_router_changes_held_total{mode="live",rule="r0"} 4.0' in metrics
        assert 'langfuse_router_changes_holding{rule="r0"} 4.0' in metrics
        eventually(lambda: len(of_rule(router, "r0")) == 3, "what was held is told")
        assert message(router, of_rule(router, "r0")[0]) == "4 changes to cart by Ann: v2–v5 created"
        assert len(told(router)) == len(set(told(router))) == 6


def test_what_is_held_survives_a_kill_and_a_rule_that_is_gone(tmp_path: Path) -> None:
    text = rules('collect = "1h"', 'collect = "1h"\nmode = "shadow"', settle="0s")
    with RunningRouter(tmp_path, text) as router:
        for n in range(1, 4):
            router.post(version("cart", n))
        all_routed(router)
        router.kill()
        router.start()
        assert held(router) == 6
        gone = text.replace('name = "r0"', 'name = "renamed"').replace('collect = "1h"', 'collect = "1s"')
        router.reload(gone)
        (line,) = eventually(lambda: router.logged("held changes wait"), "it is said that they wait")
        assert '"r0"' in line
        (shadow,) = eventually(lambda: of_rule(router, "r1"), "a shorter time tells what was gathered before")
        assert (shadow.status, shadow.mode) == ("captured", "shadow")
        assert held(router) == 3
        router.reload(text)
        eventually(lambda: len(router.logged("rules reloaded")) == 2, "the rules are back")
        assert of_rule(router, "r0") == []
        router.reload(rules('mode = "live"', settle="0s"))
        (delivery,) = eventually(lambda: of_rule(router, "r0"), "without `collect` they are told at once")
        assert message(router, delivery).startswith("3 changes to cart by Ann: ")
        assert held(router) == 0


def test_each_change_is_told_once_whenever_the_router_is_killed(tmp_path: Path) -> None:
    tables = ('collect = "50ms"', 'throttle = "50ms"', 'throttle = "100ms"\ngroup = "prompt"', "")
    dice = random.Random(4)
    posted = 0
    with RunningRouter(tmp_path, rules(*tables, settle="0s")) as router:
        for _ in range(4):
            for _ in range(dice.randint(10, 40)):
                posted += 1
                router.post(version(f"p{posted % 3}", posted))
            time.sleep(dice.random() / 5)  # somewhere between arriving, routing and telling
            router.kill()
            router.start()
        all_routed(router)
        eventually(lambda: held(router) == 0, "nothing is held any more")
        found = told(router)
        assert len(found) == len(set(found))
        for n in range(len(tables)):
            assert sum(rule == f"r{n}" for rule, _ in found) == posted
        eventually(lambda: all(d.status == "delivered" for d in router.deliveries()), "all are delivered")
