"""The built-in message of every destination type: what is sent when an action says only `to`."""

from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
from markupsafe import escape

from router.domain.destination import ContentShown
from router.domain.json import Json, JsonObject
from router.engine.context import Context, Setting, Told
from router.engine.digest import Digest, Line, Name, digest_of
from router.engine.summary import Marked, Summary, summary_of
from router.engine.template import MAX_OUTPUT

MOST_IN_FULL: Final = 3
"""More changes than these are told as a digest."""

MOST_LINES: Final = 40
MOST_MAIL_LINES: Final = 500
MOST_NAMES: Final = 20
"""Lines of a digest, and prompts that one of them names."""

ONE_LINE: Final = 500
"""Characters that a digest may have where there is one line for it."""

SLACK_TEXT: Final = 3_000
"""Characters in one section: https://api.slack.com/reference/block-kit/blocks#section."""

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
    lines = (
        line.statement if digest.of_one else line.told(_title, line.statement, MOST_IN_FULL) for line in digest.lines
    )
    return _cut(f"{digest.title}: {' | '.join(lines)}", ONE_LINE)


def _title(name: Name) -> str:
    return name.title


# ---- Slack


def slack_text(told: Sequence[Told], setting: Setting) -> str:
    return _cut(slack_escape(one_line(told, setting)), SLACK_TEXT)


def slack_blocks(told: Sequence[Told], setting: Setting, shown: ContentShown) -> tuple[JsonObject, ...]:
    if len(told) > MOST_IN_FULL:
        return _slack_digest(digest_of(told, setting, shown))
    return tuple(block for summary in summaries(told, setting, shown) for block in _slack_summary(summary))


def slack_escape(text: str) -> str:
    """https://api.slack.com/reference/surfaces/formatting#escaping; `<` is what mentions and links begin with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_summary(summary: Summary) -> list[JsonObject]:
    lines = [f"*{_slack_link(summary.title, summary.url)}*  {slack_escape(summary.headline)}"]
    if summary.commit_message:
        lines.append(f"> {slack_escape(' '.join(summary.commit_message.split()))}")
    lines += [f":warning: {slack_escape(warning)}" for warning in summary.warnings]
    blocks = [_slack_section("\n".join(lines))]
    blocks += [_slack_diff(diff) for diff in (summary.diff, summary.config_diff) if diff]
    facts = [f"by {summary.author}"] if summary.author else []
    facts += [f"{word}: {marks}" for word, marks in _marks(summary, lost="~{}~")]
    facts += summary.notes
    if facts:
        blocks.append(_slack_context(" · ".join(facts)))
    return blocks


def _slack_digest(digest: Digest) -> tuple[JsonObject, ...]:
    lines, earlier = digest.latest(MOST_LINES)
    texts = [f"_… and {earlier} earlier changes_"] if earlier else []
    sections = _packed([*texts, *map(_slack_line, lines)], SLACK_TEXT)
    title = _slack_section(f"*{slack_escape(digest.title)}*")
    return (title, *map(_slack_section, sections), _slack_context(digest.time))


def _slack_line(line: Line) -> str:
    def link(name: Name) -> str:
        return f"*{_slack_link(name.title, name.url)}*"

    text = f"• {line.told(link, slack_escape(line.statement), MOST_NAMES)}"
    if len(text) > SLACK_TEXT // 2:  # half a link would be none
        text = f"• {_cut(slack_escape(line.told(_title, line.statement, MOST_NAMES)), SLACK_TEXT // 2)}"
    warnings = [f"    :warning: {slack_escape(warning)}" for warning in line.warnings]
    return _cut("\n".join((text, *warnings)), SLACK_TEXT)


def _slack_link(title: str, url: str | None) -> str:
    return f"<{slack_escape(url)}|{slack_escape(title)}>" if url and _is_link(url) else slack_escape(title)


def _packed(lines: Sequence[str], length: int) -> list[str]:
    """Return the lines in as few texts of at most `length` characters as they fit into, one after the other."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= length:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _slack_diff(diff: str) -> JsonObject:
    # a fence in the prompt must not end ours
    inside = slack_escape(diff).replace("```", "`\u200b`\u200b`")
    return _slack_section(f"```{_cut(inside, SLACK_TEXT - 6)}```")


def _slack_section(text: str) -> JsonObject:
    # verbatim: names, channels and addresses in a prompt stay text, they neither link nor mention
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, SLACK_TEXT), "verbatim": True}}


def _slack_context(text: str) -> JsonObject:
    element: JsonObject = {"type": "mrkdwn", "text": _cut(slack_escape(text), SLACK_TEXT), "verbatim": True}
    return {"type": "context", "elements": [element]}


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
    lines += [f"{word}: {marks}" for word, marks in _marks(summary, lost="−{}")]
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
        lines.append(f"* {line.told(_title, line.statement, MOST_NAMES)}")
        lines += [f"    WARNING: {warning}" for warning in line.warnings]
        lines += [f"    {name.url}" for name in line.names if name.url and len(line.names) == 1]
    return lines


def _html_digest(digest: Digest) -> str:
    found, earlier = digest.latest(MOST_MAIL_LINES)
    head = f'<p><b>{escape(digest.title)}</b></p><div style="color:#777">{escape(digest.time)}</div>'
    before = f"<li>… and {earlier} earlier changes</li>" if earlier else ""
    return f"{head}<ul>{before}{''.join(map(_html_line, found))}</ul>"


def _html_line(line: Line) -> str:
    def link(name: Name) -> str:
        return f"<b>{_html_link(name)}</b>"

    warnings = "".join(f'<div style="color:#b45309"><b>{escape(warning)}</b></div>' for warning in line.warnings)
    return f"<li>{line.told(link, escape(line.statement), MOST_NAMES)}{warnings}</li>"


def _html_link(name: Name) -> str:
    title: str = escape(name.title)
    if name.url and _is_link(name.url):
        return f'<a href="{escape(name.url)}">{title}</a>'
    return title


def _html_summary(summary: Summary) -> str:
    title = _html_link(Name(summary.title, summary.url))
    lines = [f"<p><b>{title}</b>: {escape(summary.headline)}</p>"]
    facts = [("by", summary.author), ("message", summary.commit_message), *_marks(summary, lost="−{}")]
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


def github_event_type(told: Sequence[Told]) -> str:
    change = told[-1].change
    return f"langfuse-{change.type}-{change.action}" if change.action else f"langfuse-{change.type}"


# ---- shared


def _marks(summary: Summary, *, lost: str) -> list[tuple[str, str]]:
    def show(marked: Marked) -> str:
        match marked.mark:
            case "+":
                return f"+{marked.name}"
            case "-":
                return lost.format(marked.name)
            case _:
                return marked.name

    found = (("labels", summary.labels), ("tags", summary.tags))
    return [(word, " ".join(map(show, marks))) for word, marks in found if marks]


def _is_link(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and not set(url) & set("<>|\n")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
