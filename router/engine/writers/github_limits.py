"""What GitHub takes: payloads and inputs cut to its limits with a note, and paths that stay where they belong."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, cast

import msgspec

from router.domain.json import Json, JsonObject

MOST_KEYS: Final = 10
LONGEST_PAYLOAD: Final = 64 * 1024 - 1
"""https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event: 10 top-level keys, under 64 KiB."""

LONGEST_EVENT_TYPE: Final = 100
MOST_INPUTS: Final = 25
LONGEST_INPUTS: Final = 65_535
"""https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_dispatch."""

TRIMMED: Final = "router_trimmed"
"""The key of a payload that says what was cut."""

_NOTE_ROOM: Final = 4 * 1024
_SHORTEST: Final = 200
_MOST_NOTED: Final = 50

Step: TypeAlias = str | int
Where: TypeAlias = tuple[Step, ...]


class TooLarge(ValueError):
    """It cannot be cut to what GitHub takes."""


def fitted_payload(payload: JsonObject, *, keys: int = 0, size: int = 0) -> JsonObject:
    """Return the payload with at most 10 keys and under 64 KiB, the largest texts cut first.

    What was cut stands under `router_trimmed`. `keys` and `size`: what joins the payload when it is sent.
    Raises TooLarge if it is large without long texts.
    """
    most, room = MOST_KEYS - keys, LONGEST_PAYLOAD - size
    if len(payload) <= most and _size(payload) <= room:
        return payload
    left_out: list[str] = []
    if len(payload) > most or (TRIMMED not in payload and len(payload) == most):
        names = list(payload)
        left_out = names[most - 1 :]
        payload = {name: payload[name] for name in names[: most - 1]}
    fitted, cut = _shortened(payload, room - _NOTE_ROOM)
    note: dict[str, Json] = {}
    if left_out:
        note["keys"] = [name[:_SHORTEST] for name in left_out[:_MOST_NOTED]]
    if cut:
        note["texts"] = {".".join(map(str, where))[:_SHORTEST]: length for where, length in cut[:_MOST_NOTED]}
    while _size(note) > _NOTE_ROOM - 2 * len(TRIMMED):
        note = {"note": "much was cut"}
    return {**fitted, TRIMMED: note}


def fitted_inputs(inputs: Mapping[str, str]) -> dict[str, str]:
    """Return a workflow's inputs within what GitHub takes of them, the largest texts cut. Raises TooLarge."""
    if len(inputs) > MOST_INPUTS:
        raise TooLarge(f"{len(inputs)} inputs, GitHub takes {MOST_INPUTS}")
    fitted, _ = _shortened(dict(inputs), LONGEST_INPUTS)
    return cast("dict[str, str]", fitted)


def path_fault(path: str, literal: str) -> str | None:
    """Return why a file's path in a repository is refused. `literal`: how it begins before anything is inserted."""
    written = literal.split("/")[:-1]
    for index, segment in enumerate(path.split("/")):
        if not all(_dotted(segment)) or any(not sign.isprintable() for sign in segment):
            return "has a segment that is empty, `.`, `..` or has control characters"
        own = index < len(written) and segment == written[index]
        if not own and (".git" in _dotted(segment) or ".github" in _dotted(segment)):
            return "goes into `.git` or `.github`, which only the rules file itself may name"
    return None


def _dotted(segment: str) -> list[str]:
    # some file systems ignore case, and dots and spaces at the end
    return [name.rstrip(" .").lower() for name in segment.replace("\\", "/").split("/")]


def _shortened(tree: JsonObject, room: int) -> tuple[JsonObject, list[tuple[Where, int]]]:
    """Return a tree of at most `room` bytes, and which texts were cut with the lengths that they had."""
    lengths: dict[Where, int] = {}
    while (excess := _size(tree) - room) > 0:
        where, text = max(_texts(tree), key=lambda found: len(found[1].encode()), default=((), ""))
        if len(text) <= _SHORTEST:
            raise TooLarge(f"{_size(tree):,} bytes without long texts, GitHub takes {room:,}")
        lengths.setdefault(where, len(text))
        # escapes make a text longer than it is, so this may need some rounds
        kept = text[: max(_SHORTEST // 2, min(len(text) - excess // 4 - _SHORTEST // 2, len(text) * 3 // 4))]
        tree = cast("JsonObject", _with(tree, where, f"{kept.removesuffix('…')}…"))
    return tree, list(lengths.items())


def _texts(tree: Json, at: Where = ()) -> Iterator[tuple[Where, str]]:
    match tree:
        case str():
            yield at, tree
        case Mapping():
            for key, value in tree.items():
                yield from _texts(value, (*at, key))
        case list() | tuple():
            for index, value in enumerate(tree):
                yield from _texts(value, (*at, index))


def _with(tree: Json, where: Where, text: str) -> Json:
    if not where:
        return text
    first, rest = where[0], where[1:]
    if isinstance(tree, Mapping):
        return {key: _with(value, rest, text) if key == first else value for key, value in tree.items()}
    assert isinstance(tree, list | tuple)
    return [_with(value, rest, text) if index == first else value for index, value in enumerate(tree)]


def _size(tree: Json) -> int:
    return len(msgspec.json.encode(tree))
