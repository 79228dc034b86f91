"""The command with Langfuse's API behind it: baseline, what no webhook told, and the control socket."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from router.domain.event import PromptKey
from router.langfuse.bodies import Person, prompt_version
from router.langfuse.model import Queued
from tests.acceptance.running import RunningRouter, command, eventually
from tests.langfuse_server import SECRET_KEY, LangfuseServer

ANN = Person("u1", "Ann", "ann@example.com")
NAME = "checkout/cart"
KEY = PromptKey("prod", "project", NAME)
ENV = {"LANGFUSE_SECRET_KEY": SECRET_KEY}


def rules(server: LangfuseServer) -> str:
    return f"""
[sources.prod]
secret = "${{LANGFUSE_WEBHOOK_SECRET}}"
settle = "100ms"
pair = "2s"
{server.api(every="1h")}
[destinations.log]
type = "log"
[[rules]]
name = "promoted"
match = {{ labels_gained = "production" }}
actions = [{{ to = "log", text = "{{{{ prompt.name }}}} from {{{{ change.moved_from }}}} by {{{{ author }}}}" }}]
[[rules]]
name = "troubles"
match = {{ type = "router.*" }}
actions = [{{ to = "log" }}]
"""


@pytest.fixture
def server() -> Iterator[LangfuseServer]:
    with LangfuseServer(datetime.now(UTC) - timedelta(hours=2)) as server:
        server.langfuse.create(NAME, "Hello", by=ANN, labels=["production"])
        server.langfuse.create(NAME, "Hello {{name}}", by=ANN)
        yield server


def deliver(router: RunningRouter, server: LangfuseServer, queued: list[Queued]) -> None:
    for number, one in enumerate(queued):
        row = server.langfuse.read(one)
        assert row is not None
        now = datetime.now(UTC)
        body = prompt_version(one.action, row, one.by, id=f"{now.timestamp()}-{number}", sent_at=now)
        assert router.post(msgspec.json.encode(body)).status_code == 202


def imported(router: RunningRouter) -> bool:
    with router.store() as store:
        return store.look_progress("prod").imported_at is not None


def logged(router: RunningRouter, text: str) -> bool:
    return bool(router.logged(text))


def a_minute_passes(router: RunningRouter) -> None:
    """As if the look before was a minute ago."""
    with router.store() as store:
        progress = store.look_progress("prod")
        assert progress.looked_at is not None
        earlier = {
            name: {id: since - timedelta(seconds=61) for id, since in ids.items()}
            for name, ids in store.differing("prod").items()
        }
        store.finish_look("prod", progress.project_id, progress.looked_at, earlier).result()


def test_the_baseline_makes_the_first_promotion_a_move(tmp_path: Path, server: LangfuseServer) -> None:
    with RunningRouter(tmp_path, rules(server), env=ENV) as router:
        eventually(lambda: imported(router), "everything is imported")
        deliver(router, server, server.langfuse.set_labels(NAME, 2, ["production"], by=ANN))
        eventually(lambda: logged(router, f"{NAME} from 1 by Ann"), "the move is told")
        assert router.stop() == 0


def test_an_event_that_comes_with_the_start_waits_for_what_was_before_it(
    tmp_path: Path, server: LangfuseServer
) -> None:
    for number in range(200):
        server.langfuse.create(f"other/{number:03}", "x", by=ANN)
    with RunningRouter(tmp_path, rules(server), env=ENV) as router:
        server.time = datetime.now(UTC)
        deliver(router, server, server.langfuse.create(NAME, "third", by=ANN, labels=["staging"]))
        eventually(lambda: len(router.events()) == 2 and all(e.status != "waiting" for e in router.events()), "routed")
        shown = command("prompts", "show", NAME, "--format", "json", folder=tmp_path)
        assert json.loads(shown.stdout)["prompt"]["labels"] == {"latest": 3, "production": 1, "staging": 3}


def test_what_no_webhook_told_is_found_named_and_delivered(tmp_path: Path, server: LangfuseServer) -> None:
    with RunningRouter(tmp_path, rules(server), env=ENV) as router:
        eventually(lambda: imported(router), "everything is imported")
        server.time = datetime.now(UTC) - timedelta(seconds=90)
        lost = server.langfuse.set_labels(NAME, 2, ["production"], by=ANN)
        first = command("reconcile", folder=tmp_path)
        assert first.returncode == 0, first.stderr
        assert "left to their webhooks for now, though they differ: 2 versions" in first.stdout
        a_minute_passes(router)
        second = command("reconcile", "--format", "json", folder=tmp_path)
        (look,) = json.loads(second.stdout)
        assert [missed["what"] for missed in look["missed"]] == [f"{NAME}: production moved v1 → v2"]
        eventually(lambda: logged(router, f"{NAME} from 1 by unknown"), "the move is told")
        eventually(lambda: logged(router, "router.missed"), "so is that it was missed")
        eventually(lambda: logged(router, "router.source_silent"), "and that the webhook is quiet")
        before = len(router.deliveries())
        deliver(router, server, lost)
        eventually(lambda: all(event.status != "waiting" for event in router.events()), "the late webhooks are routed")
        assert len(router.deliveries()) == before
        metrics = router.client.get(f"{router.url}/metrics")
        assert metrics.status_code in (200, 401)
        assert SECRET_KEY not in router.log.read_text()


def test_reload_says_how_it_went(tmp_path: Path, server: LangfuseServer) -> None:
    with RunningRouter(tmp_path, rules(server), env=ENV) as router:
        router.rules.write_text(rules(server).replace('name = "promoted"', 'name = "moved"'))
        done = command("reload", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "reloaded rules.toml: 2 rules, digest " in done.stdout
        router.rules.write_text(rules(server).replace("labels_gained", "labels_gaind"))
        refused = command("reload", "--store", f"sqlite:///{tmp_path}/router.db", folder=tmp_path)
        assert refused.returncode == 1
        assert "labels_gaind" in refused.stderr
        assert router.stop() == 0
        assert not (tmp_path / "router.db.sock").exists()


def test_without_a_service_reconcile_looks_by_itself_and_reload_says_that_nobody_is_there(
    tmp_path: Path, server: LangfuseServer
) -> None:
    (tmp_path / "rules.toml").write_text(rules(server))
    assert command("db", "upgrade", folder=tmp_path).returncode == 0
    done = command("reconcile", folder=tmp_path, env=ENV)
    assert done.returncode == 0, done.stderr
    assert "prod: 1 prompt, 1 of them imported" in done.stdout
    nobody = command("reload", folder=tmp_path)
    assert nobody.returncode == 1
    assert "no service listens on" in nobody.stderr
    keyless = command("reconcile", folder=tmp_path)
    assert keyless.returncode == 1
    assert "missing from the environment" in keyless.stderr
