"""The guarantees, each with somebody who tries to break it."""

import threading
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.running import SECRET, RunningRouter, command, eventually
from tests.acceptance.test_intake import body

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.sink]
type = "http"
url = "http://127.0.0.1:SINK/hook"
allow_private = true
retry = ["100ms", "200ms", "200ms", "200ms", "200ms", "200ms", "200ms", "200ms", "200ms", "200ms"]

[[rules]]
name = "everything"
actions = [{ to = "sink" }]
"""


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    rules = RULES.replace("SINK", "9")  # nobody listens there: deliveries stay, to be counted
    acknowledged: list[str] = []
    with RunningRouter(tmp_path, rules) as router:

        def post_until_it_dies(first: int) -> None:
            for number in range(first, first + 100_000):
                id = f"event-{number}"
                try:
                    answer = router.post(body(id, {"id": id, "name": f"prompt-{number}"}))
                except Exception:
                    return
                if answer.status_code == 202:
                    acknowledged.append(id)

        threads = [threading.Thread(target=post_until_it_dies, args=(n * 1_000_000,)) for n in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(acknowledged) > 100, "some events are acknowledged")
        router.kill()
        for thread in threads:
            thread.join()
        assert {event.id for event in router.events()} >= set(acknowledged)
        router.start()
        eventually(
            lambda: all(event.status == "routed" for event in router.events() if event.id in acknowledged),
            "unfinished routing goes on after the restart",
        )
        assert router.stop() == 0


def test_a_reload_under_load_refuses_and_loses_no_request(tmp_path: Path) -> None:
    rules = RULES.replace("SINK", "9")
    with RunningRouter(tmp_path, rules) as router:
        answers: list[int] = []
        stop = threading.Event()

        def post(first: int) -> None:
            number = first
            while not stop.is_set():
                number += 1
                answers.append(router.post(body(f"e{number}", {"id": f"v{number}", "name": f"p{number}"})).status_code)

        threads = [threading.Thread(target=post, args=(n * 1_000_000,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for round in range(5):
            before = len(router.logged("rules reloaded"))
            router.reload(rules.replace("everything", f"everything-{round}"))
            eventually(partial(_more_reloads, router, before), "the rules are reloaded")
            eventually(partial(_longer, answers, len(answers) + 10), "requests go on")
        stop.set()
        for thread in threads:
            thread.join()
        assert set(answers) == {202}
        eventually(lambda: all(e.status == "routed" for e in router.events()), "everything is routed")
        assert "everything-4" in {delivery.rule for delivery in router.deliveries()}


def _longer(found: list[int], than: int) -> bool:
    return len(found) > than


def _more_reloads(router: RunningRouter, than: int) -> bool:
    return len(router.logged("rules reloaded")) > than


def test_a_bad_file_changes_nothing_and_the_log_says_why(tmp_path: Path) -> None:
    rules = RULES.replace("SINK", "9")
    with RunningRouter(tmp_path, rules) as router:
        digest = router.client.get(f"{router.url}/health/ready").json()["ruleset"]
        router.reload(rules.replace("[[rules]]", "[[rules]]\nmatch = { labels_gaind = 'x' }"))
        (line,) = eventually(lambda: router.logged("rules refused"), "the refusal is logged")
        assert "rules.toml:" in line
        assert "labels_gained" in line
        assert router.client.get(f"{router.url}/health/ready").json()["ruleset"] == digest
        router.reload(rules.replace("[sources.prod]", "[server]\nport = 1\n[sources.prod]"))
        eventually(lambda: [x for x in router.logged("rules refused") if "restart" in x], "it needs a restart")
        assert router.stop() == 0


def test_watched_files_are_reloaded_once_they_are_still_whichever_way_they_are_written(tmp_path: Path) -> None:
    rules = RULES.replace("SINK", "9")
    with RunningRouter(tmp_path, 'include = ["rules.d/*.toml"]\n' + rules, "--watch") as router:
        (tmp_path / "new.toml").write_text(rules.replace("everything", "replaced"))
        (tmp_path / "new.toml").replace(router.rules)
        eventually(partial(_more_reloads, router, 0), "a file that took the place of the old one is read")
        router.rules.write_text('include = ["rules.d/*.toml"]\n' + rules)
        eventually(partial(_more_reloads, router, 1), "a file that was written over is read")
        router.post(body("e1"))  # the store beside it is written to
        assert router.stop() == 0
        assert len(router.logged("rules reloaded")) == 2


def test_a_port_or_a_store_in_use_is_one_clear_line(tmp_path: Path) -> None:
    rules = RULES.replace("SINK", "9")
    with RunningRouter(tmp_path, rules) as router:
        port = router.url.rpartition(":")[2]
        env = {"LANGFUSE_WEBHOOK_SECRET": SECRET}
        taken = command("serve", "--port", port, folder=tmp_path, env=env)
        assert taken.returncode == 1
        assert taken.stderr.splitlines() == [f"error: cannot listen on 127.0.0.1:{port}: Address already in use"]
        locked = command("serve", "--port", "0", folder=tmp_path, env=env)
        assert locked.returncode == 1
        assert len(locked.stderr.splitlines()) == 1
        assert "in use by another server" in locked.stderr


@pytest.mark.parametrize(
    ("url", "word"), [("sqlite:////nowhere/x.db", "no directory"), ("mysql://h/x", "unknown kind")]
)
def test_a_store_that_cannot_be_used_is_one_clear_line(tmp_path: Path, url: str, word: str) -> None:
    (tmp_path / "rules.toml").write_text(RULES.replace("SINK", "9"))
    env = {"LANGFUSE_WEBHOOK_SECRET": SECRET}
    failed = command("serve", "--port", "0", "--store", url, folder=tmp_path, env=env)
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert word in failed.stderr
