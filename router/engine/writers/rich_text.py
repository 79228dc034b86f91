"""Slack blocks in which text is data: nothing in a rich text element or plain text is interpreted.

mrkdwn cannot escape `*`, `_`, `~` and backticks, so names, authors and commit messages never go through it.
Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block.
"""

from typing import Literal, TypeAlias

from router.domain.json import JsonObject

Style: TypeAlias = Literal["bold", "italic", "strike", "code"]


def text(value: str, *styles: Style) -> JsonObject:
    """Return a piece of text; `value` is not empty."""
    return {"type": "text", "text": value, **_styled(styles)}


def link(value: str, url: str | None, *styles: Style) -> JsonObject:
    """Return `value` as a link; as text if there is no `url`."""
    return text(value, *styles) if url is None else {"type": "link", "url": url, "text": value, **_styled(styles)}


def section(*elements: JsonObject) -> JsonObject:
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(value: str) -> JsonObject:
    return {"type": "rich_text_quote", "elements": [text(value)]}


def preformatted(value: str) -> JsonObject:
    return {"type": "rich_text_preformatted", "elements": [text(value)]}


def bullets(*items: JsonObject) -> JsonObject:
    """Return a list of those sections."""
    return {"type": "rich_text_list", "style": "bullet", "elements": list(items)}


def rich_text(*parts: JsonObject) -> JsonObject:
    """Return the block of those sections, lists, quotes and preformatted texts."""
    return {"type": "rich_text", "elements": list(parts)}


def aside(value: str) -> JsonObject:
    """Return the block of a small line beside the message."""
    return {"type": "context", "elements": [{"type": "plain_text", "text": value, "emoji": False}]}


def _styled(styles: tuple[Style, ...]) -> JsonObject:
    return {"style": dict.fromkeys(styles, True)} if styles else {}
