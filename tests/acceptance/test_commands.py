"""The commands, as somebody at a terminal or a script runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import SECRET, RunningRouter, command, eventually
from tests.acceptance.test_intake import body

ROOT = Path(__file__).parents[2]

RULES = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.journal]
type = "log"

[destinations.team]
type = "slack"
webhook_url = "SINK/${SLACK_PATH:-hook}"
allow_private = true

[[rules]]
name = "promoted"
match = { labels_gained = "production" }
actions = [{ to = "team" }]

[[rules]]
name = "all"
actions = [{ to = "journal", text = "{{ prompt.name }} v{{ prompt.version }}" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES.replace("SINK", "https://hooks.slack.example.com"))
    promoted = body("promoted", {"labels": ["production"], "version": 4, "id": "v4"})
    (tmp_path / "promoted.json").write_text(json.dumps(promoted | {"action": "updated"}))
    before = body("before", {"labels": ["production"], "version": 3, "id": "v3", "updatedAt": "2026-11-24T09:00:00Z"})
    (tmp_path / "v3.json").write_text(json.dumps(before))
    return tmp_path


# ---- check


def test_check_finds_the_example_in_order(tmp_path: Path) -> None:
    ran = command("check", str(ROOT / "rules.example.toml"), folder=tmp_path)
    assert ran.returncode == 0
    assert "29 rules" in ran.stdout
    assert "LANGFUSE_WEBHOOK_SECRET is not set" in ran.stderr
    assert command("check", str(ROOT / "rules.example.toml"), "--strict", folder=tmp_path).returncode == 1


def test_check_warns_and_strict_allows_no_warning(folder: Path) -> None:
    rules = (folder / "rules.toml").read_text() + '[destinations.idle]\ntype = "log"\n'
    (folder / "rules.toml").write_text(rules)
    ran = command("check", folder=folder, env={"LANGFUSE_WEBHOOK_SECRET": "s"})
    assert ran.returncode == 0
    assert "warning: rules.toml:" in ran.stderr
    assert "destinations.idle: nobody sends there" in ran.stderr
    assert ran.stdout.startswith("ok: rules.toml: ")
    strict = command("check", "--strict", folder=folder, env={"LANGFUSE_WEBHOOK_SECRET": "s"})
    assert strict.returncode == 1
    assert strict.stderr.splitlines()[-1].endswith("--strict allows none")
    as_json = json.loads(command("check", "--strict", "--format", "json", folder=folder).stdout)
    assert as_json["valid"]
    assert "destinations.idle" in {warning["path"] for warning in as_json["warnings"]}


def test_check_tells_every_fault_at_once_with_place_and_remedy(folder: Path) -> None:
    wrong = (folder / "rules.toml").read_text()
    wrong = wrong.replace("labels_gained", "labels_gaind").replace('to = "journal"', 'to = "jurnal"')
    (folder / "rules.toml").write_text(wrong.replace("prompt.version", "prompt.verzion"))
    ran = command("check", folder=folder)
    assert ran.returncode == 1
    assert 'rules.toml:16:11: rules[0].match.labels_gaind: unknown clause; did you mean "labels_gained"?' in ran.stderr
    assert 'no destination "jurnal"; did you mean "journal"?' in ran.stderr
    as_json = json.loads(command("check", "--format", "json", folder=folder).stdout)
    assert not as_json["valid"]
    assert {"file", "line", "column", "path", "what"} == set(as_json["problems"][0])


def test_a_rules_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    ran = command("check", "nowhere.toml", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[0] == "nowhere.toml: cannot be read: No such file or directory"


# ---- dry-run


def test_dry_run_shows_change_rules_and_requests(folder: Path) -> None:
    ran = command("dry-run", "promoted.json", "--previous", "v3.json", folder=folder)
    assert ran.returncode == 0
    assert "production moved v3 → v4" in ran.stdout
    assert "rule promoted: match" in ran.stdout
    assert '✓ labels_gained: wanted "production", got ["production"]' in ran.stdout
    assert "nothing was known before" in command("dry-run", "promoted.json", folder=folder).stdout


def test_dry_run_shows_what_apprise_would_tell(folder: Path) -> None:
    rules = (folder / "rules.toml").read_text()
    phone = """
