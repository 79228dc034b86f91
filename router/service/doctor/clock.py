"""Whether this machine's clock is right: signatures have a time, and so have `Retry-After` and due deliveries."""

from collections.abc import Mapping
from datetime import timedelta
from statistics import median
from typing import Final

from router.engine.rulesfile.kinds import duration_text
from router.service.doctor.finding import Finding

AGREES: Final = timedelta(seconds=30)
"""A `Date` header says whole seconds, and was written before it arrived."""

_MINUTE: Final = 60


def clock_findings(ahead: Mapping[str, timedelta], tolerance: timedelta | None) -> list[Finding]:
    """Return what the clocks of others say of ours: `ahead` of it each of them is by so much.

    The majority is believed. `tolerance`: the greatest difference that the signatures of every source bear.
    """
    if not ahead:
        return []
    off = {where: by for where, by in ahead.items() if abs(by) > AGREES}
    right = len(ahead) - len(off)
    if right and right >= len(off):
        agrees = Finding(level="ok", where="clock", what=f"agrees with {right} of {len(ahead)} that were asked")
        return [agrees, *(_theirs(where, by, tolerance) for where, by in off.items())]
    by = timedelta(seconds=median(by.total_seconds() for by in off.values()))
    refuses = tolerance is not None and abs(by) > tolerance
    return [
        Finding(
            level="fault" if refuses else "warning",
            where="clock",
            what=f"this machine's clock is {_apart(-by)}, say {', '.join(sorted(off))}"
            + ("; signatures will be refused" if refuses else ""),
            fix="synchronise it (NTP)",
        )
    ]


def _theirs(where: str, by: timedelta, tolerance: timedelta | None) -> Finding:
    signs = where.startswith("sources.") and tolerance is not None and abs(by) > tolerance
    return Finding(
        level="fault" if signs else "warning",
        where=where,
        what=f"its clock is {_apart(by)}" + ("; its signatures will be refused" if signs else ""),
        fix="whoever runs it should synchronise it",
    )


def _apart(by: timedelta) -> str:
    seconds = round(abs(by).total_seconds())
    whole = seconds if seconds < 2 * _MINUTE else round(seconds / _MINUTE) * _MINUTE
    return f"{duration_text(timedelta(seconds=whole))} {'ahead' if by > timedelta() else 'behind'}"
