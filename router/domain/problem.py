"""What is wrong with something a person wrote, where, and how to mend it."""

from msgspec import Struct


class Place(Struct, frozen=True, order=True):
    """A position in a file; `line` and `column` count from 1, 0 means that only the file is known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Problem(Struct, frozen=True, order=True):
    """One fault: `rules.toml:12:5: rules[2].match.labels_gaind: unknown clause; did you mean "labels_gained"?`"""

    place: Place
    path: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.what) if part)


class RouterError(Exception):
    """Something the user can act on; its text is what the user sees, in one line unless it lists problems."""


class RulesError(RouterError):
    """The rules cannot be used. `problems` holds every fault found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
