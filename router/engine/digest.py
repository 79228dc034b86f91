"""Many changes in few lines: what the built-in messages of every channel say of them, before any channel's markup."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from msgspec import Struct

from router.domain.change import Change
from router.domain.counted import counted
from router.domain.destination import ContentShown
from router.engine.context import Setting, Told
from router.engine.summary import Summary, headlines, one_line, summary_of, warnings

ALIKE: Final = 3
"""So many prompts of which the same is to be said share a line."""


class Name(Struct, frozen=True):
    """What a line speaks of, on one line, and its page."""

    title: str
    url: str | None


class Line(Struct, frozen=True, kw_only=True):
    """What happened to a prompt, or alike to several; `changes` counts them."""

    names: tuple[Name, ...]
    statement: str
    warnings: tuple[str, ...]
    changes: int

    def parts(self, most: int) -> Iterator[Name | str]:
        """Yield `a: statement`; of several names what happened to them, then at most so many of them."""
        if len(self.names) == 1:
            yield from (self.names[0], f": {self.statement}")
            return
        yield f"{self.statement} in {len(self.names)} prompts: "
        for place, name in enumerate(self.names[:most]):
            yield from (", ", name) if place else (name,)
        if len(self.names) > most:
            yield f" and {len(self.names) - most} more"

    def told(self, show: Callable[[Name], str], say: Callable[[str], str], most: int) -> str:
        """Return the parts in one text, each as its channel shows names and says all else."""
        return "".join(show(part) if isinstance(part, Name) else say(part) for part in self.parts(most))


class Digest(Struct, frozen=True, kw_only=True):
    """`title` counts the changes, and names the prompt if they are `of_one`; `time` says from when to when."""

    title: str
    of_one: bool
    lines: tuple[Line, ...]
    time: str

    def latest(self, most: int) -> tuple[tuple[Line, ...], int]:
        """Return the last lines, and how many changes are in those before."""
        return self.lines[-most:], sum(line.changes for line in self.lines[:-most])


_Key: TypeAlias = tuple[object, str | None]


class _Entry(Struct):
    """What one author did to one prompt."""

    told: list[Told]
    summary: Summary


def digest_of(told: Sequence[Told], setting: Setting, shown: ContentShown) -> Digest:
    """Return what happened, prompt by prompt, in the order of the changes."""
    entries: dict[_Key, _Entry] = {}
    for one in told:
        summary = summary_of(one, setting, "none")
        entry = entries.setdefault((one.change.prompt or one.change.id, summary.author), _Entry([], summary))
        entry.told.append(one)
        entry.summary = summary
    authors = {entry.summary.author for entry in entries.values()}
    by = authors.pop() if len(authors) == 1 else None
    lines = [
        Line(
            names=(Name(entry.summary.title, entry.summary.url),),
            statement=_statement(entry) + ("" if by or not entry.summary.author else f" ({entry.summary.author})"),
            warnings=() if shown == "none" else tuple(dict.fromkeys(w for one in entry.told for w in warnings(one))),
            changes=len(entry.told),
        )
        for entry in entries.values()
    ]
    return Digest(
        title=_title(told) + (f" by {by}" if by else ""),
        of_one=len({one.change.prompt for one in told}) == 1 and told[0].change.prompt is not None,
        lines=tuple(_joined(lines)),
        time=_time([one.change.happened_at for one in told]),
    )


def _title(told: Sequence[Told]) -> str:
    names = {one.change.prompt for one in told}
    if None in names:
        return counted(len(told), "change" if len(names) > 1 else "event")
    if len(names) > 1:
        return f"{len(told)} changes to {len(names)} prompts"
    (key,) = names
    return f"{counted(len(told), 'change')} to {one_line(key.name) if key else ''}"


def _statement(entry: _Entry) -> str:
    """Return what was done; versions of which nothing but their creation or deletion is to be said are counted up."""
    if entry.told[0].change.prompt is None:
        return one_line(entry.summary.headline)
    made: list[int] = []
    gone: list[Change] = []
    parts: dict[str, None] = {}
    for one in entry.told:
        change = one.change
        said = headlines(one)
        assert change.version is not None
        if change.action == "created":
            made.append(change.version.number)
        elif change.action == "deleted":
            gone.append(change)
        parts |= dict.fromkeys(said[1:] if change.action in ("created", "deleted") else said)
    counted = [f"{_ranges(made)} created"] if made else []
    if gone:
        left = gone[-1].versions_left
        counted.append(
            f"{_ranges(change.version.number for change in gone if change.version)} deleted"
            + ("" if left is None else f", {left or 'none'} left")
        )
    return one_line("; ".join((*counted, *parts)))


def _ranges(numbers: Iterable[int]) -> str:
    """Return `v1–v3, v7`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"v{run[0]}" if len(run) == 1 else f"v{run[0]}–v{run[-1]}" for run in runs)


def _joined(lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the lines, those of prompts of which the same is to be said as one, where the last of them stood."""
    alike: dict[tuple[str, tuple[str, ...]], list[Line]] = {}
    for line in lines:
        alike.setdefault((line.statement, line.warnings), []).append(line)
    for line in lines:
        same = alike[line.statement, line.warnings]
        if len(same) < ALIKE:
            yield line
        elif line is same[-1]:
            yield Line(
                names=tuple(name for one in same for name in one.names),
                statement=line.statement,
                warnings=line.warnings,
                changes=sum(one.changes for one in same),
            )


def _time(moments: Sequence[datetime]) -> str:
    """Return from when to when, in UTC."""
    first, last = (moment.astimezone(UTC) for moment in (min(moments), max(moments)))
    begin, end = first.strftime("%Y-%m-%d %H:%M"), last.strftime("%Y-%m-%d %H:%M")
    if begin == end:
        return f"{begin} UTC"
    return f"{begin} – {last.strftime('%H:%M') if first.date() == last.date() else end} UTC"
