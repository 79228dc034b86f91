"""Decoded JSON: its type (the one place where `Any` is let in, and only for msgspec), and when two values are equal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
    JsonObject: TypeAlias = Mapping[str, Json]
else:  # msgspec resolves annotations at run time and knows no recursive alias
    Json = Any
    JsonObject = dict[str, Any]


def equal(one: Json, other: Json) -> bool:
    """Return whether two JSON values are the same: 1 is 1.0, and booleans are no numbers, at every depth."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    return one == other
