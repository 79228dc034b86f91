"""`explain` and `what-if`, on a service that routed something."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.journal]
type = "log"

[destinations.team]
type = "log"

[[rules]]
name = "promoted"
match = { prompt = "checkout/*", labels_gained = "production" }
actions = [{ to = "team", text = "{{ prompt.name }} v{{ prompt.version }}" }]

[[rules]]
name = "rolled-back"
match = { prompt = "checkout/*", labels_gained = "production", rollback = true }
actions = [{ to = "team" }]

[[rules]]
name = "digest"
collect = "1h"
match = { action = "created" }
actions = [{ to = "journal" }]
"""


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    with RunningRouter(tmp_path_factory.mktemp("why"), RULES) as running:
        running.post(body("e1", {"id": "v1", "version": 1}))
        eventually(lambda: [e for e in running.events() if e.id == "e1" and e.status == "routed"], "e1 is routed")
        running.post(body("e2", {"id": "v2", "version": 2, "labels": ["production"]}))
        eventually(lambda: [d for d in running.deliveries() if d.status == "delivered"], "e2 is told")
        yield running


def explain(router: RunningRouter, *arguments: str) -> str:
    ran = command("explain", *arguments, folder=router.folder, env=router.env)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_explain_says_what_was_told_what_waits_and_what_was_missing(router: RunningRouter) -> None:
    told, before = explain(router, "checkout/cart").split("  e1\n")[0], explain(router, "checkout/cart")
    assert "created, v2, +production" in told
    assert "✓ promoted: prompt is checkout/cart; labels_gained is production" in told
    assert "→ team by promoted: delivered" in told
    assert "held back by digest until" in told
    assert "✗ rolled-back\n        ✗ rollback: wanted true, got false" in told
    assert '✗ labels_gained: wanted "production", got ["latest"]' in before


def test_explain_says_what_may_be_the_matter_where_nothing_came(router: RunningRouter) -> None:
    said = explain(router, "checkout/crat")
    assert 'no event of a prompt of this name ever came; did you mean "checkout/cart"?' in said
    assert "the last event of all came at" in said
    assert "give a longer --since" in explain(router, "checkout/cart", "--since", "2099-01-01T00:00:00Z")


def test_explain_speaks_of_the_rules_in_force(router: RunningRouter, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(RULES.replace("rollback = true }\n", "}\n").replace("rollback = true ", ""))
    said = explain(router, "checkout/cart", "--rules", str(other), "--store", f"sqlite:///{router.folder}/router.db")
    assert "routed by rules that have changed since" in said


def test_what_if_counts_what_would_come_go_and_differ(router: RunningRouter, tmp_path: Path) -> None:
    new = RULES.replace("v{{ prompt.version }}", "version {{ prompt.version }}")  # differs
    new = new.replace('name = "digest"', 'name = "weekly"')  # goes, and comes under another name
    (tmp_path / "new.toml").write_text(new)
    before = [delivery.key for delivery in router.deliveries()]
    arguments = ("what-if", str(tmp_path / "new.toml"))
    shown = command(*arguments, folder=router.folder, env=router.env)
    assert shown.returncode == 0, shown.stderr
    assert "2 deliveries would come, 2 go, 1 differ; the same: 0" in shown.stdout
    assert '-  "text": "checkout/cart v2"' in shown.stdout
    assert '+  "text": "checkout/cart version 2"' in shown.stdout
    as_json = json.loads(command(*arguments, "--format", "json", folder=router.folder, env=router.env).stdout)
    assert (as_json["come"], as_json["go"], as_json["differ"], as_json["same"]) == (2, 2, 1, 0)
    assert {one["kind"] for one in as_json["differences"]} == {"come", "go", "differ"}
    assert [delivery.key for delivery in router.deliveries()] == before


def test_what_if_of_the_same_rules_is_no_difference(router: RunningRouter) -> None:
    shown = command("what-if", "rules.toml", folder=router.folder, env=router.env)
    assert "0 deliveries would come, 0 go, 0 differ; the same: 3" in shown.stdout
    wrong = command("what-if", "nowhere.toml", folder=router.folder, env=router.env)
    assert wrong.returncode == 1
    assert "nowhere.toml: cannot be read" in wrong.stderr
