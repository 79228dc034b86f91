"""Diffs of prompts: exact, and bounded in time and size whatever the texts are."""

import random
import re
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.engine.difference import DIFF_SHOWN, LINE_SHOWN, LINES_COMPARED, MOST_STEPS, differ, shortened

lines = st.lists(
    st.sampled_from(["", "a", "b", "c", "a long line", "+x", "-y", "@@ -1 +1 @@", "a\r", "b\u2028c"]), max_size=60
)


def patched(old: str, diff: str) -> str:
    """Apply a unified diff, as `patch` would."""
    before, after, place = old.split("\n"), [], 0
    for line in diff.split("\n"):
        if found := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", line):
            first = int(found[1]) - (found[2] != "0")
            after += before[place:first]
            place = first
        elif line[0] == "+":
            after.append(line[1:])
        else:
            assert before[place] == line[1:]
            if line[0] == " ":
                after.append(line[1:])
            place += 1
    return "\n".join(after + before[place:])


@given(lines, lines)
def test_a_diff_applied_to_the_old_text_gives_the_new_one(old_lines: list[str], new_lines: list[str]) -> None:
    old, new = "\n".join(old_lines), "\n".join(new_lines)
    difference = differ(old, new)
    if old == new:
        assert difference.text == ""
        return
    assert patched(old, difference.text) == new
    assert difference.added - difference.removed == new.count("\n") - old.count("\n")
    assert not difference.note


def test_what_is_not_known_does_not_differ() -> None:
    assert differ(None, "a").text == differ("a", None).text == differ("a", "a").text == ""


def test_a_line_break_at_the_end_is_a_difference() -> None:
    assert differ("a\n", "a").text
    assert differ("a\r\nb", "a\nb").text


def test_one_edit_far_down_in_a_long_prompt_is_found_at_its_line() -> None:
    text = [f"line {number} of a prompt that is as long as a book" for number in range(8_000)]
    edited = [*text[:7_000], "another line", *text[7_001:]]
    difference = differ("\n".join(text), "\n".join(edited))
    assert difference.text.startswith("@@ -6999,5 +6999,5 @@")
    assert (difference.added, difference.removed, difference.note) == (1, 1, "")


def test_what_is_too_much_is_cut_with_a_note() -> None:
    old, new = ("\n".join(f"{word} {number}" for number in range(20_000)) for word in ("old", "new"))
    difference = differ(old, new)
    assert f"only {LINES_COMPARED:,} lines were compared" in difference.note
    assert difference.text.endswith(difference.note)
    assert len(difference.text) <= DIFF_SHOWN + 200


def test_a_long_line_is_shown_where_it_differs() -> None:
    old, new = ("word " * 10_000 + last for last in ("yesterday", "today"))
    (_, removed, added) = differ(old, new).text.split("\n")
    assert removed.startswith("-…")
    assert removed.endswith("yesterday")
    assert added.endswith("today")
    assert max(len(removed), len(added)) <= LINE_SHOWN


@given(st.lists(st.text("ab", max_size=30).flatmap(lambda text: st.sampled_from([f"-{text}", f"+{text}", f" {text}"]))))
def test_shortened_lines_keep_their_signs_and_their_width(diff: list[str]) -> None:
    short = shortened(diff, 12)
    assert [line[0] for line in short] == [line[0] for line in diff]
    assert all(len(line) <= 12 for line in short)


def cycle(period: int, count: int) -> Sequence[str]:
    return [f"line {number % period}" for number in range(count)]


def edited(text: Sequence[str], by: str) -> Sequence[str]:
    return [line if number % 2 else f"{by} {number}" for number, line in enumerate(text)]


WORST: dict[str, Callable[[], tuple[Sequence[str], Sequence[str]]]] = {
    "every second line edited": lambda: (edited(cycle(10_000, 4_000), "old"), edited(cycle(10_000, 4_000), "new")),
    "frequent lines between edits": lambda: (edited(cycle(100, 4_000), "old"), edited(cycle(100, 4_000), "new")),
    "frequent lines, others put between": lambda: (cycle(100, 4_000), edited(cycle(100, 4_000), "new")),
    "one line over and over": lambda: (edited(["x"] * 4_000, "old"), edited(["x"] * 4_000, "new")),
    "shuffled": lambda: (cycle(4_000, 4_000), random.Random(1).sample(cycle(4_000, 4_000), 4_000)),
    "neighbours changed places": lambda: (cycle(4_000, 4_000), [f"line {number ^ 1}" for number in range(4_000)]),
    "line breaks only": lambda: ([""] * 3_000_000, [*[""] * 2_000_000, "x"]),
    "two huge lines": lambda: (["a" * 2_000_000], ["a" * 1_999_999]),
}


@pytest.mark.parametrize("texts", WORST.values(), ids=WORST.keys())
def test_the_worst_texts_are_compared_in_bounded_time(texts: Callable[[], tuple[Sequence[str], Sequence[str]]]) -> None:
    old, new = map("\n".join, texts())
    begun = time.process_time()
    differ(old, new)
    assert time.process_time() - begun < MOST_STEPS * 1e-6, "a microsecond for each step is generous"
