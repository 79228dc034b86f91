"""Letting go of something large in small steps.

Python frees what nobody refers to at once and with all that it holds, and while it does, every thread waits. For the
10,000 rules that a reload replaced that is longer than the event loop may stand still.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

FEW: Final = 16
"""So many parts, and those in them, are looked into for more; a thing with more parts is taken apart."""

DEEPEST: Final = 8


def let_go(held: list[object]) -> None:
    """Empty `held`, the only one that refers to what is in it. Other threads run between the steps."""
    pieces = list(_pieces(held, DEEPEST))
    held.clear()
    while pieces:
        pieces.pop()


def _pieces(whole: object, depth: int) -> Iterator[object]:
    parts = _parts(whole)
    if len(parts) > FEW:
        yield from parts
    elif depth:
        for part in parts:
            yield from _pieces(part, depth - 1)


def _parts(whole: object) -> list[object]:
    match whole:
        case Struct():
            return [getattr(whole, name) for name in whole.__struct_fields__]
        case Mapping():
            return list(whole.values())
        case list() | tuple():
            return list(whole)
        case _:
            return list(getattr(whole, "__dict__", {}).values())
