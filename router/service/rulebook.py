"""The rules in force, and how others take their place: all or nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec
import structlog
from msgspec import Struct

from router.domain.destination import AnyDestination
from router.domain.problem import Problem, RulesError
from router.engine.compile import compile_ruleset
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import Outside, RulesFile, read_rules

log = structlog.get_logger("router.reload")


class Loaded(Struct, frozen=True):
    """A rules file and what it compiled to."""

    file: RulesFile
    ruleset: Ruleset


def load(path: str, outside: Outside, *, missing: Literal["error", "placeholder"]) -> Loaded:
    """Read and compile; the one loader of `check`, `serve` and reload. Raises RulesError with every fault."""
    file = read_rules(path, outside, missing=missing)
    return Loaded(file, compile_ruleset(file))


class Rulebook:
    """Holds the rules in force. Readers take `ruleset` once per piece of work."""

    def __init__(self, path: str, outside: Outside, *, missing: Literal["error", "placeholder"]) -> None:
        """Raises RulesError."""
        self.path = path
        self._outside = outside
        self._missing: Literal["error", "placeholder"] = missing
        self.loaded = load(path, outside, missing=missing)
        self.loaded_at = datetime.now(UTC)

    @property
    def ruleset(self) -> Ruleset:
        return self.loaded.ruleset

    @property
    def destinations(self) -> Mapping[str, AnyDestination]:
        return self.ruleset.destinations

    def read(self) -> Loaded:
        """Return what the file says now; may run beside the event loop. Raises RulesError."""
        new = load(self.path, self._outside, missing=self._missing)
        return _unchanged_server(self.loaded, new)

    def put_in_force(self, new: Loaded) -> None:
        self.loaded = new
        self.loaded_at = datetime.now(UTC)


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
