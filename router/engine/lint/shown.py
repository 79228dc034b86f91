"""Values that templates show, and matches ask for, though no event that reaches them has any."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from router.domain.event import ACTIONS, PROMPT_VERSION
from router.domain.json import Json, JsonObject
from router.engine.content import messages_of
from router.engine.lint.bodies import BODIES
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import RulesFile
from router.engine.rulesfile.positions import Path
from router.engine.suggest import suggestion
from router.engine.template import DO, FOR, TemplateError, loop_clause, names_used
from router.engine.template.names import Shape
from router.engine.trial import TRIALS, Trials

Steps = tuple[str, ...]

_PLAIN: Final = re.compile(r"\$((?:\.[A-Za-z_]\w*)+)")
"""A JSONPath of names alone."""


class _Use(Struct):
    """One string of the file: what it shows, and what it is shown for. `types` None: of those nobody can tell all."""

    names: frozenset[Steps]
    matched: int = 0
    types: frozenset[str] | None = frozenset()


def never_there(file: RulesFile, ruleset: Ruleset) -> Iterator[tuple[Path, str]]:
    """Yield what is null or empty for every event that reaches it: of a named action, by any of the rules."""
    trials = Trials(ruleset.vars)
    uses: dict[Path, _Use] = {}
    for rule, spec in zip(ruleset.rules, file.rules, strict=True):
        matched, types = trials.matched(rule.match), _types(spec.match)
        said = [*_asked(spec.match, ("rules", spec.index, "match"), file.matches)]
        for position, table in enumerate(spec.actions):
            said += _strings(table, ("rules", spec.index, "actions", position))
        for path, names in ((path, names) for path, names in said if names):
            use = uses.setdefault(file.merged.origin(path), _Use(names))
            use.matched |= matched
            use.types = None if use.types is None or types is None else use.types | types
    presence = _Presence(trials)
    for path, use in uses.items():
        for steps in sorted(use.names):
            if what := presence.never(steps, use.matched) or _no_field(steps, use.types):
                yield path, what


class _Presence:
    """For which trial changes there is a value."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._known: dict[Steps, int] = {}

    def never(self, steps: Steps, matched: int) -> str | None:
        """Return that a value is there for none of the matched changes, though it is for others."""
        if steps[0] in ("body", "vars") or not matched:
            return None
        for end in range(1, len(steps) + 1):
            there = self._there(steps[:end])
            if there and not there & matched:
                name = ".".join(steps[:end])
                return f"`{name}` is never there for what this is told of; only {_kinds(there)} have it"
        return None

    def _there(self, steps: Steps) -> int:
        if steps not in self._known:
            self._known[steps] = sum(
                1 << number for number in range(len(TRIALS)) if _is_there(self._trials.context(number), steps)
            )
        return self._known[steps]


def _is_there(value: object, steps: Steps) -> bool:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value not in (None, "", [], (), {})


def _kinds(there: int) -> str:
    """Return which trial changes these are, in words."""
    changes = [change for number, (_, change) in enumerate(TRIALS) if there >> number & 1]
    kinds = list(dict.fromkeys(change.action or change.type for change in changes))
    if set(kinds) == set(ACTIONS):
        chat = all(messages_of(change.version.content) for change in changes if change.version)
        return "chat prompts" if chat else "prompt versions"
    return " and ".join(f"{kind} versions" if kind in ACTIONS else f"{kind} events" for kind in kinds)


def _no_field(steps: Steps, types: frozenset[str] | None) -> str | None:
    """Return that no body of these types has such a field, as far as it is known what they have."""
    if steps[0] != "body" or not types or not types <= BODIES.keys():
        return None
    faults = [_missing(BODIES[type], steps[1:]) for type in sorted(types)]
    return None if None in faults else faults[0]


def _missing(shape: Shape, steps: Steps) -> str | None:
    for end, step in enumerate(steps):
        if not isinstance(shape, Mapping):
            return None
        if step not in shape:
            words = ".".join(("body", *steps[: end + 1]))
            return f"`{words}`: Langfuse is not known to send such a field{suggestion(step, shape)}"
        shape = shape[step]
    return None


def _types(match: JsonObject) -> frozenset[str] | None:
    """Return the types of events that a match can be about; None: nobody can tell all of them."""
    wanted = match.get("type", PROMPT_VERSION)
    types = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(types, list) or not all(isinstance(type, str) for type in types):
        return None
    return frozenset(map(str, types))


def _asked(match: JsonObject, path: Path, matches: Mapping[str, JsonObject]) -> Iterator[tuple[Path, frozenset[Steps]]]:
    """Yield every expression and every plain JSONPath of a match, with the names of the context that it asks for."""
    for key, value in match.items():
        match key, value:
            case "when", str(expression):
                yield (*path, key), _names(f"{{{{ {expression} }}}}", frozenset())
            case "where", list(items):
                for index, item in enumerate(items):
                    if found := _PLAIN.fullmatch(str(item.get("path")) if isinstance(item, Mapping) else ""):
                        yield (*path, key, index, "path"), frozenset({("body", *found[1].split(".")[1:])})
            case "any" | "all" | "none", list(members):
                for index, member in enumerate(members):
                    if isinstance(member, Mapping):
                        yield from _asked(member, (*path, key, index), matches)
                    elif member in matches:
                        yield from _asked(matches[str(member)], ("matches", str(member)), matches)


def _strings(table: JsonObject, path: Path) -> Iterator[tuple[Path, frozenset[Steps]]]:
    """Yield every template and expression of an action, with the names of the context that it uses."""
    for key, value in table.items():
        if key == "if":
            yield (*path, key), _names(f"{{{{ {value} }}}}", frozenset())
        elif key != "id":
            yield from _templates((*path, key), value, frozenset())


def _templates(path: Path, value: Json, bound: frozenset[str]) -> Iterator[tuple[Path, frozenset[Steps]]]:
    match value:
        case str():
            yield path, _names(value, bound)
        case {"$for": str(clause), "$do": body}:
            names, items, condition = loop_clause(clause)
            inner = bound | set(names)
            yield (*path, FOR), _names(f"{{{{ {items} }}}}", bound) | _names(f"{{{{ {condition} }}}}", inner)
            yield from _templates((*path, DO), body, inner)
        case Mapping():
            for key, below in value.items():
                yield from _templates((*path, key), below, bound)
        case list():
            for index, below in enumerate(value):
                yield from _templates((*path, index), below, bound)


def _names(source: str, bound: frozenset[str]) -> frozenset[Steps]:
    try:
        return frozenset(steps for steps in names_used(source) if steps[0] not in bound)
    except TemplateError:
        return frozenset()  # of a key that this type of destination does not have
