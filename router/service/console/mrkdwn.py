"""Slack's markup as HTML in which everything from outside is text.

Source: https://api.slack.com/reference/surfaces/formatting.
"""

import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

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


def mrkdwn(text: str) -> Markup:
    """Return Slack's markup as HTML."""
    return Markup("").join(_spans(text))


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
    return link(url, _unescaped(words or target))


def link(url: str, words: str) -> Markup:
    """Return `words` as a link to `url`, or alone where that leads into no browser."""
    if urlsplit(url).scheme not in ("http", "https", "mailto"):
        return escape(words)
    return Markup('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>').format(url, words)
