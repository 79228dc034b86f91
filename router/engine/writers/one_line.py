"""A firing in one line of plain text, and what the built-in messages share."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from router.engine.context import Setting, Told
from router.engine.digest import Name, digest_of
from router.engine.summary import summary_of

MOST_IN_FULL: Final = 3
"""More changes than these are told as a digest."""

ONE_LINE: Final = 500
"""Characters that a digest may have where there is one line for it."""


def one_line(told: Sequence[Told], setting: Setting) -> str:
    """Return the firing in one line of plain text."""
    if len(told) == 1:
        return summary_of(told[0], setting, "none").line
    digest = digest_of(told, setting, "none")
    lines = (line.statement if digest.of_one else line.told(title_of, str, MOST_IN_FULL) for line in digest.lines)
    return cut_to(f"{digest.title}: {' | '.join(lines)}", ONE_LINE)


def title_of(name: Name) -> str:
    return name.title


def is_link(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and not set(url) & set("<>|\n")


def cut_to(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
