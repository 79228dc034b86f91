"""Time in the database: whole milliseconds since 1970 UTC, and the database's own clock."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Millis: TypeAlias = int

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> Millis:
    """Return `moment` (timezone-aware) as the database keeps it; parts of a millisecond are cut off."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(millis: Millis) -> datetime:
    return _EPOCH + millis * _MILLISECOND


def optional_ms(moment: datetime | None) -> Millis | None:
    return None if moment is None else to_ms(moment)


def optional_moment(millis: Millis | None) -> datetime | None:
    return None if millis is None else from_ms(millis)


def duration_ms(duration: timedelta) -> Millis:
    return duration // _MILLISECOND


class now_ms(FunctionElement[int]):
    """The database's clock. Replicas and commands share it, so due times and leases mean the same to all of them."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite_now(_element: now_ms, _compiler: SQLCompiler, **_: Any) -> str:
    # unixepoch('subsec') would be nicer, but came only with SQLite 3.42
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _postgresql_now(_element: now_ms, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
