"""Slack's limits: what is too long is split or cut, with a note; what is no Block Kit is refused.

Sources: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/methods/chat.postMessage.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

from router.domain.counted import counted
from router.domain.json import Json, JsonObject
from router.engine.writers.rich_text import aside

MOST_BLOCKS: Final = 50
LONGEST_TEXT: Final = 40_000
LONGEST_SECTION: Final = 3_000
LONGEST_FIELD: Final = 2_000
LONGEST_HEADER: Final = 150

FENCE: Final = "```"

Block.logger.setLevel(logging.ERROR)  # below that it quotes whole blocks, and with them what a prompt says


def cut(value: str, length: int) -> str:
    """Return at most `length` characters, never a piece of an escape, a link or a mention."""
    return value if len(value) <= length else value[: _last_place(value, length - 1)] + "…"


def sections(value: str) -> tuple[JsonObject, ...]:
    """Return mrkdwn as sections that Slack takes, cut at line ends where there are any; at the end what was left out.

    A fence that is open where a section ends is closed there and opened again.
    """
    kept, rest = value[:LONGEST_TEXT], len(value) - LONGEST_TEXT
    if rest > 0:
        kept = kept[: _last_place(kept, LONGEST_TEXT)]
    blocks: list[JsonObject] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in _parts(kept) if part.strip()
    ]
    left_out = len(value) - len(kept)
    return tuple(blocks) if rest <= 0 else (*blocks, aside(f"… {counted(left_out, 'more character')} cut"))


def fitted(blocks: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return the blocks with long texts cut, and no more of them than Slack takes."""
    found = tuple(map(_fitted, blocks))
    if len(found) <= MOST_BLOCKS:
        return found
    kept = found[: MOST_BLOCKS - 1]
    return (*kept, aside(f"… {len(found) - len(kept):,} more blocks were cut"))


def faults(blocks: Sequence[JsonObject]) -> Iterator[str]:
    """Yield what Slack would refuse, as far as its models know."""
    for index, block in enumerate(blocks):
        try:
            parsed = Block.parse(dict(block))
            if parsed is None:
                yield f"blocks[{index}]: no block has the type {block.get('type')!r}"
            else:
                parsed.to_dict()
        except SlackObjectFormationError as error:
            yield f"blocks[{index}]: {error}"
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            yield f"blocks[{index}]: not what a {block.get('type')} block may be: {error}"


def _parts(value: str) -> Iterator[str]:
    room = LONGEST_SECTION - 2 * len(FENCE) - 2
    fenced = False
    while value:
        opening = f"{FENCE}\n" if fenced else ""
        if len(value) + len(opening) <= LONGEST_SECTION:
            yield opening + value
            return
        at = value.rfind("\n", 1, room) + 1 or value.rfind(" ", 1, room) + 1 or _last_place(value, room)
        part, value = value[:at], value[at:]
        fenced ^= part.count(FENCE) % 2 == 1
        yield f"{opening}{part.rstrip()}" + (f"\n{FENCE}" if fenced else "")


def _last_place(value: str, length: int) -> int:
    """Return where `value` may be cut, at most `length` characters from its begin."""
    unfinished = re.search(r"(<[^<>\s][^<>]*|&[a-z]{0,4}|`{1,2})\Z", value[:length])
    return unfinished.start() if unfinished and unfinished.start() else length


def _fitted(block: JsonObject) -> JsonObject:
    match block.get("type"):
        case "section":
            lengths = {"text": LONGEST_SECTION, "fields": LONGEST_FIELD}
        case "header":
            lengths = {"text": LONGEST_HEADER}
        case "context":
            lengths = {"elements": LONGEST_SECTION}
        case _:
            return block
    return {key: _cut_texts(value, lengths[key]) if key in lengths else value for key, value in block.items()}


def _cut_texts(part: Json, length: int) -> Json:
    """Return a text object, or a list of them, cut."""
    if isinstance(part, list):
        return [_cut_texts(one, length) for one in part]
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return {**part, "text": cut(cast("str", part["text"]), length)}
    return part
