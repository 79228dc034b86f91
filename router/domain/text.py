"""Text of which a part may be secret: `str()` and `repr()` show the mask, only `reveal()` the truth."""

import re
from typing import Final

MASK: Final = "***"


class Text:
    """A string from the rules file; what came in through `${…}` is masked wherever it would show.

    `shown` equals the value for text that holds no secret. Two texts are equal when their values are.
    """

    __slots__ = ("_value", "shown")

    def __init__(self, value: str, shown: str | None = None) -> None:
        self._value = value
        self.shown = value if shown is None else shown

    @classmethod
    def secret(cls, value: str) -> "Text":
        return cls(value, MASK)

    @property
    def is_secret(self) -> bool:
        return self.shown != self._value

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the mask stands for, part by part: to be looked for in what others say about it."""
        hidden = MASK.join(map(re.escape, self.shown.split(MASK))).replace(MASK, "(.*?)")
        found = re.fullmatch(hidden, self._value, re.DOTALL) if self.is_secret else None
        return tuple(part for part in found.groups() if part) if found else ()

    def reveal(self) -> str:
        """Return the true value. Call it where bytes leave the process, nowhere else."""
        return self._value

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Text({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
