"""What an answer of a destination must say to count: `expect = { where = […] }` of an action."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from router.domain.json import Json, JsonObject
from router.engine.match.wanted import Fault, Path
from router.engine.match.where import Item, compile_where


def compile_expected(where: Json, path: Path, fault: Fault) -> tuple[JsonObject, ...]:
    """Check the items of `where`, and return them as they are stored with a message."""
    items = compile_where(where, path, fault)
    for index, item in enumerate(items):
        if item.changed is not None:
            fault((*path, index, "changed"), "an answer has no version before it: `changed` is for matches")
    return tuple(item.written for item in items)


def unmet(where: Sequence[JsonObject], answer: bytes) -> str | None:
    """Return what of `where` the answer does not meet; None: it meets all. `where` has been checked."""
    try:
        body = msgspec.json.decode(answer, type=Json)
    except msgspec.DecodeError:
        return "it is no JSON, so that `expect.where` cannot be asked of it"
    for index, item in enumerate(_items(msgspec.json.encode(where))):
        said, got = item.answer(body)
        if said != "yes":
            wanted = msgspec.json.encode(item.written).decode()
            return f"`expect.where[{index}]` wanted {wanted}, got {msgspec.json.encode(got).decode()}"
    return None


@lru_cache(maxsize=256)
def _items(where: bytes) -> tuple[Item, ...]:
    return compile_where(msgspec.json.decode(where), (), lambda _path, _what: None)
