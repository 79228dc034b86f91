"""What waits, why, and that it goes on: breaker, order, rate, reload, stop."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.receivers import Arrived, Receiver, Reply
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_delivery import ONE
from tests.acceptance.test_intake import body

TROUBLES = """
[destinations.journal]
type = "log"

[[rules]]
name = "troubles"
match = { type = "router.*" }
actions = [{ to = "journal" }]
"""


def prompt(number: int, **changes: Any) -> dict[str, Any]:
    """Return the body of an event about a prompt of its own."""
    return body(f"e{number}", {"id": f"v{number}", "name": f"p{number}", **changes})


def to_sink(router: RunningRouter, status: str | None = None) -> list[str]:
    return [one.key for one in router.deliveries() if one.destination == "sink" and status in (None, one.status)]


def planned(router: RunningRouter, count: int) -> bool:
    return len(to_sink(router)) == count


def test_a_destination_that_fails_is_left_alone_and_says_so_until_a_reload_changes_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.script = lambda _: Reply(status=503)
    rules = ONE.replace("SINK", receiver.url) + TROUBLES
    with RunningRouter(tmp_path, rules) as router:
        for number in range(4):
            router.post(prompt(number))
        eventually(lambda: [event for event in router.events() if event.type == "router.breaker_open"], "it is told")
        router.post(prompt(9))
        eventually(lambda: planned(router, 5), "the last one is planned")
        eventually(lambda: not to_sink(router, "sending"), "no attempt is under way")
        tried = len(receiver.arrived)
        listed = command("deliveries", "list", "--prompt", "p9", folder=tmp_path, env=router.env).stdout
        assert "breaker open until" in listed
        assert "HTTP 503" in listed
        with router.store() as store:
            (sink,) = [found for found in store.destinations() if found.name == "sink"]
        assert (sink.breaker, sink.waiting, sink.failures >= 5) == ("open", 5, True)
        assert len(receiver.arrived) == tried
        receiver.script = None
        router.reload(rules.replace('timeout = "5s"', 'timeout = "6s"'))
        eventually(lambda: len(to_sink(router, "delivered")) == 5, "all are delivered")
        told = [event for event in router.events() if event.type.startswith("router.")]
        assert [event.type for event in told] == ["router.breaker_open"]


def test_a_renamed_destination_leaves_its_deliveries_waiting_until_it_is_back(
    tmp_path: Path, receiver: Receiver
) -> None:
    answer = threading.Event()
    receiver.script = lambda _: Reply(status=503 if answer.wait(30) else 500)
    rules = ONE.replace("SINK", receiver.url).replace('"50ms", "50ms", "50ms"', '"1h"')
    with RunningRouter(tmp_path, rules) as router:
        router.post(prompt(1))
        eventually(lambda: receiver.arrived, "it is being sent")
        router.reload(rules.replace("destinations.sink", "destinations.other").replace('to = "sink"', 'to = "other"'))
        eventually(lambda: router.logged("rules reloaded"), "the reload is done")
        answer.set()
        eventually(lambda: to_sink(router, "retrying"), "the attempt ended after the reload, and is stored")
        listed = command("deliveries", "list", folder=tmp_path, env=router.env).stdout
        assert "no destination" in listed
        receiver.script = None
        router.post(prompt(2))
        eventually(lambda: [one for one in router.deliveries() if one.status == "delivered"], "the new name is used")
        assert len(receiver.arrived) == 2
        router.reload(rules.replace('["1h"]', '["50ms"]'))
        eventually(lambda: len(router.logged("rules reloaded")) == 2, "the name is back")
        assert "next attempt at" in command("deliveries", "list", folder=tmp_path, env=router.env).stdout


def test_ordered_deliveries_of_a_prompt_arrive_in_order_and_others_are_not_held_up(
    tmp_path: Path, receiver: Receiver
) -> None:
    failures = iter([503, 503, 200, 422])
    lock = threading.Lock()

    def script(arrived: Arrived) -> Reply:
        with lock:
            return Reply(status=next(failures, 200) if arrived.json["prompt"]["name"] == "slow" else 200)

    receiver.script = script
    rules = ONE.replace("SINK", receiver.url).replace("timeout", "ordered = true\ntimeout")
    with RunningRouter(tmp_path, rules) as router:
        for version in range(1, 6):
            updated = f"2026-11-24T10:00:0{version}.000Z"
            router.post(prompt(version, name="slow", version=version, updatedAt=updated))
            eventually(partial(planned, router, version), "it is planned")
        router.post(prompt(9))
        eventually(lambda: len(to_sink(router, "delivered")) == 5, "all but the rejected one are delivered")
        seen = [(one.json["prompt"]["name"], one.json["prompt"]["version"]) for one in receiver.arrived]
        assert [version for name, version in seen if name == "slow"] == [1, 1, 1, 2, 3, 4, 5]
        (dead,) = to_sink(router, "dead")
        again = command("deliveries", "retry", dead, folder=tmp_path, env=router.env)
        assert again.returncode == 1
        assert "is cancelled (superseded by" in again.stderr
        assert len(receiver.arrived) == len(seen)


def test_a_rate_is_kept_by_waiting(tmp_path: Path, receiver: Receiver) -> None:
    rules = ONE.replace("SINK", receiver.url).replace("timeout", 'rate = "3/1h"\ntimeout')
    with RunningRouter(tmp_path, rules) as router:
        for number in range(5):
            router.post(prompt(number))
        eventually(lambda: len(to_sink(router, "delivered")) == 3, "three went out")
        eventually(lambda: len(to_sink(router, "pending")) == 2, "two wait")
        assert "rate: not before" in command("deliveries", "list", folder=tmp_path, env=router.env).stdout
        assert len(receiver.arrived) == 3


def test_a_stop_under_load_loses_nothing_and_repeats_nothing(tmp_path: Path, receiver: Receiver) -> None:
    hundred = threading.Event()

    def count() -> None:
        if len(receiver.arrived) >= 100:
            hundred.set()

    receiver.script = lambda _: Reply(before=count)
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        for number in range(200):
            router.post(prompt(number))
        assert hundred.wait(60)
        assert router.stop() == 0
        states = {one.status for one in router.deliveries()}
        assert states <= {"pending", "delivered"}
        router.start()
        eventually(lambda: len(to_sink(router, "delivered")) == 200, "all are delivered")
        keys = [arrived.headers["idempotency-key"] for arrived in receiver.arrived]
        assert len(keys) == len(set(keys)) == 200
