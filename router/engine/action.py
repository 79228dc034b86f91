"""Actions, compiled: which destinations each can reach, and the writers of its messages."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from router.domain.destination import AnyDestination
from router.domain.json import Json
from router.domain.message import DestinationType, GithubCommit, Message
from router.engine.rulesfile import ACTION_KEYS
from router.engine.rulesfile.positions import Path
from router.engine.suggest import suggestion
from router.engine.template import MAX_OUTPUT, Expression, Template, TemplateError, compile_expression
from router.engine.to import Faults, compile_to
from router.engine.writers import Writer, is_ordered, writer_of
from router.engine.writers.reader import NotAString, Reader, compact, string
from router.engine.writers.scene import MessageError, Scene, thread_of

LONGEST_NAME: Final = 200
"""Characters of what is no destination's name that are kept."""

COMMON_KEYS: Final = frozenset({"to", "id", "if"})


class Target(Struct, frozen=True, kw_only=True):
    """One destination of an action, and the writer of its messages. `ordered`: those of one prompt go one by one."""

    destination: str
    type: DestinationType
    writer: Writer
    ordered: bool = False


class Nowhere(Struct, frozen=True):
    """`to` came to what is no destination: `destination` is that text, or the template if it could not be rendered.

    `type` is that of the first destination that it could have come to.
    """

    destination: str
    type: DestinationType
    reason: str


class CompiledAction(Struct, frozen=True, kw_only=True):
    """`key` is the action's identity: its `id`, else the digest of its table; `position` its place in the rule.

    `to` are names of destinations and templates of names, `targets` all that these can come to.
    """

    key: str
    position: int
    condition: Expression | None
    to: tuple[Template, ...]
    targets: tuple[Target, ...]

    def reached(self, scene: Scene) -> list[Target | Nowhere]:
        """Return the destinations that are meant in `scene`, each once."""
        found: dict[str, Target | Nowhere] = {}
        for template in self.to:
            one = self._reached(template, scene)
            found.setdefault(one.destination, one)
        return list(found.values())

    def _reached(self, template: Template, scene: Scene) -> Target | Nowhere:
        type = self.targets[0].type
        try:
            name = (template.source if template.static else template.render(scene.context)).strip()
        except TemplateError as error:
            return Nowhere(template.source, type, f"`to` cannot be rendered: {error}")
        if not name:
            return Nowhere(template.source, type, "`to` came to nothing")
        for target in self.targets:
            if target.destination == name:
                return target
        name = name[:LONGEST_NAME]
        return Nowhere(name, type, f'`to` came to "{name}", which is no destination')


def write(writer: Writer, scene: Scene) -> Message:
    """Return the message. Raises Skipped; RouterError if it cannot be made or is larger than 1 MiB."""
    message = writer.message(scene)
    size = len(msgspec.json.encode(message))
    if size > MAX_OUTPUT:
        raise MessageError(f"the message has {size:,} bytes, at most {MAX_OUTPUT:,} are allowed")
    return message


def order_of(target: Target, scene: Scene) -> str | None:
    """Return what names the order in which deliveries to this target go out; None: they wait for no other."""
    return thread_of(scene.told) if target.ordered else None


def lane_of(message: Message) -> str | None:
    """Return what names the lane of a message: of those that share one, one is sent at a time."""
    return f"branch {message.branch or ''}" if isinstance(message, GithubCommit) else None


def compile_action(
    table: Mapping[str, Json],
    position: int,
    key: str,
    destinations: Mapping[str, AnyDestination],
    vars: Mapping[str, Json],
) -> tuple[CompiledAction, Faults]:
    """Return the compiled action, and every fault as (path below the action or `destinations.NAME`, what)."""
    faults: Faults = []
    to, names = _destination_names(table.get("to"), destinations, vars, faults)
    types = {destinations[name].type for name in names}
    known = COMMON_KEYS.union(*(ACTION_KEYS[type] for type in types))
    if types:
        faults += [((name,), _unknown_key(name, known, types)) for name in table if name not in known]
    if "id" in table and not (isinstance(table["id"], str) and table["id"]):
        faults.append((("id",), f"expected a string, got {compact(table['id'])[:40]}"))
    condition = None
    if "if" in table:
        try:
            condition = compile_expression(string(table["if"]), vars=vars)
        except (TemplateError, NotAString) as error:
            faults.append((("if",), str(error)))
    targets: list[Target] = []
    for name in names:
        destination = destinations[name]
        reader = Reader(table, destination, vars)
        writer = writer_of(reader, destination)
        ordered = destination.limits.ordered or is_ordered(writer)
        targets.append(Target(destination=name, type=destination.type, writer=writer, ordered=ordered))
        faults += reader.faults
    action = CompiledAction(key=key, position=position, condition=condition, to=to, targets=tuple(targets))
    return action, faults


def _destination_names(
    to: Json, destinations: Mapping[str, AnyDestination], vars: Mapping[str, Json], faults: Faults
) -> tuple[tuple[Template, ...], list[str]]:
    """Return `to`, compiled, and every destination that it can come to."""
    if to is None:
        faults.append(((), "`to` is missing: the name of a destination or a list of names"))
        return (), []
    written = [to] if isinstance(to, str) else to
    if not isinstance(written, list) or not written or not all(isinstance(name, str) for name in written):
        faults.append((("to",), "expected the name of a destination or a list of names"))
        return (), []
    templates: list[Template] = []
    names: dict[str, None] = {}
    for index, name in enumerate(written):
        path: Path = ("to",) if isinstance(to, str) else ("to", index)
        template, possible, wrong = compile_to(str(name), path, vars, destinations)
        faults += wrong
        names |= dict.fromkeys(possible)
        if template is None:
            continue
        if name in written[:index]:
            faults.append((path, f'"{name}" is named twice'))
        templates.append(template)
    return tuple(templates), list(names)


def _unknown_key(name: str, known: Iterable[str], types: Iterable[str]) -> str:
    return f"unknown key for {' and '.join(sorted(types))}{suggestion(name, known)}"
