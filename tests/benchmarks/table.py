"""Rows of one run: what was measured, against what, and the ratio of paired rounds."""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

HEAD = "| work | ours | against | ratio | goal | command |\n| --- | --- | --- | --- | --- | --- |"


class Row(Struct, frozen=True, kw_only=True):
    """Medians of paired rounds; `ratio` is the median of the rounds' own ratios, so that a slow minute counts once.

    A row that is compared with nothing has its figure and its goal.
    """

    work: str
    ours: str
    other: str = ""
    ratio: float | None = None
    goal: str = ""
    command: str


def paired(ours: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Measure one after the other, `rounds` times. Return the medians of both, and of the rounds' ratios."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    return (
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(one / two for one, two in pairs),
    )


def line(row: Row) -> str:
    """Return a row of the table in Markdown; it belongs under `HEAD`."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return f"| {row.work} | {row.ours} | {row.other} | {ratio} | {row.goal} | `{row.command}` |"


def show(rows: Iterable[Row]) -> None:
    """Print the table in Markdown, each row as soon as it is measured."""
    print(HEAD, flush=True)
    for row in rows:
        print(line(row), flush=True)


def in_turn(parts: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """Yield the rows of all parts. Where one fails, say so and go on: its other rows are left out."""
    for rows in parts:
        try:
            yield from rows
        except Exception as error:  # whatever it was, the others can be measured
            print(f"left out: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def run(doc: str | None, rows: Callable[..., Iterable[Row]], **numbers: int) -> None:
    """Be a command that shows `rows`: the numbers that they take are its options, with these defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    show(rows(**vars(parser.parse_args())))
