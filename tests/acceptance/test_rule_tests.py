"""`langfuse-router test`, on the how-to's own files."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.acceptance.running import command

PAGE = Path(__file__).parents[2] / "docs/how-to/test-rules.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in re.findall(r"<!-- (\S+) -->\n```toml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "rules.test.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_how_tos_tests_pass_as_it_says(folder: Path) -> None:
    ran = command("test", folder=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = re.search(r"\$ langfuse-router test\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert ran.stdout == shown[1]


def test_a_failing_test_says_what_was_wanted_what_came_and_why(folder: Path) -> None:
    change(folder, "version = 4 } } }", "version = 5 } } }")
    change(folder, "expect = []", 'expect = [{ rule = "production-promoted", to = "ci" }]')
    ran = command("test", "--junit", "result.xml", folder=folder)
    assert ran.returncode == 1
    assert '-    "version": 5' in ran.stdout
    assert "missing: production-promoted → ci" in ran.stdout
    assert '✗ labels_gained: wanted "production", got ["staging"]' in ran.stdout
    suite = ET.parse(folder / "result.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")


def test_coverage_names_what_no_test_has_seen_and_can_fail(folder: Path) -> None:
    assert "100 %" in command("test", "--coverage", folder=folder).stdout
    change(folder, 'labels = ["staging"] }\nat', 'labels = ["production"] }\nat')
    ran = command("test", "--coverage", "--format", "json", folder=folder)
    assert "production-promoted: labels_gained: never false" in json.loads(ran.stdout)["coverage"][0]["gaps"]
    change(folder, "expect = []", 'expect = [{ rule = "production-promoted" }]')
    assert command("test", folder=folder).returncode == 0
    assert command("test", "--fail-under", "90", folder=folder).returncode == 1


def test_coverage_with_a_gap_is_never_100_percent(folder: Path) -> None:
    example = PAGE.parents[2] / "rules.example.toml"
    first, *tests = example.with_suffix(".test.toml").read_text().split("[[tests]]")
    kept = [test for test in tests if "not the nightly job" not in test]
    rules = first.replace("rules.example.toml", str(example))
    (folder / "most.test.toml").write_text("[[tests]]".join([rules, *kept]))
    ran = command("test", "most.test.toml", "--coverage", folder=folder)
    assert "99 % of what" in ran.stdout
    assert "agents-exposed: none.none[1].author: never true" in ran.stdout


def test_every_fault_of_a_test_file_is_told_with_its_place(folder: Path) -> None:
    change(folder, 'name = "staging stays silent"\nevent = {', 'event = { actoin = "x",')
    change(folder, "+01:00", "")
    change(folder, 'to = "ci"', 'to = "cii"')
    ran = command("test", folder=folder)
    assert ran.returncode == 1
    assert 'rules.test.toml:16:1: tests[1].event: `actoin`: unknown key; did you mean "action"?' in ran.stderr
    assert "tests[1].at: expected a time with its zone" in ran.stderr
    assert "tests[1].name: `name` is missing" in ran.stderr
    assert 'no destination "cii"; did you mean "ci"?' in ran.stderr


def test_without_files_it_is_wrong_usage(tmp_path: Path) -> None:
    assert command("test", folder=tmp_path).returncode == 2
