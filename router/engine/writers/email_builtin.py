"""The built-in e-mail: text and HTML."""

from collections.abc import Sequence
from typing import Final

from markupsafe import escape

from router.domain.destination import ContentShown
from router.engine.context import Setting, Told
from router.engine.digest import Digest, Line, Name, digest_of
from router.engine.summary import Marked, Summary, summary_of
from router.engine.writers.one_line import MOST_IN_FULL, cut_to, is_link, one_line, title_of

LONGEST_SUBJECT: Final = 200
MOST_LINES: Final = 500
MOST_NAMES: Final = 20
"""Lines of a digest, and prompts that one of them names."""


def subject(told: Sequence[Told], setting: Setting) -> str:
    return cut_to(one_line(told, setting), LONGEST_SUBJECT)


def text(told: Sequence[Told], setting: Setting, shown: ContentShown) -> str:
    if len(told) > MOST_IN_FULL:
        text = "\n".join(_plain_digest(digest_of(told, setting, shown)))
    else:
        text = "\n\n\n".join("\n".join(_plain_lines(one)) for one in _summaries(told, setting, shown))
    return f"{text}\n\n-- \nlangfuse-router, rule {setting.rule}\n"


def html(told: Sequence[Told], setting: Setting, shown: ContentShown) -> str:
    if len(told) > MOST_IN_FULL:
        parts = _html_digest(digest_of(told, setting, shown))
    else:
        parts = "<hr>".join(map(_html_summary, _summaries(told, setting, shown)))
    footer = f'<p style="color:#777;font-size:12px">langfuse-router, rule {escape(setting.rule)}</p>'
    return f'<div style="font-family:sans-serif;font-size:14px">{parts}{footer}</div>'


def _plain_lines(summary: Summary) -> list[str]:
    lines = [f"{summary.title}: {summary.headline}", ""]
    if summary.author:
        lines.append(f"by: {summary.author}")
    if summary.commit_message:
        lines.append(f"message: {summary.commit_message}")
    lines += [f"{word}: {marks}" for word, marks in _marks(summary)]
    lines += [f"WARNING: {warning}" for warning in summary.warnings]
    lines += summary.notes
    for diff in filter(None, (summary.diff, summary.config_diff)):
        lines += ["", diff]
    if summary.url:
        lines += ["", summary.url]
    return lines


def _plain_digest(digest: Digest) -> list[str]:
    found, earlier = digest.latest(MOST_LINES)
    lines = [digest.title, digest.time, ""]
    if earlier:
        lines.append(f"… and {earlier} earlier changes")
    for line in found:
        lines.append(f"* {line.told(title_of, str, MOST_NAMES)}")
        lines += [f"    WARNING: {warning}" for warning in line.warnings]
        lines += [f"    {name.url}" for name in line.names if name.url and len(line.names) == 1]
    return lines


def _html_digest(digest: Digest) -> str:
    found, earlier = digest.latest(MOST_LINES)
    head = f'<p><b>{escape(digest.title)}</b></p><div style="color:#777">{escape(digest.time)}</div>'
    before = f"<li>… and {earlier} earlier changes</li>" if earlier else ""
    return f"{head}<ul>{before}{''.join(map(_html_line, found))}</ul>"


def _html_line(line: Line) -> str:
    def bold(name: Name) -> str:
        return f"<b>{_html_link(name)}</b>"

    warnings = "".join(f'<div style="color:#b45309"><b>{escape(warning)}</b></div>' for warning in line.warnings)
    return f"<li>{line.told(bold, escape, MOST_NAMES)}{warnings}</li>"


def _html_link(name: Name) -> str:
    title: str = escape(name.title)
    if name.url and is_link(name.url):
        return f'<a href="{escape(name.url)}">{title}</a>'
    return title


def _html_summary(summary: Summary) -> str:
    title = _html_link(Name(summary.title, summary.url))
    lines = [f"<p><b>{title}</b>: {escape(summary.headline)}</p>"]
    facts = [("by", summary.author), ("message", summary.commit_message), *_marks(summary)]
    lines += [f"<div>{escape(word)}: {escape(fact)}</div>" for word, fact in facts if fact]
    lines += [f'<div style="color:#b45309"><b>{escape(warning)}</b></div>' for warning in summary.warnings]
    lines += [f'<div style="color:#777">{escape(note)}</div>' for note in summary.notes]
    for diff in filter(None, (summary.diff, summary.config_diff)):
        coloured = "\n".join(map(_html_diff_line, diff.split("\n")))
        lines.append(f'<pre style="background:#f6f8fa;padding:8px">{coloured}</pre>')
    return "".join(lines)


def _html_diff_line(line: str) -> str:
    colour = {"+": "#1a7f37", "-": "#cf222e"}.get(line[:1])
    text = escape(line)
    return f'<span style="color:{colour}">{text}</span>' if colour else str(text)


def _marks(summary: Summary) -> list[tuple[str, str]]:
    def show(marked: Marked) -> str:
        return f"{'−' if marked.mark == '-' else marked.mark}{marked.name}"

    found = (("labels", summary.labels), ("tags", summary.tags))
    return [(word, " ".join(map(show, marks))) for word, marks in found if marks]


def _summaries(told: Sequence[Told], setting: Setting, shown: ContentShown) -> list[Summary]:
    return [summary_of(one, setting, shown) for one in told]
