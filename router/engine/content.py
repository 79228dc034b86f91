"""What a prompt's content says: as one readable text, and its variables."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from router.domain.event import Content
from router.domain.json import Json

_VARIABLE: Final = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
"""What Langfuse takes for a variable, in any script (packages/shared/src/utils/stringChecks.ts); its SDKs allow spaces
around the name."""


def text_of(content: Content | None) -> str | None:
    """Return a prompt as one text; a chat as `role: content` paragraphs. None: not known."""
    if content is None or content.prompt is UNSET or content.prompt is None:
        return None
    if isinstance(content.prompt, str):
        return content.prompt
    if not isinstance(content.prompt, list):
        return _compact(content.prompt)
    return "\n\n".join(map(_message_text, content.prompt))


def messages_of(content: Content | None) -> list[Json]:
    """Return the messages of a chat prompt; none for a text prompt."""
    prompt = content.prompt if content is not None else None
    return list(prompt) if isinstance(prompt, list) else []


def variables_of(content: Content | None) -> frozenset[str] | None:
    """Return the names that a caller must fill in: `{{name}}` in the text and chat placeholders. None: not known."""
    text = text_of(content)
    if text is None:
        return None
    return frozenset(_VARIABLE.findall(text)) | frozenset(_placeholders(content))


def variables_between(old: Content | None, new: Content | None) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the variables that `new` has and `old` had not, and those that it lost. None: one text is not known."""
    had, has = variables_of(old), variables_of(new)
    if had is None or has is None:
        return None
    return tuple(sorted(has - had)), tuple(sorted(had - has))


def config_of(content: Content | None) -> Json:
    return None if content is None or content.config is UNSET else content.config


def config_text(content: Content | None) -> str | None:
    """Return the config as indented JSON with sorted keys, so that it can be compared line by line. None: not known."""
    if content is None or content.config is UNSET:
        return None
    if content.config is None:
        return ""
    return msgspec.json.format(msgspec.json.encode(content.config, order="deterministic"), indent=2).decode()


def _message_text(message: Json) -> str:
    if not isinstance(message, dict):
        return _compact(message)
    if message.get("type") == "placeholder":
        return f"[placeholder: {message.get('name', '')}]"
    content = message.get("content")
    return f"{message.get('role', 'message')}: {content if isinstance(content, str) else _compact(content)}"


def _placeholders(content: Content | None) -> Iterator[str]:
    for message in messages_of(content):
        if isinstance(message, dict) and message.get("type") == "placeholder" and isinstance(message.get("name"), str):
            yield str(message["name"])


def _compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()
