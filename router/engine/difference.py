"""How two texts differ, line by line, in bounded time: a prompt may be a novel, and somebody may have made it so."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import takewhile
from typing import Final

from msgspec import Struct

from router.domain.counted import counted

CONTEXT: Final = 2
"""Equal lines shown around what differs."""

LENGTH_COMPARED: Final = 2 * 2**20
"""Characters of each side."""

LINES_COMPARED: Final = 2_000
"""Of each side, from the first line that differs to the last one."""

LINE_SHOWN: Final = 2_000
"""Characters of a line in a diff."""

DIFF_SHOWN: Final = 64 * 1024
"""Characters of a diff."""

MOST_STEPS: Final = 4_000_000
"""Steps of difflib's inner loop, 0.1 to 0.2 µs each. 2,000 lines that are all different are always within it."""


class Difference(Struct, frozen=True):
    """A unified diff, and how many lines were added and removed.

    `note`: what was not compared or left out; it is the last line of `text` too.
    """

    text: str = ""
    added: int = 0
    removed: int = 0
    note: str = ""


@lru_cache(maxsize=16)
def differ(old: str | None, new: str | None) -> Difference:
    """Compare two texts; where one is not known (None) there is no difference to tell.

    Equal lines at both ends cost nothing, however long the texts are.
    """
    if old is None or new is None or old == new:
        return Difference()
    # not splitlines: a line break that came or went, or turned into another one, is a difference
    before, after = old[:LENGTH_COMPARED].split("\n"), new[:LENGTH_COMPARED].split("\n")
    notes = []
    if max(len(old), len(new)) > LENGTH_COMPARED:
        notes.append(f"only the first {LENGTH_COMPARED:,} characters were compared")
    head = _equal(before, after)
    tail = min(_equal(reversed(before), reversed(after)), len(before) - head, len(after) - head)
    start, end = max(0, head - CONTEXT), max(0, tail - CONTEXT)
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(before), len(after)) > LINES_COMPARED:
        before, after = before[:LINES_COMPARED], after[:LINES_COMPARED]
        notes.append(f"only {LINES_COMPARED:,} lines were compared")
    lines = _unified(before, after, start)
    shown = _within(shortened(lines, LINE_SHOWN), DIFF_SHOWN)
    if len(shown) < len(lines):
        notes.append(f"{counted(len(lines) - len(shown), 'more line')} of this diff left out")
    note = "; ".join(notes)
    return Difference(
        text="\n".join([*shown, f"… {note}"] if note else shown),
        added=sum(line.startswith("+") for line in lines),
        removed=sum(line.startswith("-") for line in lines),
        note=note,
    )


def shortened(lines: Sequence[str], width: int) -> list[str]:
    """Return a diff's lines, none longer than `width`: of a line and the one in its place, what differs is shown."""
    result = list(lines)
    for one, other in _replaced(lines):
        if max(len(lines[one]), len(lines[other])) > width:
            old, new = lines[one][1:], lines[other][1:]
            begin = max(0, _common(old, new) - width // 4)
            if begin:
                result[one], result[other] = f"-…{old[begin:]}", f"+…{new[begin:]}"
    return [line if len(line) <= width else line[: width - 1] + "…" for line in result]


def _replaced(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Return the places of each removed line and of the added one that stands for it."""
    place = 0
    while place < len(lines):
        removed = sum(1 for _ in takewhile(lambda line: line.startswith("-"), lines[place:]))
        added = sum(1 for _ in takewhile(lambda line: line.startswith("+"), lines[place + removed :]))
        yield from ((place + nth, place + removed + nth) for nth in range(min(removed, added)))
        place += max(removed + added, 1)


def _common(old: str, new: str) -> int:
    """Return how many characters are equal from the beginning on."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _equal(before: Iterable[str], after: Iterable[str]) -> int:
    """Return how many lines are equal from the beginning on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _unified(before: list[str], after: list[str], start: int) -> list[str]:
    """Return the lines of a unified diff without the names of files; `start` lines stand before these."""
    noise = _noise(before, after)
    matcher = SequenceMatcher(noise.__contains__, before, after, autojunk=False)
    lines: list[str] = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        (_, a, _, b, _), (_, _, a_end, _, b_end) = group[0], group[-1]
        lines.append(f"@@ -{_range(start + a, a_end - a)} +{_range(start + b, b_end - b)} @@")
        for word, i, i_end, j, j_end in group:
            if word == "equal":
                lines += [f" {line}" for line in before[i:i_end]]
            else:
                lines += [f"-{line}" for line in before[i:i_end]]
                lines += [f"+{line}" for line in after[j:j_end]]
    return lines


def _noise(before: list[str], after: list[str]) -> frozenset[str]:
    """Return the lines that are too frequent to align by: none, unless the work would be out of bounds.

    For each run of equal lines that it finds, difflib looks at every line and every pair of equal lines that is left.
    """
    there, here = Counter(before), Counter(after)
    common = sorted(there.keys() & here.keys(), key=lambda line: (there[line] * here[line], line))
    steps, runs = len(before), 0
    for place, line in enumerate(common):
        steps += there[line] * here[line]
        runs += min(there[line], here[line])
        if steps * runs > 2 * MOST_STEPS and there[line] * here[line] > 1:
            return frozenset(common[place:])
    return frozenset()


def _range(first: int, count: int) -> str:
    """Return a range as unified diffs write it."""
    if count == 1:
        return str(first + 1)
    return f"{first + 1 if count else first},{count}"


def _within(lines: list[str], length: int) -> list[str]:
    """Return the first lines, as many as fit into `length`."""
    kept = 0
    for line in lines:
        length -= len(line) + 1
        if length < 0:
            break
        kept += 1
    return lines[:kept]
