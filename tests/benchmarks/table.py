"""Rows of one run: what was measured, against what, and the ratio of paired rounds."""

import statistics
from collections.abc import Callable, Sequence

from msgspec import Struct


class Row(Struct, frozen=True, kw_only=True):
    """Medians of paired rounds; `ratio` is the median of the rounds' own ratios, so that a slow minute counts once."""

    work: str
    ours: str
    other: str
    ratio: float
    goal: str
    command: str


def paired(ours: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Measure one after the other, `rounds` times. Return the medians of both, and of the rounds' ratios."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    return (
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(one / two for one, two in pairs),
    )


def shown(rows: Sequence[Row]) -> str:
    """Return the table in Markdown."""
    lines = ["| work | ours | against | ratio | goal | command |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.work} | {row.ours} | {row.other} | {row.ratio:.2f} | {row.goal} | `{row.command}` |" for row in rows
    ]
    return "\n".join(lines)
