"""The example file: its tests pass, and the cookbook tells all of it as it stands there."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from router.service.outside import Disk
from router.service.ruletests import coverage_of, read_tests, run

ROOT = Path(__file__).parent.parent
EXAMPLE = (ROOT / "rules.example.toml").read_text()
COOKBOOK = (ROOT / "docs/how-to/cookbook.md").read_text()


def test_the_example_passes_its_tests_which_see_every_answer_that_can_be_given() -> None:
    suite = read_tests(str(ROOT / "rules.example.test.toml"), Disk({}))
    results = list(run(suite))
    assert {result.test.name: result.failures for result in results if result.failures} == {}
    assert list(coverage_of(suite, results).gaps()) == []


def test_what_the_cookbook_shows_stands_in_the_example() -> None:
    shown = re.findall(r"^```toml\n(.*?)^```", COOKBOOK, re.DOTALL | re.MULTILINE)
    assert [text for text in shown if text not in EXAMPLE] == []
    rules = [rule["name"] for text in shown for rule in tomllib.loads(text).get("rules", [])]
    assert sorted(rules) == sorted(rule["name"] for rule in tomllib.loads(EXAMPLE)["rules"])


def test_twenty_five_situations_have_the_same_numbers_everywhere() -> None:
    numbers = [str(number) for number in range(1, 26)]
    assert re.findall(r"^### (\d+)\. ", COOKBOOK, re.MULTILINE) == numbers
    assert [*re.findall(r"^# (\d+): ", EXAMPLE, re.MULTILINE), "25"] == numbers
    tests = tomllib.loads((ROOT / "rules.example.test.toml").read_text())["tests"]
    tested = {number for test in tests for number in re.findall(r"\d+", test["name"].partition(": ")[0])}
    assert tested == {*numbers}


def test_the_files_that_the_example_names_are_packaged_beside_it() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for file in ("rules.example.toml", *files_in(tomllib.loads(EXAMPLE))):
        assert build["force-include"][file] == f"router/{file}"


def files_in(value: object) -> Iterator[str]:
    match value:
        case {"file": str(file)}:
            yield file
        case dict():
            for inner in value.values():
                yield from files_in(inner)
        case list():
            for inner in value:
                yield from files_in(inner)
