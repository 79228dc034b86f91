"""What is shown of a refused file: the lines around each fault, and no secret."""

from hypothesis import given
from hypothesis import strategies as st

from router.domain.problem import Place, Problem
from router.service.excerpt import AROUND, LONGEST, MOST, excerpts

FILE = """\
include = ["rules.d/*.toml"]
[server]
admin_token = "hush"  # hush
[sources.prod]
secret = \"\"\"
hush
\"\"\"
[destinations]
pager = { url = "https://hush" }
[destinations.chat]
recipients = [
  ["hush", "hush"],
]

[[rules]]
name = "shown"
match = { labels = "production" }
[vars]
team = "shown"
"""
LINES = FILE.splitlines()


def problem(line: int) -> Problem:
    return Problem(Place("rules.toml", line, 1), "somewhere", "wrong")


@given(st.integers(0, len(LINES) + 10))
def test_a_fault_stands_among_its_lines(line: int) -> None:
    (found,) = excerpts([problem(line)], lambda _: FILE)
    assert [shown.here for shown in found.lines].count(True) == (1 <= line <= len(LINES))
    assert all(abs(shown.number - line) <= AROUND for shown in found.lines)
    assert all("hush" not in shown.text for shown in found.lines)


def test_rules_are_shown_whole_and_of_other_tables_the_keys() -> None:
    found = excerpts([problem(line) for line in range(1, len(LINES) + 1)], lambda _: FILE)
    shown = [line.text for one in found for line in one.lines if line.here]
    assert shown[1:3] == ["[server]", "admin_token = ***"]
    assert shown[4:7] == ["secret = ***", "***", "***"]
    assert shown[13:] == LINES[13:]


def test_a_file_that_is_gone_and_endless_ones_are_no_trouble() -> None:
    def read(path: str) -> str:
        if path == "gone.toml":
            raise FileNotFoundError(path)
        return "[vars]\n" + "x" * 10_000

    gone = Problem(Place("gone.toml", 1, 1), "", "wrong")
    assert excerpts([gone], read)[0].lines == ()
    assert max(len(line.text) for line in excerpts([problem(2)], read)[0].lines) == LONGEST
    assert len(excerpts([problem(2)] * (MOST + 5), read)) == MOST