[destinations.phone]
type = "apprise"
url = "json://example.com/hook"
[[rules]]
name = "phones"
actions = [{ to = "phone", title = "A title", body = "a text" }]
"""
    (folder / "phones.toml").write_text(rules + phone)
    ran = command("dry-run", "promoted.json", "--rules", "phones.toml", folder=folder)
    assert "  ***\n  Title: A title\n    a text\n" in ran.stdout


def test_dry_run_reads_stdin_and_expectations_decide_the_exit_status(folder: Path) -> None:
    raw = (folder / "promoted.json").read_text()
    met = command("dry-run", "-", "--expect", "promoted", "--expect", "all", folder=folder, stdin=raw)
    assert met.returncode == 0
    missed = command("dry-run", "v3.json", "--rule", "all", "--expect", "all", folder=folder)
    assert missed.returncode == 0
    (folder / "other.json").write_text(raw.replace('"production"', '"staging"'))
    missed = command("dry-run", "other.json", "--expect", "promoted", folder=folder)
    assert missed.returncode == 1
    assert "expected to fire, but did not: promoted" in missed.stderr


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not JSON"),
        ("[]", "no JSON object"),
        ('{"type": "prompt-version", "action": "created"}', "`prompt` is missing"),
        ('{"type": "prompt-version", "action": "renamed", "prompt": {}}', "created, updated, deleted"),
        ("nul\x00", "not JSON"),
    ],
)
def test_a_wrong_body_is_a_usage_error_that_says_what_is_wrong(folder: Path, text: str, word: str) -> None:
    (folder / "wrong.json").write_text(text)
    ran = command("dry-run", "wrong.json", folder=folder)
    assert ran.returncode == 2
    assert word in ran.stderr
    assert "Traceback" not in ran.stderr


def test_unknown_names_in_options_are_usage_errors(folder: Path) -> None:
    assert command("dry-run", "promoted.json", "--rule", "x", folder=folder).returncode == 2
    assert command("dry-run", "promoted.json", "--expect", "x", folder=folder).returncode == 2
    assert command("dry-run", "promoted.json", "--source", "x", folder=folder).returncode == 2
    assert command("dry-run", "nowhere.json", folder=folder).returncode == 2


def test_dry_run_can_really_send(folder: Path) -> None:
    with Receiver() as receiver:
        (folder / "rules.toml").write_text(RULES.replace("SINK", receiver.url))
        env = {"LANGFUSE_WEBHOOK_SECRET": SECRET}
        ran = command("dry-run", "promoted.json", "--previous", "v3.json", "--send", folder=folder, env=env)
    assert ran.returncode == 0, ran.stderr
    assert [arrived.path for arrived in receiver.arrived] == ["/hook"]
    assert not (folder / "router.db").exists()


# ---- events, deliveries, db


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    """A service that routed two events: one delivered, one dead."""
    with (
        Receiver() as receiver,
        RunningRouter(tmp_path_factory.mktemp("used"), RULES.replace("SINK", receiver.url), "--capture") as router,
    ):
        router.post(body("e1", {"id": "v1", "version": 1}))
        eventually(lambda: len(router.deliveries()) == 1, "the first is routed")
        router.post(body("e2", {"id": "v2", "version": 2, "labels": ["production"]}))
        eventually(lambda: len(router.deliveries()) == 3, "the second is routed")
        yield router


def run(used: RunningRouter, *arguments: str) -> Any:
    ran = command(*arguments, "--format", "json", folder=used.folder, env=used.env)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_events_are_listed_the_newest_first_in_pages(used: RunningRouter) -> None:
    first = run(used, "events", "list", "--limit", "1")
    assert [event["id"] for event in first["items"]] == ["e2"]
    second = run(used, "events", "list", "--limit", "1", "--cursor", first["next_cursor"])
    assert [event["id"] for event in second["items"]] == ["e1"]
    assert second["next_cursor"] is None
    assert run(used, "events", "list", "--status", "stale")["items"] == []
    text = command("events", "list", "--prompt", "checkout/cart", folder=used.folder, env=used.env)
    assert "e1" in text.stdout
    assert "prompt-version created checkout/cart" in text.stdout


def test_an_event_tells_what_became_of_it(used: RunningRouter) -> None:
    shown = command("events", "show", "e2", folder=used.folder, env=used.env)
    assert "event e2 from prod, routed" in shown.stdout
    assert "rule promoted: match" in shown.stdout
    assert "→ team by promoted: captured" in shown.stdout
    missing = command("events", "show", "nothing", folder=used.folder, env=used.env)
    assert (missing.returncode, missing.stderr) == (1, "error: no event nothing in the store\n")


def test_an_exported_event_is_the_body_byte_for_byte(used: RunningRouter) -> None:
    exported = command("events", "export", "e2", folder=used.folder, env=used.env)
    assert json.loads(exported.stdout)["id"] == "e2"
    again = command("dry-run", "-", "--expect", "all", folder=used.folder, env=used.env, stdin=exported.stdout)
    assert again.returncode == 0, again.stderr


def test_deliveries_are_listed_by_state_and_shown_with_their_request(used: RunningRouter) -> None:
    found = run(used, "deliveries", "list", "--destination", "team")["items"]
    assert [(delivery["rule"], delivery["status"]) for delivery in found] == [("promoted", "captured")]
    shown = run(used, "deliveries", "show", found[0]["key"])
    assert shown["request"]["body"]["text"].startswith("checkout/cart: v2 created; production set on v2")
    assert [event["id"] for event in shown["events"]] == ["e2"]


def test_a_bulk_retry_without_a_terminal_needs_yes(used: RunningRouter) -> None:
    ran = command("deliveries", "retry", "--status", "captured", folder=used.folder, env=used.env)
    assert ran.returncode == 2
    assert "--yes" in ran.stderr
    assert command("deliveries", "retry", folder=used.folder, env=used.env).returncode == 2


def test_dead_deliveries_are_dismissed_or_sent_again_by_filter(tmp_path: Path) -> None:
    with Receiver() as receiver:
        receiver.script = lambda arrived: Reply(status=200 if arrived.json["text"].startswith("good") else 400)
        with RunningRouter(tmp_path, RULES.replace("SINK", receiver.url)) as router:
            for number, name in enumerate(("bad/1", "bad/2", "good/3")):
                router.post(body(f"e{number}", {"id": f"v{number}", "name": name, "labels": ["production"]}))
            eventually(lambda: sum(d.status == "dead" for d in router.deliveries()) == 2, "two are dead")
            assert run(router, "deliveries", "list", "--status", "dead", "--since", "2h")["items"]
            assert run(router, "deliveries", "list", "--status", "dead", "--since", "2099-01-01")["items"] == []

            def act(*arguments: str) -> tuple[int, str, str]:
                ran = command("deliveries", *arguments, folder=tmp_path, env=router.env)
                return ran.returncode, ran.stdout, ran.stderr

            status, _, said = act("dismiss", "--rule", "promoted")
            where, error = said.splitlines()[:2]
            assert (status, where.split()) == (2, ["2", "team", "(slack)"])
            assert error == "error: dismiss 2 deliveries? There is no terminal to ask on; say --yes"
            assert act("dismiss", "--prompt", "nothing")[0] == 2
            assert act("dismiss", "--prompt", "bad/1", "--yes") == (0, "1 of 1 delivery dismissed\n", "")
            (gone,) = run(router, "deliveries", "list", "--prompt", "bad/1", "--destination", "team")["items"]
            assert (gone["status"], gone["reason"]) == ("cancelled", "dismissed; before: HTTP 400 Bad Request: ok")
            status, _, said = act("dismiss", gone["key"])
            assert (status, said) == (1, f"{gone['key']}: is cancelled ({gone['reason']})\n")
            receiver.script = None
            sent = run(router, "deliveries", "retry", "--destination", "team", "--yes")
            assert (sent["chosen"], len(sent["changed"])) == (1, 1)
            ended = {"delivered", "cancelled"}
            eventually(lambda: {d.status for d in router.deliveries()} == ended, "it was sent again, and arrived")
            assert act("cancel", "--since", "1h", "--yes") == (0, "no such deliveries\n", "")
            for wrong in ((), ("some-key", "--status", "dead"), ("--since", "tomorrow")):
                assert act("cancel", *wrong)[0] == 2
            assert act("cancel", "no-such-key")[::2] == (1, "no-such-key: not in the store\n")


def test_send_test_goes_the_real_way_and_says_what_became_of_it(tmp_path: Path) -> None:
    with Receiver() as receiver:
        (tmp_path / "rules.toml").write_text(RULES.replace("SINK", receiver.url))
        env = {"LANGFUSE_WEBHOOK_SECRET": SECRET, "SLACK_PATH": "canary"}
        receiver.replies = [Reply(), Reply(status=404, body=b"no_team"), Reply(status=503)]
        good, bad, failed = (command("send-test", "team", folder=tmp_path, env=env) for _ in range(3))
        assert (good.returncode, bad.returncode, failed.returncode) == (0, 1, 1)
        assert "team (slack): accepted: HTTP 200 OK" in good.stdout
        assert "team (slack): refused: HTTP 404 Not Found: no_team" in bad.stdout
        assert "team (slack): retry: HTTP 503" in failed.stdout
        assert {arrived.path for arrived in receiver.arrived} == {"/canary"}
        assert "a test message to the destination team" in receiver.arrived[0].json["text"]
        assert "canary" not in good.stdout + good.stderr
        as_json = command("send-test", "journal", "--format", "json", folder=tmp_path, env=env)
        assert json.loads(as_json.stdout)["outcome"] == "accepted"
        assert command("send-test", "nowhere", folder=tmp_path, env=env).returncode == 2
        assert command("send-test", "team", folder=tmp_path).returncode == 1  # the secret is not set


def test_check_compares_with_a_store(used: RunningRouter, folder: Path) -> None:
    rules = (folder / "rules.toml").read_text()
    (folder / "rules.toml").write_text(rules.replace('"production"', '"prodction"'))
    ran = command("check", "--store", f"sqlite:///{used.folder / 'router.db'}", folder=folder)
    assert 'no label in the store fits "prodction"; did you mean "production"?' in ran.stderr
    nowhere = command("check", "--store", "sqlite:///nowhere.db", folder=folder)
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)


def test_dry_run_takes_what_is_known_from_a_store(used: RunningRouter, folder: Path) -> None:
    promoted = folder / "promoted.json"
    ran = command("dry-run", str(promoted), "--store", "sqlite:///router.db", folder=used.folder, env=used.env)
    assert "production moved v2 → v4" in ran.stdout


def test_db_upgrade_makes_a_store_and_leaves_a_good_one_alone(folder: Path) -> None:
    for _ in range(2):
        ran = command("db", "upgrade", folder=folder)
        assert ran.returncode == 0, ran.stderr
        assert "the store is at schema" in ran.stdout
    assert command("events", "list", folder=folder).stdout == "no events\n"


def test_a_store_of_a_newer_program_is_refused_in_one_line(folder: Path) -> None:
    import sqlite3

    assert command("db", "upgrade", folder=folder).returncode == 0
    with sqlite3.connect(folder / "router.db") as connection:
        connection.execute("UPDATE router_schema SET version_num = '99.0'")
    connection.close()
    ran = command("serve", "--port", "0", folder=folder, env={"LANGFUSE_WEBHOOK_SECRET": SECRET})
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "newer than this program" in ran.stderr


# ---- init, schema


def test_init_writes_rules_that_check_and_dry_run_accept_and_overwrites_nothing(tmp_path: Path) -> None:
    ran = command("init", "new", folder=tmp_path)
    assert ran.returncode == 0
    assert "/webhooks/prod" in ran.stdout
    assert "80 and 443" in ran.stdout
    assert command("check", folder=tmp_path / "new").returncode == 0
    again = command("init", "new", folder=tmp_path)
    assert again.returncode == 1
    assert "nothing was overwritten" in again.stderr


def test_schema_prints_json_schema(tmp_path: Path) -> None:
    assert json.loads(command("schema", folder=tmp_path).stdout)["$schema"].startswith("https://json-schema.org/")


def test_help_names_every_command(tmp_path: Path) -> None:
    ran = command("--help", folder=tmp_path)
    assert ran.returncode == 0
    for name in ("check", "dry-run", "serve", "events", "deliveries", "db", "init", "schema", "send-test"):
        assert name in ran.stdout
