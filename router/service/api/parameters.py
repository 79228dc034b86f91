"""What the parameters of several resources mean."""

from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="At most so many items.")]
Cursor: TypeAlias = Annotated[
    str, QueryParameter(pattern=r"^[0-9]{0,18}$", description="Where to go on: the `next_cursor` of a page.")
]
Since: TypeAlias = Annotated[str | None, QueryParameter(format="date-time", description="Not earlier than this.")]
Until: TypeAlias = Annotated[str | None, QueryParameter(format="date-time", description="Earlier than this.")]
PromptName: TypeAlias = Annotated[str, QueryParameter(description="A prompt's name; `*` stands for any characters.")]

DEFAULT_LIMIT: Final = 50


def moment(given: str | None, name: str) -> datetime | None:
    """Return the time that was given as parameter `name`, ISO 8601; without a zone it is meant in UTC.

    Read here: the framework would take any number for seconds since 1970. Raises ValidationException.
    """
    if given is None:
        return None
    try:
        read = msgspec.convert(given, datetime)
    except msgspec.ValidationError as error:
        raise ValidationException(str(error), extra=[{"message": str(error), "key": name}]) from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
