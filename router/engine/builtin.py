"""The built-in message of every destination type: what is sent when an action says only `to`."""

from collections.abc import Iterator, Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
from markupsafe import escape
from msgspec import UNSET

from router.domain.destination import ContentShown
from router.domain.json import Json, JsonObject
from router.engine.context import Context, Setting, Told
from router.engine.digest import Digest, Line, Name, digest_of
from router.engine.rich_text import aside, bullets, link, preformatted, quote, rich_text, section, text
from router.engine.slack import cut
from router.engine.summary import Marked, Summary, summary_of
from router.engine.template import MAX_OUTPUT, escape_slack

MOST_IN_FULL: Final = 3
"""More changes than these are told as a digest."""

MOST_LINES: Final = 40
MOST_MAIL_LINES: Final = 500
MOST_NAMES: Final = 20
"""Lines of a digest, and prompts that one of them names."""

ONE_LINE: Final = 500
"""Characters that a digest may have where there is one line for it."""

SLACK_TEXT: Final = 3_000
SLACK_DIFF: Final = 2_000
SLACK_DIGEST: Final = 9_000
SLACK_SENTENCE: Final = 1_000
SLACK_NAME: Final = 300
"""Characters in a Slack message: of one long text, a diff, all lines of a digest, a sentence, and a name."""

SLACK_MARKS: Final = 30
"""Labels and tags, each."""

BODY_LENGTH: Final = MAX_OUTPUT * 7 // 8
"""Bytes of the JSON body; the message has more to carry."""

TEXTS_CUT_TO: Final = (64 * 1024, 8 * 1024, 1024)
"""Characters that are left of a text, tried one after the other until the body is small enough."""


def summaries(told: Sequence[Told], setting: Setting, shown: ContentShown) -> list[Summary]:
    return [summary_of(one, setting, shown) for one in told]


def one_line(told: Sequence[Told], setting: Setting) -> str:
    """Return the firing in one line of plain text."""
    if len(told) == 1:
        return summary_of(told[0], setting, "none").line
    digest = digest_of(told, setting, "none")
    lines = (line.statement if digest.of_one else line.told(_title, str, MOST_IN_FULL) for line in digest.lines)
    return _cut(f"{digest.title}: {' | '.join(lines)}", ONE_LINE)


def _title(name: Name) -> str:
    return name.title


# ---- Slack


def slack_text(told: Sequence[Told], setting: Setting) -> str:
    """Return the notification's line: plain text, in which only what Slack reads there too is escaped."""
    return cut(escape_slack(one_line(told, setting)), SLACK_TEXT)


def slack_blocks(told: Sequence[Told], setting: Setting, shown: ContentShown) -> tuple[JsonObject, ...]:
    if len(told) > MOST_IN_FULL:
        return _slack_digest(digest_of(told, setting, shown))
    return tuple(map(_slack_summary, summaries(told, setting, shown)))


def _slack_summary(summary: Summary) -> JsonObject:
    parts = [
        section(
            _slack_link(Name(summary.title, summary.url)),
            text(f"  {_cut(summary.headline, SLACK_SENTENCE)}"),
        )
    ]
    if message := " ".join((summary.commit_message or "").split()):
        parts.append(quote(_cut(message, SLACK_SENTENCE)))
    if summary.warnings:
        parts.append(section(text(_cut("\n".join(f"⚠ {warning}" for warning in summary.warnings), SLACK_TEXT))))
    parts += [preformatted(_cut(diff, SLACK_DIFF)) for diff in (summary.diff, summary.config_diff) if diff]
    if facts := list(_slack_facts(summary)):
        parts.append(section(*facts))
    return rich_text(*parts)


def _slack_facts(summary: Summary) -> Iterator[JsonObject]:
    before = ""
    if summary.author:
        yield text(f"by {_cut(summary.author, SLACK_NAME)}")
        before = " · "
    for word, marks in (("labels", summary.labels), ("tags", summary.tags)):
        if marks:
            yield text(f"{before}{word}:")
            before = " · "
        for marked in marks[:SLACK_MARKS]:
            name = _cut(marked.name, SLACK_NAME)
            yield text(" ")
            match marked.mark:
                case "+":
                    yield text(f"+{name}", "bold")
                case "-":
                    yield text(name, "strike")
                case _:
                    yield text(name)
        if len(marks) > SLACK_MARKS:
            yield text(f" … and {len(marks) - SLACK_MARKS} more")
    for note in summary.notes:
        yield text(f"{before}{_cut(note, SLACK_SENTENCE)}")
        before = " · "


def _slack_digest(digest: Digest) -> tuple[JsonObject, ...]:
    lines, earlier = digest.latest(MOST_LINES)
    kept: list[JsonObject] = []
    room = SLACK_DIGEST
    for place, line in reversed(list(enumerate(lines))):
        item = section(*_slack_line(line))
        room -= len(msgspec.json.encode(item))
        if room < 0 and kept:
            earlier += sum(before.changes for before in lines[: place + 1])
            break
        kept.append(item)
    head = section(text(_cut(digest.title, SLACK_NAME), "bold"))
    before = [section(text(f"… and {earlier} earlier changes", "italic"))] if earlier else []
    return (rich_text(head, *before, bullets(*reversed(kept))), aside(digest.time))


