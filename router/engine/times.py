"""Times of the week, as `[times]` names them: office hours, nights, weekends."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Span(Struct, frozen=True):
    """Hours of a day, from `start` up to but not including `end`. `end` None: midnight.

    One that ends before it starts runs over midnight, and belongs to the day on which it started.
    """

    start: time
    end: time | None


class Times(Struct, frozen=True, kw_only=True):
    """An entry of `[times]`. `days` count from Monday, 0; no `hours`: the whole day."""

    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(7))
    hours: tuple[Span, ...] = ()

    def hold(self, moment: datetime) -> bool:
        """Return whether `moment` (timezone-aware) is within them, by the clocks of their zone."""
        local = self.local(moment)
        today, yesterday = local.weekday(), (local - timedelta(days=1)).weekday()
        if not self.hours:
            return today in self.days
        return any(
            (today in self.days and _starts_in(span, local.time()))
            or (yesterday in self.days and _reaches_into(span, local.time()))
            for span in self.hours
        )

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone))


def _over_midnight(span: Span) -> bool:
    return span.end is not None and span.end <= span.start


def _starts_in(span: Span, now: time) -> bool:
    """Tell whether `now` is in the part of the span that lies on the day on which it starts."""
    return now >= span.start and (span.end is None or _over_midnight(span) or now < span.end)


def _reaches_into(span: Span, now: time) -> bool:
    """Tell whether `now` is in the part of the span that lies on the day after."""
    return _over_midnight(span) and span.end is not None and now < span.end
