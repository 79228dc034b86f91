"""Who held which label when, as a picture: one lane for each label, a bar for each version that held it.

Times are not drawn to scale: a prompt changes five times in an hour and then not for a month. Each time between two
moments gets room for a version's number, and a long one a little more.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import log1p
from typing import Final

from msgspec import Struct

from router.service.prompts import PromptHistory, VersionView
from router.storage.records import Holding

MOST_MOMENTS: Final = 80
"""The newest ones; what was before is at the left edge."""

LANE: Final = 34
BAR: Final = 22
LEAST: Final = 44
MORE: Final = 66
LONG: Final = timedelta(days=30)
EDGE: Final = 12
APART: Final = 84
"""Between two times that are written below: so much room one of them takes."""


class Bar(Struct, frozen=True, kw_only=True):
    """A version in a lane. `vague`: its beginning or its end is not known. `back`: a rollback, to a lower version."""

    x: int
    width: int
    version: int
    holding: Holding
    vague: bool
    back: bool


class Lane(Struct, frozen=True, kw_only=True):
    label: str
    y: int
    bars: tuple[Bar, ...]


class Made(Struct, frozen=True):
    """When a version was created, or several at once (the lowest first)."""

    x: int
    versions: tuple[VersionView, ...]


class Tick(Struct, frozen=True):
    x: int
    at: datetime


class Timeline(Struct, frozen=True, kw_only=True):
    """Everything in pixels from the upper left."""

    width: int
    height: int
    lanes: tuple[Lane, ...]
    made: tuple[Made, ...]
    ticks: tuple[Tick, ...]


def timeline(history: PromptHistory, now: datetime) -> Timeline | None:
    """Return the picture; None: nobody ever held a label."""
    if not history.labels:
        return None
    scale = _Scale(_moments(history), now)
    labels = list(dict.fromkeys(holding.label for holding in history.labels))
    lanes = tuple(
        Lane(
            label=label,
            y=LANE * row,
            bars=tuple(_bars([held for held in reversed(history.labels) if held.label == label], scale)),
        )
        for row, label in enumerate(labels, start=1)
    )
    return Timeline(
        width=scale.width,
        height=LANE * (len(lanes) + 2),
        lanes=lanes,
        made=tuple(_made(history.versions, scale)),
        ticks=tuple(_ticks(scale)),
    )


def _moments(history: PromptHistory) -> list[datetime]:
    held = (time for holding in history.labels for time in (holding.since, holding.until))
    made = (version.created_at for version in history.versions)
    return sorted({time for time in (*held, *made) if time is not None})[-MOST_MOMENTS:]


class _Scale:
    """Where a time is drawn: what is older than the first moment at the left edge, and now at the right one."""

    def __init__(self, moments: Sequence[datetime], now: datetime) -> None:
        self.moments = moments
        self._places: dict[datetime, int] = {}
        x, before = EDGE + LEAST, moments[0] if moments else now
        for moment in moments:
            x += _room(moment - before) if moment != before else 0
            self._places[moment] = x
            before = moment
        self.width = x + _room(now - before) + EDGE

    def shows(self, time: datetime) -> bool:
        return time in self._places

    def place(self, time: datetime) -> int:
        return self._places.get(time, 0)


def _room(time: timedelta) -> int:
    share = log1p(max(time, timedelta()) / timedelta(minutes=1)) / log1p(LONG / timedelta(minutes=1))
    return LEAST + round(MORE * min(1.0, share))


def _bars(oldest_first: Sequence[Holding], scale: _Scale) -> Iterator[Bar]:
    end = 0
    for place, holding in enumerate(oldest_first):
        after = oldest_first[place + 1].since if place + 1 < len(oldest_first) else None
        until = holding.until or (None if holding.now else after)
        start = end if holding.since is None else max(end, scale.place(holding.since))
        end = scale.width if until is None else max(start, scale.place(until))
        if end > start:
            yield Bar(
                x=start,
                width=end - start,
                version=holding.version,
                holding=holding,
                vague=holding.since is None or holding.assumed or (holding.until is None and not holding.now),
                back=place > 0 and holding.version < oldest_first[place - 1].version,
            )


def _made(newest_first: Sequence[VersionView], scale: _Scale) -> Iterator[Made]:
    found: dict[datetime, list[VersionView]] = {}
    for version in reversed(newest_first):
        if version.created_at is not None and scale.shows(version.created_at):
            found.setdefault(version.created_at, []).append(version)
    for created_at, versions in found.items():
        yield Made(scale.place(created_at), tuple(versions))


def _ticks(scale: _Scale) -> Iterable[Tick]:
    last = -APART
    for moment in scale.moments:
        x = scale.place(moment)
        if x - last >= APART and x + APART <= scale.width:
            last = x
            yield Tick(x, moment)
