"""A destination's defaults: the plain part is rendered with the action, the secret part joins when a message is sent.

What an action says wins; tables merge at every depth, everything else is replaced whole.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec
from msgspec import Raw, Struct

from router.domain.destination import DefaultTree
from router.domain.json import Json
from router.domain.text import Text


def merge(under: DefaultTree, over: DefaultTree | Json) -> DefaultTree | Json:
    """Return `over` laid over `under`."""
    if not under or not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    merged: dict[str, DefaultTree] = dict(under)
    for key, value in over.items():
        merged[key] = cast("DefaultTree", merge(merged[key], value) if key in merged else value)
    return merged


def plain(tree: DefaultTree) -> DefaultTree:
    """Return the part that holds no secret; a list with a secret in it is left out whole."""
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items() if not _is_left_out(value)}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    return tree.reveal() if isinstance(tree, Text) else tree


def secret_part(tree: DefaultTree) -> dict[str, DefaultTree]:
    """Return what `plain` left out of a table, in the tables in which it stands; empty for all that is no table."""
    if not isinstance(tree, dict):
        return {}
    part = {key: value if _is_left_out(value) else secret_part(value) for key, value in tree.items()}
    return {key: value for key, value in part.items() if value != {}}


def secret_texts(tree: object) -> Iterator[Text]:
    """Yield every secret in a tree, or in a value that holds some."""
    return (text for text in texts(tree) if text.is_secret)


def texts(tree: object) -> Iterator[Text]:
    """Yield every text in a tree, or in a value that holds some."""
    match tree:
        case Text():
            yield tree
        case dict():
            for value in tree.values():
                yield from texts(value)
        case list() | tuple():
            for value in tree:
                yield from texts(value)
        case Struct():
            for name in tree.__struct_fields__:
                yield from texts(getattr(tree, name))


def revealed(tree: DefaultTree) -> Json:
    """Return the tree with the true values, to be sent."""
    return _with_texts(tree, masked=False)


def revealed_json(tree: DefaultTree | Raw) -> bytes:
    """Return the tree as JSON with the true values, to be sent."""
    return msgspec.json.encode(tree, enc_hook=Text.reveal)


def masked(tree: DefaultTree) -> Json:
    """Return the tree as people may see it."""
    return _with_texts(tree, masked=True)


def _with_texts(tree: DefaultTree, *, masked: bool) -> Json:
    match tree:
        case Text():
            return tree.shown if masked else tree.reveal()
        case dict():
            return {key: _with_texts(value, masked=masked) for key, value in tree.items()}
        case list() | tuple():
            return [_with_texts(value, masked=masked) for value in tree]
        case _:
            return tree


def _is_left_out(tree: DefaultTree) -> bool:
    return not isinstance(tree, dict) and any(secret_texts(tree))
