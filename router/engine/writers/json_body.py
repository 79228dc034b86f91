"""The built-in JSON body of requests and payloads: the firing as templates see it, within bounds."""

from typing import Final, cast

import msgspec

from router.domain.counted import counted
from router.domain.json import Json
from router.engine.context import Context
from router.engine.template import MAX_OUTPUT

LONGEST_BODY: Final = MAX_OUTPUT * 7 // 8
"""Bytes of the body; the message has more to carry."""

LONGEST_CHANGES: Final = MAX_OUTPUT // 2
"""Bytes that all of `changes` may have in it."""

TEXTS_CUT_TO: Final = (64 * 1024, 8 * 1024, 1024)
"""Characters that are left of a text, tried one after the other until the body is small enough."""

_BULKY: Final = frozenset({"diff", "config_diff", "previous"})
_BULKY_OF_PROMPT: Final = frozenset({"text", "messages", "config"})


def json_body(context: Context) -> Json:
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
        if len(msgspec.json.encode(whole)) <= LONGEST_BODY:
            break
        whole = _texts_cut(whole, most)
    return whole


def _texts_cut(value: Json, most: int) -> Json:
    match value:
        case str() if len(value) > most:
            return f"{value[:most]}… ({counted(len(value) - most, 'more character')})"
        case dict():
            return {key: _texts_cut(inner, most) for key, inner in value.items()}
        case list() | tuple():
            return [_texts_cut(inner, most) for inner in value]
    return value


def _several(changes: list[Context]) -> Context:
    if len(msgspec.json.encode(changes)) <= LONGEST_CHANGES:
        return {"changes": changes}
    slim = [_slim(change) for change in changes]
    size, kept = 0, 0
    for change in reversed(slim):
        size += len(msgspec.json.encode(change)) + 1
        if size > LONGEST_CHANGES:
            break
        kept += 1
    return {"changes": slim[len(slim) - kept :], "changes_left_out": len(slim) - kept}


def _slim(change: Context) -> Context:
    prompt = change["prompt"]
    if isinstance(prompt, dict):
        prompt = {key: value for key, value in prompt.items() if key not in _BULKY_OF_PROMPT}
    return {key: value for key, value in change.items() if key not in _BULKY} | {"prompt": prompt}
