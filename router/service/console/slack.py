"""A Slack message as Slack would show it: blocks and mrkdwn as HTML in which everything from outside is text.

https://api.slack.com/reference/surfaces/formatting and https://api.slack.com/reference/block-kit/blocks. Pictures are
not loaded: nothing in the console comes from elsewhere.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from router.domain.json import Json
from router.domain.message import SlackMessage

_TOKEN: Final = re.compile(
    r"```\n?(?P<block>.*?)```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>\n]+)>|:(?P<emoji>[a-z0-9_+-]+):"
    r"|(?<![\w*])\*(?P<bold>[^*\n]+)\*(?![\w*])|(?<![\w_])_(?P<italic>[^_\n]+)_(?![\w_])|(?<![\w~])~(?P<gone>[^~\n]+)~(?![\w~])",
    re.DOTALL,
)
_EMOJI: Final = {
    "warning": "⚠️",
    "rewind": "⏪",
    "rocket": "🚀",
    "tada": "🎉",
    "white_check_mark": "✅",
    "x": "❌",
    "rotating_light": "🚨",
    "memo": "📝",
    "wastebasket": "🗑️",
    "label": "🏷️",
    "eyes": "👀",
    "fire": "🔥",
    "bell": "🔔",
    "information_source": "ℹ️",
    "arrow_right": "➡️",
    "robot_face": "🤖",
}


def slack_html(message: SlackMessage) -> Markup:
    """Return a message's blocks, or its text where it has none."""
    shown = Markup("").join(_block(block) for block in message.blocks) if message.blocks else _paragraphs(message.text)
    return Markup('<div class="slack">{}<div>{}</div></div>').format(_bar(message.color), shown)


def mrkdwn(text: str) -> Markup:
    """Return Slack's markup as HTML."""
    return Markup("").join(_spans(text))


def _bar(colour: str | None) -> Markup:
    """Return the bar of an attachment; as a picture, because the pages allow no inline style."""
    if colour is None or not re.fullmatch(r"#[0-9A-Fa-f]{3,8}", colour):
        return Markup("")
    return Markup('<svg class="slack-bar" aria-hidden="true"><rect width="4" height="100%" fill="{}"/></svg>').format(
        colour
    )


def _paragraphs(text: str) -> Markup:
    return Markup('<div class="slack-section">{}</div>').format(mrkdwn(text))


def _spans(text: str) -> Iterator[Markup]:
    end = 0
    for token in _TOKEN.finditer(text):
        yield _plain(text[end : token.start()])
        end = token.end()
        kind = token.lastgroup
        said = token[kind] if kind else ""
        match kind:
            case "block":
                yield Markup("<pre>{}</pre>").format(_unescaped(said))
            case "code":
                yield Markup("<code>{}</code>").format(_unescaped(said))
            case "link":
                yield _link(said)
            case "emoji":
                yield _plain(_EMOJI.get(said, token[0]))
            case "bold":
                yield Markup("<strong>{}</strong>").format(mrkdwn(said))
            case "italic":
                yield Markup("<em>{}</em>").format(mrkdwn(said))
            case _:
                yield Markup("<s>{}</s>").format(mrkdwn(said))
    yield _plain(text[end:])


def _plain(text: str) -> Markup:
    lines = [
        Markup("<q>{}</q>").format(_unescaped(line.removeprefix("&gt;").removeprefix(">").strip()))
        if line.startswith(("&gt;", ">"))
        else escape(_unescaped(line))
        for line in text.split("\n")
    ]
    return Markup("<br>").join(lines)


def _unescaped(text: str) -> str:
    """Slack's own escapes are `&amp;`, `&lt;` and `&gt;`."""
    return html.unescape(text) if "&" in text else text


def _link(said: str) -> Markup:
    target, _, words = said.partition("|")
    if target.startswith(("@", "#", "!")):
        return Markup("<mark>{}</mark>").format(words or target)
    url = _unescaped(target)
    if urlsplit(url).scheme not in ("http", "https", "mailto"):
        return escape(_unescaped(f"<{said}>"))
    return Markup('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>').format(
        url, _unescaped(words or target)
    )


def _block(block: Mapping[str, Json]) -> Markup:
    match block.get("type"):
        case "header":
            return Markup('<div class="slack-header">{}</div>').format(_text(block.get("text")))
        case "section":
            fields = block.get("fields")
            inner = [_text(block.get("text")), *(map(_text, fields) if isinstance(fields, list) else ())]
            return Markup('<div class="slack-section">{}</div>').format(Markup("<br>").join(filter(None, inner)))
        case "context":
            elements = block.get("elements")
            inner = list(map(_text, elements)) if isinstance(elements, list) else []
            return Markup('<div class="slack-context">{}</div>').format(Markup(" ").join(inner))
        case "divider":
            return Markup("<hr>")
        case "actions":
            elements = block.get("elements")
            buttons = [
                Markup('<span class="slack-button">{}</span>').format(_text(element.get("text")))
                for element in (elements if isinstance(elements, list) else ())
                if isinstance(element, Mapping)
            ]
            return Markup('<div class="slack-section">{}</div>').format(Markup(" ").join(buttons))
        case "image":
            return Markup('<div class="slack-context">[picture: {}]</div>').format(str(block.get("alt_text", "")))
        case kind:
            return Markup('<div class="slack-context">[{} block]</div>').format(str(kind))


def _text(value: Json) -> Markup:
    if not isinstance(value, Mapping):
        return Markup("")
    if value.get("type") == "image":
        return Markup("[picture: {}]").format(str(value.get("alt_text", "")))
    text = str(value.get("text", ""))
    return mrkdwn(text) if value.get("type") == "mrkdwn" else Markup("<br>").join(map(escape, text.split("\n")))
