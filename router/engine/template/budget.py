"""What a template may use up. Templates are their operators' code, but a mistake must not stop the router."""

import re
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Final

from router.domain.problem import RouterError
from router.engine.deadline import at_most

MAX_OUTPUT: Final = 1024 * 1024
"""Characters that one template, and any text it makes on the way, may have; bytes of a whole message."""

MAX_SECONDS: Final = 1.0
MAX_ITERATIONS: Final = 100_000


class TemplateError(RouterError):
    """A template is wrong, or failed. The text says what, and the line in the template where that is known."""

    @property
    def line(self) -> int:
        """The line that the text begins with; 1 if it tells none."""
        found = re.match(r"line (\d+): ", str(self))
        return int(found[1]) if found else 1


class Budget:
    """What is left for one rendering."""

    def __init__(self) -> None:
        self.until = time.monotonic() + at_most(MAX_SECONDS)
        self.iterations = MAX_ITERATIONS

    def spend(self) -> None:
        self.iterations -= 1
        if self.iterations < 0:
            raise TemplateError(f"more than {MAX_ITERATIONS:,} iterations")
        if time.monotonic() > self.until:
            raise TemplateError(f"it took longer than {MAX_SECONDS:g} s")


_budget: ContextVar[Budget] = ContextVar("template_budget")


def begin() -> None:
    """Start the budget of one rendering."""
    _budget.set(Budget())


def spend() -> None:
    """Count one step of a loop. Raises TemplateError when the budget is used up."""
    _budget.get().spend()


class Counted:
    """What a loop goes over: every step is counted and the clock looked at."""

    def __init__(self, values: Iterable[object]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[object]:
        for value in self._values:
            spend()
            yield value

    def __len__(self) -> int:
        return len(self._values)  # type: ignore[arg-type]  # without a length Jinja makes a list of it


def check_length(length: int) -> None:
    """Refuse to make a text or list that is longer than any output may be."""
    if length > MAX_OUTPUT:
        raise TemplateError(f"a text of {length:,} characters would arise; at most {MAX_OUTPUT:,} are allowed")
