"""What the doctor finds."""

from typing import Literal, TypeAlias

from msgspec import Struct

from router.domain.problem import Place, Problem

Level: TypeAlias = Literal["ok", "warning", "fault"]


class Finding(Struct, frozen=True, kw_only=True):
    """How one thing is. `where`: what it is about, as the rules file calls it; `place`: where it stands there, if it
    does. `fix`: what helps.
    """

    level: Level
    where: str
    what: str
    fix: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        at = f"{self.place}: " if self.place and self.level != "ok" else ""
        return f"{self.level:8}{at}{self.where}: {self.what}{f'; {self.fix}' if self.fix else ''}"


def of_problem(level: Level, problem: Problem) -> Finding:
    """Return what `check` would say, as a finding; it says itself what helps."""
    return Finding(level=level, where=problem.path or "rules", what=problem.what, place=problem.place)