def _slack_line(line: Line) -> Iterator[JsonObject]:
    for part in line.parts(MOST_NAMES):
        yield _slack_link(part) if isinstance(part, Name) else text(_cut(part, SLACK_SENTENCE))
    for warning in line.warnings[:SLACK_MARKS]:
        yield text(f"\n⚠ {_cut(warning, SLACK_NAME)}")


def _slack_link(name: Name) -> JsonObject:
    url = name.url if name.url and _is_link(name.url) else None
    return link(_cut(name.title, SLACK_NAME) or "(no name)", url, "bold")


# ---- e-mail


def email_subject(told: Sequence[Told], setting: Setting) -> str:
    return _cut(one_line(told, setting), 200)


def email_text(told: Sequence[Told], setting: Setting, shown: ContentShown) -> str:
    if len(told) > MOST_IN_FULL:
        text = "\n".join(_plain_digest(digest_of(told, setting, shown)))
    else:
        text = "\n\n\n".join("\n".join(_plain_lines(one)) for one in summaries(told, setting, shown))
    return f"{text}\n\n-- \nlangfuse-router, rule {setting.rule}\n"


def email_html(told: Sequence[Told], setting: Setting, shown: ContentShown) -> str:
    if len(told) > MOST_IN_FULL:
        parts = _html_digest(digest_of(told, setting, shown))
    else:
        parts = "<hr>".join(map(_html_summary, summaries(told, setting, shown)))
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
    found, earlier = digest.latest(MOST_MAIL_LINES)
    lines = [digest.title, digest.time, ""]
    if earlier:
        lines.append(f"… and {earlier} earlier changes")
    for line in found:
        lines.append(f"* {line.told(_title, str, MOST_NAMES)}")
        lines += [f"    WARNING: {warning}" for warning in line.warnings]
        lines += [f"    {name.url}" for name in line.names if name.url and len(line.names) == 1]
    return lines


def _html_digest(digest: Digest) -> str:
    found, earlier = digest.latest(MOST_MAIL_LINES)
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
    if name.url and _is_link(name.url):
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


# ---- http, github, log


_BULKY: Final = frozenset({"diff", "config_diff", "previous"})
_BULKY_OF_PROMPT: Final = frozenset({"text", "messages", "config"})
HTTP_BODY: Final = MAX_OUTPUT // 2
"""Bytes that all of `changes` may have in a built-in body."""


def http_body(context: Context) -> Json:
    """Return event, prompt and change (all of them in `changes` if there are several) as JSON.

    Where the changes are too large, they come without texts, configs and diffs; of those that are still too many,
    the latest, and `changes_left_out` counts the others. Where that is too much still, long texts are cut, and say so.
    """
    body = {key: context[key] for key in ("event", "prompt", "author", "label", "change", "rule")}
    changes = context["changes"]
    if isinstance(changes, list) and len(changes) > 1:
        body |= _several(changes)
    if context["prompt"] is None:
        body["body"] = context["body"]
    whole = cast("Json", body)  # a context is JSON by construction
    for most in TEXTS_CUT_TO:
        if len(msgspec.json.encode(whole)) <= BODY_LENGTH:
            break
        whole = _texts_cut(whole, most)
    return whole


def _texts_cut(value: Json, most: int) -> Json:
    match value:
        case str() if len(value) > most:
            return f"{value[:most]}… ({len(value) - most:,} more characters)"
        case dict():
            return {key: _texts_cut(inner, most) for key, inner in value.items()}
        case list() | tuple():
            return [_texts_cut(inner, most) for inner in value]
    return value


def _several(changes: list[Context]) -> Context:
    if len(msgspec.json.encode(changes)) <= HTTP_BODY:
        return {"changes": changes}
    slim = [_slim(change) for change in changes]
    size, kept = 0, 0
    for change in reversed(slim):
        size += len(msgspec.json.encode(change)) + 1
        if size > HTTP_BODY:
            break
        kept += 1
    return {"changes": slim[len(slim) - kept :], "changes_left_out": len(slim) - kept}


def _slim(change: Context) -> Context:
    prompt = change["prompt"]
    if isinstance(prompt, dict):
        prompt = {key: value for key, value in prompt.items() if key not in _BULKY_OF_PROMPT}
    return {key: value for key, value in change.items() if key not in _BULKY} | {"prompt": prompt}


def file_content(told: Told) -> str | None:
    """Return a prompt's text as a file; of a chat prompt its messages as JSON. None: it is not known."""
    content = told.change.version.content if told.change.version else None
    if content is None or content.prompt is UNSET or content.prompt is None:
        return None
    if isinstance(content.prompt, str):
        return content.prompt if content.prompt.endswith("\n") else f"{content.prompt}\n"
    return msgspec.json.format(msgspec.json.encode(content.prompt), indent=2).decode() + "\n"


def github_event_type(told: Sequence[Told]) -> str:
    change = told[-1].change
    return f"langfuse-{change.type}-{change.action}" if change.action else f"langfuse-{change.type}"


# ---- shared


def _marks(summary: Summary) -> list[tuple[str, str]]:
    def show(marked: Marked) -> str:
        return f"{'−' if marked.mark == '-' else marked.mark}{marked.name}"

    found = (("labels", summary.labels), ("tags", summary.tags))
    return [(word, " ".join(map(show, marks))) for word, marks in found if marks]


def _is_link(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and not set(url) & set("<>|\n")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
