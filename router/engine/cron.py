"""When gathered changes are told by the calendar."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from msgspec import Struct

from router.engine.suggest import suggestion

_FIELDS: Final = 5


class Cron(Struct, frozen=True):
    """A cron expression (minute, hour, day of the month, month, day of the week) in a time zone; None: UTC."""

    cron: str
    zone: str | None = None


class BadCron(ValueError):
    """The expression names no time that ever comes."""


class BadZone(ValueError):
    """There is no such time zone."""


def next_time(cron: Cron, now: datetime) -> datetime:
    """Return the first moment after `now` that the expression names, in UTC. Raises BadCron, BadZone.

    Where a clock change skips that time of day it comes right after the change; where one repeats it, once.
    """
    zone = UTC if cron.zone is None else zone_named(cron.zone)
    if len(cron.cron.split()) != _FIELDS:
        raise BadCron(f'expected five fields such as "0 9 * * 1", got {len(cron.cron.split())}')
    try:
        return next(CronSim(cron.cron, now.astimezone(zone))).astimezone(UTC)
    except CronSimError as error:
        raise BadCron(f"no cron expression: {str(error).lower()}") from error
    except (StopIteration, ValueError, OverflowError) as error:
        raise BadCron("no time that ever comes") from error


def zone_named(name: str) -> ZoneInfo:
    """Return a zone of the IANA database such as `Europe/Berlin`. Raises BadZone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadZone(f"no such time zone{suggestion(name, sorted(available_timezones()))}") from error
