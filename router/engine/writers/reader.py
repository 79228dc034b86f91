"""Takes an action's keys, laid over its destination's defaults."""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from router.domain.destination import AnyDestination
from router.domain.json import Json
from router.engine.defaults import merge, plain
from router.engine.rulesfile import ACTION_KEYS
from router.engine.rulesfile.positions import Line, Path, has
from router.engine.template import Channel, Template, TemplateError, Tree, TreeErrors, compile_template, compile_tree
from router.engine.to import Faults


class NotAString(ValueError):
    """A value is no string where a template is expected."""


class Reader:
    """Takes keys out of an action merged over its destination's defaults, and notes what is wrong with them."""

    def __init__(self, table: Mapping[str, Json], destination: AnyDestination, vars: Mapping[str, Json]) -> None:
        self.table = table
        self.name = destination.name
        self.vars = vars
        self.defaults = plain(destination.defaults)
        own = {key: value for key, value in table.items() if key in ACTION_KEYS[destination.type]}
        self.merged = cast("dict[str, Json]", merge(self.defaults, own))
        self.faults: Faults = []

    def fault(self, path: Path, what: str) -> None:
        """Note a fault where the value was written: in the action, else in the destination."""
        written = tuple(step for step in path if not isinstance(step, Line))
        inherited = has(self.defaults, written) and not has(self.table, written)
        if inherited or (written and written[0] not in self.table):
            path = ("destinations", self.name, *path)
        self.faults.append((path, what))

    def has(self, key: str) -> bool:
        return key in self.merged

    def template(self, key: str, channel: Channel) -> Template | None:
        if key not in self.merged:
            return None
        return self._template(self.merged[key], channel, (key,))

    def _template(self, value: Json, channel: Channel, path: Path) -> Template | None:
        try:
            return compile_template(string(value), channel, vars=self.vars)
        except NotAString as error:
            self.fault(path, str(error))
        except TemplateError as error:
            self.fault((*path, Line(error.line)), str(error))
        return None

    def part(self, table: Mapping[str, Json], path: Path, channel: Channel) -> Template | None:
        """Return what stands in a table of the action at the end of `path`; None: nothing that can be used."""
        key = str(path[-1])
        return self._template(table[key], channel, path) if key in table else None

    def templates(self, key: str, channel: Channel) -> dict[str, Template]:
        table = self.merged.get(key, {})
        if not isinstance(table, dict):
            self.fault((key,), "expected a table of strings")
            return {}
        found = {name: self._template(value, channel, (key, name)) for name, value in table.items()}
        return {name: template for name, template in found.items() if template}

    def list_of_templates(self, key: str, channel: Channel) -> tuple[Template, ...]:
        values = self.merged.get(key, [])
        if isinstance(values, str):
            values = [values]
        if not isinstance(values, list):
            self.fault((key,), "expected a list of strings")
            return ()
        found = [self._template(value, channel, (key, index)) for index, value in enumerate(values)]
        return tuple(template for template in found if template)

    def tree(self, key: str, channel: Channel, kind: type = object) -> Tree | None:
        if key not in self.merged:
            return None
        return self.subtree(self.merged[key], channel, (key,), kind)

    def subtree(self, value: Json, channel: Channel, path: Path, kind: type) -> Tree | None:
        if not isinstance(value, kind):
            self.fault(path, f"expected a {'table' if kind is dict else 'list'}")
            return None
        try:
            return compile_tree(value, channel, vars=self.vars)
        except TreeErrors as errors:
            for below, what in errors.faults:
                self.fault((*path, *below), what)
            return None

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.merged.get(key, default)
        if value not in choices:
            self.fault((key,), f"expected one of {', '.join(choices)}")
            return default
        return str(value)


def string(value: Json) -> str:
    """Return `value`. Raises NotAString."""
    if not isinstance(value, str):
        raise NotAString(f"expected a string, got {compact(value)[:40]}")
    return value


def compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()
