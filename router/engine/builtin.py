"""The built-in message of every destination type: what is sent when an action says only `to`."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from markupsafe import escape

from router.domain.destination import ContentShown
from router.domain.json import Json, JsonObject
from router.engine.context import Context, Setting, Told
from router.engine.summary import Marked, Summary, summary_of

MOST_CHANGES_SHOWN: Final = 20
SLACK_TEXT: Final = 3_000
"""Characters in one section: https://api.slack.com/reference/block-kit/blocks#section."""


def summaries(told: Sequence[Told], setting: Setting, shown: ContentShown) -> list[Summary]:
    return [summary_of(one, setting, shown) for one in told[-MOST_CHANGES_SHOWN:]]


def one_line(told: Sequence[Told], setting: Setting) -> str:
    """Return the firing in one line of plain text."""
    found = summaries(told, setting, "none")
    if len(told) == 1:
        return found[0].line
    return f"{len(told)} changes: " + " | ".join(summary.line for summary in found)


# ---- Slack


def slack_text(told: Sequence[Told], setting: Setting) -> str:
    return _cut(slack_escape(one_line(told, setting)), SLACK_TEXT)


def slack_blocks(told: Sequence[Told], setting: Setting, shown: ContentShown) -> tuple[JsonObject, ...]:
    blocks: list[JsonObject] = []
    for summary in summaries(told, setting, shown):
        blocks += _slack_summary(summary)
    if len(told) > MOST_CHANGES_SHOWN:
        blocks.append(_slack_context(f"… and {len(told) - MOST_CHANGES_SHOWN} earlier changes"))
    return tuple(blocks[-49:])


def slack_escape(text: str) -> str:
    """https://api.slack.com/reference/surfaces/formatting#escaping; `<` is what mentions and links begin with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_summary(summary: Summary) -> list[JsonObject]:
    title = f"*{slack_escape(summary.title)}*"
    if summary.url and _is_link(summary.url):
        title = f"*<{slack_escape(summary.url)}|{slack_escape(summary.title)}>*"
    lines = [f"{title}  {slack_escape(summary.headline)}"]
    if summary.commit_message:
        lines.append(f"> {slack_escape(' '.join(summary.commit_message.split()))}")
    lines += [f":warning: {slack_escape(warning)}" for warning in summary.warnings]
    blocks = [_slack_section("\n".join(lines))]
    if summary.diff:
        # a fence in the prompt must not end ours
        diff = slack_escape(summary.diff).replace("```", "`\u200b`\u200b`")
        blocks.append(_slack_section(f"```{_cut(diff, SLACK_TEXT - 6)}```"))
    facts = [f"by {summary.author}"] if summary.author else []
    facts += [f"{word}: {marks}" for word, marks in _marks(summary, lost="~{}~")]
    facts += summary.notes
    if facts:
        blocks.append(_slack_context(" · ".join(facts)))
    return blocks


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
    parts = ["\n".join(_plain_lines(summary)) for summary in summaries(told, setting, shown)]
    return "\n\n\n".join(parts) + f"\n\n-- \nlangfuse-router, rule {setting.rule}\n"


def email_html(told: Sequence[Told], setting: Setting, shown: ContentShown) -> str:
    parts = "<hr>".join(_html_summary(summary) for summary in summaries(told, setting, shown))
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
    if summary.diff:
        lines += ["", summary.diff]
    if summary.url:
        lines += ["", summary.url]
    return lines


def _html_summary(summary: Summary) -> str:
    title: str = escape(summary.title)
    if summary.url and _is_link(summary.url):
        title = f'<a href="{escape(summary.url)}">{title}</a>'
    lines = [f"<p><b>{title}</b>: {escape(summary.headline)}</p>"]
    facts = [("by", summary.author), ("message", summary.commit_message), *_marks(summary, lost="−{}")]
    lines += [f"<div>{escape(word)}: {escape(fact)}</div>" for word, fact in facts if fact]
    lines += [f'<div style="color:#b45309"><b>{escape(warning)}</b></div>' for warning in summary.warnings]
    lines += [f'<div style="color:#777">{escape(note)}</div>' for note in summary.notes]
    if summary.diff:
        coloured = "\n".join(map(_html_diff_line, summary.diff.splitlines()))
        lines.append(f'<pre style="background:#f6f8fa;padding:8px">{coloured}</pre>')
    return "".join(lines)


def _html_diff_line(line: str) -> str:
    colour = {"+": "#1a7f37", "-": "#cf222e"}.get(line[:1])
    text = escape(line)
    return f'<span style="color:{colour}">{text}</span>' if colour else str(text)


# ---- http, github, log


def http_body(context: Context) -> Json:
    """Return event, prompt and change (all of them in `changes` if there are several) as JSON."""
    body = {key: context[key] for key in ("event", "prompt", "author", "label", "change", "rule")}
    changes = context["changes"]
    if isinstance(changes, list) and len(changes) > 1:
        body["changes"] = changes
    if context["prompt"] is None:
        body["body"] = context["body"]
    return body  # type: ignore[return-value]  # a context is JSON by construction


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
