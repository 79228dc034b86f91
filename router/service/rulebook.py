"""The rules in force, and how others take their place: all or nothing."""

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
import structlog
from msgspec import Struct

from router.domain.destination import AnyDestination
from router.domain.problem import Problem, RulesError
from router.engine.compile import compile_ruleset
from router.engine.defaults import texts
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import Outside, RulesFile, read_rules
from router.engine.rulesfile.expand import Placeholder
from router.service.excerpt import Excerpt, excerpts
from router.service.letting_go import let_go
from router.service.playground import Trial

log = structlog.get_logger("router.reload")


class Loaded(Struct, frozen=True):
    """A rules file and what it compiled to."""

    file: RulesFile
    ruleset: Ruleset


def load(path: str, outside: Outside, *, missing: Literal["error", "placeholder"]) -> Loaded:
    """Read and compile; the one loader of `check`, `serve` and reload. Raises RulesError with every fault."""
    with _collector_paused():
        read: list[object] = [file := read_rules(path, outside, missing=missing)]
        try:
            return Loaded(file, compile_ruleset(file))
        except RulesError as error:
            problems = error.problems
        del file
        let_go(read)
        raise RulesError(problems)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector away meanwhile: a large file becomes millions of objects, none of them garbage."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class Reload(Struct, frozen=True):
    """How the last reading of the rules ended; without `problems` they are in force.

    `excerpts`: the first of them in their places, as the files were then.
    """

    at: datetime
    problems: tuple[Problem, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()


_ASKED: Final = re.compile(r"\$\{[^}]*\}")


class Rulebook:
    """Holds the rules in force. Readers take `ruleset` once per piece of work."""

    def __init__(self, path: str, outside: Outside, *, missing: Literal["error", "placeholder"]) -> None:
        """Raises RulesError."""
        self.path = path
        self._outside = outside
        self._missing: Literal["error", "placeholder"] = missing
        self.loaded = self._load()
        self.unset = _unset(self.loaded)
        """Of destinations to which nothing can be sent, what is not set; only `serve --capture` has some."""
        self.loaded_at = datetime.now(UTC)
        self.last_reload = Reload(self.loaded_at)

    @property
    def ruleset(self) -> Ruleset:
        return self.loaded.ruleset

    @property
    def destinations(self) -> Mapping[str, AnyDestination]:
        return self.ruleset.destinations

    @property
    def refused_at(self) -> datetime | None:
        """When the file was refused; None: what it said then is in force."""
        return self.last_reload.at if self.last_reload.problems else None

    def read(self) -> Loaded:
        """Return what the file says now; may run beside the event loop. Raises RulesError."""
        return _unchanged_server(self.loaded, self._load())

    def tried(self, text: str) -> Loaded:
        """Return what would be in force if the plain tables of the file were `text`. Raises RulesError."""
        return load(self.path, Trial(self.loaded.file, text, self._outside), missing="placeholder")

    def put_in_force(self, new: Loaded) -> Loaded:
        """Let the new rules take the place of those before, and return those: let go of them beside the event loop."""
        old, self.loaded = self.loaded, new
        self.unset = _unset(new)
        self.loaded_at = datetime.now(UTC)
        self.last_reload = Reload(self.loaded_at)
        return old

    def refuse(self, error: RulesError) -> None:
        """Remember why the file was not put in force; may run beside the event loop."""
        shown = excerpts(error.problems, self._outside.read)
        self.last_reload = Reload(datetime.now(UTC), error.problems, shown)

    def _load(self) -> Loaded:
        """Load the file, and let the garbage collector look away from it for good.

        A look at all of 10,000 rules takes it longer than the event loop may stand still. There are no circles among
        them, so they go when nobody refers to them any more.
        """
        with _collector_paused():
            try:
                return load(self.path, self._outside, missing=self._missing)
            finally:
                gc.freeze()


def _unchanged_server(old: Loaded, new: Loaded) -> Loaded:
    """`[server]` and `[store]` need a restart; a reload that changes them says so and is refused."""
    problems = tuple(
        Problem(new.file.place(table), table, "changed; this needs a restart, nothing was reloaded")
        for table in ("server", "store")
        if msgspec.structs.asdict(getattr(old.file, table)) != msgspec.structs.asdict(getattr(new.file, table))
    )
    if problems:
        raise RulesError(problems)
    return new


def _unset(loaded: Loaded) -> dict[str, str]:
    """Return which `${…}` of which destination stand for nothing."""
    found: dict[str, str] = {}
    for name, destination in loaded.ruleset.destinations.items():
        written = [text.reveal() for text in texts(destination) if isinstance(text, Placeholder)]
        if asked := [one for text in written for one in _ASKED.findall(text)]:
            found[name] = ", ".join(dict.fromkeys(asked))
    return found
