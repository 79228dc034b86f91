"""The built-in Slack message: rich text, in which names and texts are data."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from router.domain.destination import ContentShown
from router.domain.json import JsonObject
from router.engine.context import Setting, Told
from router.engine.digest import Digest, Line, Name, digest_of
from router.engine.summary import Summary, summary_of
from router.engine.template import escape_slack
from router.engine.writers.one_line import MOST_IN_FULL, cut_to, is_link, one_line
from router.engine.writers.rich_text import aside, bullets, link, preformatted, quote, rich_text, section, text
from router.engine.writers.slack_limits import cut

MOST_LINES: Final = 40
MOST_NAMES: Final = 20
"""Lines of a digest, and prompts that one of them names."""

LONGEST: Final = 3_000
LONGEST_DIFF: Final = 2_000
LONGEST_DIGEST: Final = 9_000
LONGEST_SENTENCE: Final = 1_000
LONGEST_NAME: Final = 300
"""Characters: of one long text, a diff, all lines of a digest, a sentence, and a name."""

MOST_MARKS: Final = 30
"""Labels and tags, each."""


def line(told: Sequence[Told], setting: Setting) -> str:
    """Return the notification's line: plain text, in which only what Slack reads there too is escaped."""
    return cut(escape_slack(one_line(told, setting)), LONGEST)


def blocks(told: Sequence[Told], setting: Setting, shown: ContentShown) -> tuple[JsonObject, ...]:
    if len(told) > MOST_IN_FULL:
        return _digest(digest_of(told, setting, shown))
    return tuple(_summary(summary_of(one, setting, shown)) for one in told)


def _summary(summary: Summary) -> JsonObject:
    parts = [
        section(
            _link(Name(summary.title, summary.url)),
            text(f"  {cut_to(summary.headline, LONGEST_SENTENCE)}"),
        )
    ]
    if message := " ".join((summary.commit_message or "").split()):
        parts.append(quote(cut_to(message, LONGEST_SENTENCE)))
    if summary.warnings:
        parts.append(section(text(cut_to("\n".join(f"⚠ {warning}" for warning in summary.warnings), LONGEST))))
    parts += [preformatted(cut_to(diff, LONGEST_DIFF)) for diff in (summary.diff, summary.config_diff) if diff]
    if facts := list(_facts(summary)):
        parts.append(section(*facts))
    return rich_text(*parts)


def _facts(summary: Summary) -> Iterator[JsonObject]:
    before = ""
    if summary.author:
        yield text(f"by {cut_to(summary.author, LONGEST_NAME)}")
        before = " · "
    for word, marks in (("labels", summary.labels), ("tags", summary.tags)):
        if marks:
            yield text(f"{before}{word}:")
            before = " · "
        for marked in marks[:MOST_MARKS]:
            name = cut_to(marked.name, LONGEST_NAME)
            yield text(" ")
            match marked.mark:
                case "+":
                    yield text(f"+{name}", "bold")
                case "-":
                    yield text(name, "strike")
                case _:
                    yield text(name)
        if len(marks) > MOST_MARKS:
            yield text(f" … and {len(marks) - MOST_MARKS} more")
    for note in summary.notes:
        yield text(f"{before}{cut_to(note, LONGEST_SENTENCE)}")
        before = " · "


def _digest(digest: Digest) -> tuple[JsonObject, ...]:
    lines, earlier = digest.latest(MOST_LINES)
    kept: list[JsonObject] = []
    room = LONGEST_DIGEST
    for place, line in reversed(list(enumerate(lines))):
        item = section(*_line(line))
        room -= len(msgspec.json.encode(item))
        if room < 0 and kept:
            earlier += sum(before.changes for before in lines[: place + 1])
            break
        kept.append(item)
    head = section(text(cut_to(digest.title, LONGEST_NAME), "bold"))
    before = [section(text(f"… and {earlier} earlier changes", "italic"))] if earlier else []
    return (rich_text(head, *before, bullets(*reversed(kept))), aside(digest.time))


def _line(line: Line) -> Iterator[JsonObject]:
    for part in line.parts(MOST_NAMES):
        yield _link(part) if isinstance(part, Name) else text(cut_to(part, LONGEST_SENTENCE))
    for warning in line.warnings[:MOST_MARKS]:
        yield text(f"\n⚠ {cut_to(warning, LONGEST_NAME)}")


def _link(name: Name) -> JsonObject:
    url = name.url if name.url and is_link(name.url) else None
    return link(cut_to(name.title, LONGEST_NAME) or "(no name)", url, "bold")
