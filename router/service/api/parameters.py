"""What the parameters of several resources mean."""

from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from litestar.params import QueryParameter

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="At most so many items.")]
Cursor: TypeAlias = Annotated[
    str, QueryParameter(pattern=r"^[0-9]{0,18}$", description="Where to go on: the `next_cursor` of a page.")
]
Since: TypeAlias = Annotated[datetime | None, QueryParameter(description="Not earlier than this (ISO 8601).")]
Until: TypeAlias = Annotated[datetime | None, QueryParameter(description="Earlier than this (ISO 8601).")]
PromptName: TypeAlias = Annotated[str, QueryParameter(description="A prompt's name; `*` stands for any characters.")]

DEFAULT_LIMIT: Final = 50


def zoned(moment: datetime | None) -> datetime | None:
    """Return a moment that somebody gave; without a zone it is meant in UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
