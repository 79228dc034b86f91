"""The command line and its surroundings: terminals that know few characters, files that cannot be had, Ctrl-C."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from router.cli.main import COMMANDS
from tests.acceptance.receivers import Receiver
from tests.acceptance.running import command, eventually

RULES = """
[sources.prod]
secret = "${SECRET}"
[destinations.journal]
type = "log"
[[rules]]
name = "every → change"
actions = [{ to = "journal" }]
"""


def promoted(folder: Path) -> None:
    (folder / "rules.toml").write_text(RULES)
    (folder / "promoted.json").write_text(command("sample", "promoted", folder=folder).stdout)


def test_every_command_stands_under_a_heading(tmp_path: Path) -> None:
    shown = command("--help", folder=tmp_path, env={"COLUMNS": "80"}).stdout
    assert all(f"│ {name} " in shown for name in COMMANDS)
    assert "─ Commands ─" not in shown
    assert shown.index("─ Begin ─") < shown.index("─ Rules ─") < shown.index("─ Operate ─")


def test_what_a_terminal_cannot_show_stops_nothing(tmp_path: Path) -> None:
    promoted(tmp_path)
    latin = {"PYTHONIOENCODING": "latin-1"}
    ran = command("dry-run", "promoted.json", folder=tmp_path, env=latin)
    assert ran.returncode == 0, ran.stderr
    assert "rule every ? change: match" in ran.stdout


def test_json_is_utf_8_whatever_the_terminal(tmp_path: Path) -> None:
    promoted(tmp_path)
    latin = {"PYTHONIOENCODING": "latin-1"}
    ran = command("dry-run", "promoted.json", "--format", "json", folder=tmp_path, env=latin)
    assert json.loads(ran.stdout)["rules"][0]["rule"] == "every → change"


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for arguments in (("init", "taken/here"), ("sample", "promoted", "--history", "taken/here")):
        ran = command(*arguments, folder=tmp_path)
        assert (ran.returncode, ran.stderr) == (1, "error: taken/here: Not a directory\n")


def test_who_has_no_rules_yet_is_told_how_to_come_by_some(tmp_path: Path) -> None:
    ran = command("serve", folder=tmp_path)
    assert ran.returncode == 1
    hint = "`langfuse-router init` writes a first one"
    assert ran.stderr.splitlines()[0] == f"rules.toml: cannot be read: No such file or directory; {hint}"


def test_a_time_may_leave_out_what_it_does_not_need(tmp_path: Path) -> None:
    promoted(tmp_path)
    assert command("dry-run", "promoted.json", "--at", "2026-11-23T10:00", folder=tmp_path).returncode == 0
    wrong = command("dry-run", "promoted.json", "--at", "ten", folder=tmp_path)
    assert wrong.returncode == 2
    assert "expected a time such as 2026-11-23T10:00, got 'ten'" in wrong.stderr


def test_a_mistyped_rule_or_source_is_recognised(tmp_path: Path) -> None:
    promoted(tmp_path)
    for option, name, meant in (("--rule", "every-change", "every → change"), ("--source", "prdo", "prod")):
        ran = command("dry-run", "promoted.json", option, name, folder=tmp_path)
        assert ran.returncode == 2
        assert f'no {option[2:]} "{name}" in rules.toml; did you mean "{meant}"?' in ran.stderr


def test_a_mistyped_command_is_recognised(tmp_path: Path) -> None:
    ran = command("dryrun", "promoted.json", folder=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[0] == "error: No such command 'dryrun'. Did you mean 'dry-run'?"


def test_ctrl_c_says_that_it_was_interrupted_not_that_nothing_happened() -> None:
    with Receiver() as receiver:
        options = ("--rate", "5", "--url", receiver.url, "--secret", "lf-whsec_of-a-test")
        process = subprocess.Popen(
            [sys.executable, "-m", "router", "simulate", "tag-storm", *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: receiver.arrived, "a webhook was sent")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said.strip() == "interrupted"
    assert process.returncode == 130
