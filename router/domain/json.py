"""The type of decoded JSON: the one place where `Any` is let in, and only for msgspec."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
    JsonObject: TypeAlias = Mapping[str, Json]
else:  # msgspec resolves annotations at run time and knows no recursive alias
    Json = Any
    JsonObject = dict[str, Any]
