"""A Slack message as Slack would show it: its blocks as HTML in which everything from outside is text.

Source: https://api.slack.com/reference/block-kit/blocks. Pictures are not loaded: nothing in the console comes from
elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from markupsafe import Markup, escape

from router.domain.json import Json, JsonObject
from router.domain.message import SlackMessage
from router.service.console.mrkdwn import link, mrkdwn


def slack_html(message: SlackMessage) -> Markup:
    """Return a message's blocks, or its text where it has none."""
    shown = Markup("").join(_block(block) for block in message.blocks) if message.blocks else _paragraphs(message.text)
    return Markup('<div class="slack">{}<div>{}</div></div>').format(_bar(message.color), shown)


def _bar(colour: str | None) -> Markup:
    """Return the bar of an attachment; as a picture, because the pages allow no inline style."""
    if colour is None or not re.fullmatch(r"#[0-9A-Fa-f]{3,8}", colour):
        return Markup("")
    return Markup('<svg class="slack-bar" aria-hidden="true"><rect width="4" height="100%" fill="{}"/></svg>').format(
        colour
    )


def _paragraphs(text: str) -> Markup:
    return Markup('<div class="slack-section">{}</div>').format(mrkdwn(text))


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
        case "rich_text":
            return Markup("").join(map(_rich, _objects(block.get("elements"))))
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


# ---- rich text


def _rich(part: JsonObject) -> Markup:
    elements = _objects(part.get("elements"))
    match part.get("type"):
        case "rich_text_list":
            items = Markup("").join(Markup("<li>{}</li>").format(_inline(item)) for item in elements)
            return Markup("<ul>{}</ul>").format(items)
        case "rich_text_quote":
            return Markup('<div class="slack-section"><q>{}</q></div>').format(_inline(part))
        case "rich_text_preformatted":
            return Markup("<pre>{}</pre>").format(_inline(part, lines=False))
        case _:
            return Markup('<div class="slack-section">{}</div>').format(_inline(part))


def _inline(part: JsonObject, *, lines: bool = True) -> Markup:
    """Return the elements in a part as they stand in one line; `lines`: a line break is one in HTML, too."""
    return Markup("").join(_element(element, lines=lines) for element in _objects(part.get("elements")))


def _element(element: JsonObject, *, lines: bool) -> Markup:
    said = str(element.get("text", ""))
    shown = Markup("<br>").join(map(escape, said.split("\n"))) if lines else escape(said)
    if element.get("type") == "link":
        shown = link(str(element.get("url", "")), said)
    style = element.get("style")
    for name in style if isinstance(style, Mapping) else ():
        if name in _STYLES:
            shown = _STYLES[name](shown)
    return shown


_STYLES: Final[Mapping[str, Callable[[Markup], Markup]]] = {
    "bold": lambda inner: Markup("<strong>{}</strong>").format(inner),
    "italic": lambda inner: Markup("<em>{}</em>").format(inner),
    "strike": lambda inner: Markup("<s>{}</s>").format(inner),
    "code": lambda inner: Markup("<code>{}</code>").format(inner),
}


def _objects(value: Json) -> list[JsonObject]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []
