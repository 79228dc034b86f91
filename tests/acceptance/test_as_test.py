"""What happened becomes rule tests: exported from a store that a simulated Langfuse filled, they pass."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.langfuse.samples import ANN, BOB, CART_MESSAGES, CART_TEXTS
from router.service.as_test import as_test
from router.service.outside import Disk
from router.service.rulebook import load
from router.service.ruletests import read_tests, run
from router.storage.records import EventFilter, EventRecord
from tests.acceptance.running import SECRET, RunningRouter, command, eventually

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "200ms"
project_url = "https://langfuse.example.com"

[destinations.journal]
type = "log"

[destinations.team]
type = "slack"
webhook_url = "https://hooks.slack.example.com/${SLACK_PATH:-hook}"

[destinations.catalogue]
type = "http"
url = "https://catalogue.example.com"

[destinations.oncall]
type = "email"
smtp = "smtp://mail.example.com"
from = "prompts@example.com"
recipients = ["oncall@example.com"]

[[rules]]
name = "promoted"
match = { prompt = "checkout/**", labels_gained = "production" }
actions = [{ to = "team" }, { to = "catalogue" }]

[[rules]]
name = "by-ann"
match = { author = "ann@example.com", action = "created" }
actions = [{ to = "journal", text = "{{ author }} wrote {{ prompt.text }}" }]

[[rules]]
name = "taken-away"
match = { labels_lost = "*" }
actions = [{ to = "journal", text = "{{ change.labels_lost }} left v{{ prompt.version }}" }]

[[rules]]
name = "nobody-has-it"
match = { labels_removed = ["production", "staging"] }
actions = [{ to = "oncall" }]

[[rules]]
name = "batch"
group = "prompt"
match = { action = ["created", "deleted"] }
actions = [{ to = "journal", text = "{% for c in changes %}{{ c.prompt.name }} v{{ c.prompt.version }} {% endfor %}" }]

[[rules]]
name = "deleted"
match = { action = "deleted", versions_left = { gte = 0 } }
actions = [{ to = "journal", text = "{{ change.versions_left }} left" }]

[[rules]]
name = "digest"
collect = "1h"
actions = [{ to = "team" }]

[[rules]]
name = "model"
mode = "shadow"
match = { where = [{ path = "$.prompt.config.temperature", gt = 0.3 }] }
actions = [{ to = "team" }]

[[rules]]
name = "alerts"
match = { type = ["monitor-alert", "project-notification"] }
actions = [{ to = "oncall" }]
"""


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    """A service that saw a working day, disturbed in every way, and a storm."""
    with RunningRouter(tmp_path_factory.mktemp("story"), RULES, "--capture") as running:
        url = f"{running.url}/webhooks/prod"
        for scenario in (("working-day", "--duplicates"), ("churn", "--prompts", "3"), ("delete-storm",)):
            ran = command("simulate", *scenario, "--shuffle", "--url", url, "--secret", SECRET, folder=running.folder)
            assert ran.returncode == 0, ran.stdout
        eventually(lambda: all(event.status != "waiting" for event in running.events()), "all is routed")
        yield running


def those(router: RunningRouter) -> list[EventRecord]:
    """Return the events; of the storm, whose events are all alike, a few."""
    with router.store() as store:
        events = store.events(EventFilter(), limit=1000).items
    stormy = [event for event in events if (event.prompt or "").startswith("shop/long-lived")]
    return [event for event in events if event not in stormy[2:]]


def exported(router: RunningRouter, events: list[EventRecord], redacted: bool) -> tuple[Path, list[str]]:
    """Write the events' tests to a file; return it, and the notes."""
    loaded = load(str(router.rules), Disk({}), missing="placeholder")
    path = router.folder / f"redacted-{redacted}.test.toml"
    texts = ['rules = "rules.toml"\n']
    notes: list[str] = []
    with router.store() as store:
        for event in events:
            found = store.event(event.seq)
            assert found is not None
            one = as_test(store, loaded.ruleset, found, redacted=redacted)
            texts.append(one.text)
            notes += one.notes
    path.write_text("\n".join(texts))
    return path, notes


@pytest.mark.parametrize("redacted", [False, True])
def test_whatever_langfuse_did_passes_as_a_test(router: RunningRouter, redacted: bool) -> None:
    events = those(router)
    assert {event.status for event in events} >= {"routed", "quiet", "duplicate"}
    path, notes = exported(router, events, redacted)
    results = list(run(read_tests(str(path), Disk({}))))
    assert len(results) == len(events)
    assert [result.failures for result in results if result.failures] == []
    # what several changes at the same moment did to one prompt is not always to be had back
    assert sum("cannot be told exactly" in note for note in notes) <= len(events) // 10


def test_redacted_tests_hold_no_text_and_nobodys_name(router: RunningRouter) -> None:
    events = [event for event in those(router) if not (event.prompt or "").startswith("team-")]
    assert {event.type for event in events} == {"prompt-version", "monitor-alert", "project-notification"}
    lines = [line for text in CART_TEXTS for line in text.splitlines() if line]
    private = [*lines, *filter(None, CART_MESSAGES), "You sort the mails", "{{company}}", "examples"]
    private += [str(fact) for who in (ANN, BOB) for fact in (who.id, who.email)]
    plain, hidden = (exported(router, events, redacted)[0].read_text() for redacted in (False, True))
    assert [one for one in private if one not in plain] == []
    assert [one for one in (*private, "Ann", "Bob", "Checkout costs") if one in hidden] == []
    assert 'name = "checkout/prompt-1: production moved v3 → v4"' in hidden  # a rule asks for the folder, not the name


def test_the_command_prints_a_test_that_passes(router: RunningRouter) -> None:
    with router.store() as store:
        event = store.events(EventFilter(rule="promoted", prompt="checkout/cart"), limit=1).items[0]
    assert command("events", "export", event.id, "--redact", folder=router.folder).returncode == 2
    ran = command("events", "export", event.id, "--as-test", "--redact", folder=router.folder)
    assert ran.returncode == 0, ran.stderr
    assert "note: not replaced, because rules look at it: the prompt's folders" in ran.stderr
    (router.folder / "one.test.toml").write_text(ran.stdout)
    ran = command("test", "one.test.toml", "--rules", "rules.toml", folder=router.folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("1 passed, 0 failed\n")
