"""Reads `[destinations]`: what each extends, what it is, and the action keys that stand in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.util import find_spec
from typing import Final, cast

from router.domain.destination import (
    AnyDestination,
    AppriseDestination,
    DefaultTree,
    EmailDestination,
    GithubDestination,
    HttpDestination,
    Limits,
    LogDestination,
    Rate,
    SlackDestination,
)
from router.domain.json import Json, JsonObject
from router.domain.message import DestinationType
from router.domain.text import Text
from router.engine.defaults import merge, secret_texts
from router.engine.rulesfile.expand import HOLE
from router.engine.rulesfile.merged import LONGEST_CHAIN, laid_over
from router.engine.rulesfile.positions import Path
from router.engine.rulesfile.reader import WRITTEN_OUT, Reader, shown
from router.engine.rulesfile.secrecy import looks_secret
from router.engine.rulesfile.spec import (
    ACTION_KEYS,
    DESTINATION_TYPES,
    DESTINATIONS,
    LIMITS,
    OWN_CONNECTIONS,
)
from router.engine.suggest import suggestion

SLACK_RATE: Final = Rate(1, timedelta(seconds=1))
ONE_OF: Final[Mapping[DestinationType, tuple[tuple[str, ...], ...]]] = {
    "slack": (("webhook_url", "token"),),
    "github": (("token", "app_id"),),
}
"""Keys of which a destination has exactly one."""

TOGETHER: Final[Mapping[DestinationType, tuple[str, ...]]] = {"github": ("app_id", "installation_id", "private_key")}
"""Keys that say nothing without each other."""

SECRETS_IN: Final[Mapping[DestinationType, tuple[tuple[Path, ...], tuple[Path, ...]]]] = {
    "slack": ((("channel",),), ()),
    "http": ((), (("json",), ("form",), ("query",), ("headers",))),
    "github": ((), (("dispatch", "client_payload"), ("workflow", "inputs"))),
    "email": ((("recipients",), ("cc",)), ()),
    "log": ((), ()),
    "apprise": ((), ()),
}
"""Where an action key of a destination may hold a secret: as a whole, or anywhere within a table. It joins the message
when that is sent."""

LOST: Final = (
    "a secret has no place here: it would have to be stored with the message; put the value into [vars] if it is none"
)
_BUILD: Final[Mapping[DestinationType, Callable[..., AnyDestination]]] = {
    "slack": SlackDestination,
    "http": HttpDestination,
    "github": GithubDestination,
    "email": EmailDestination,
    "log": LogDestination,
    "apprise": AppriseDestination,
}


def read_destinations(reader: Reader) -> dict[str, AnyDestination]:
    """Return the destinations that can be read."""
    return {name: made for name in reader.merged.destinations if (made := _destination(reader, name))}


def _destination(reader: Reader, name: str) -> AnyDestination | None:
    path = ("destinations", name)
    reader.check_name(path, name)
    table = _inherited(reader, name)
    if table is None:
        return None
    type = _type(reader, path, table)
    if type is None:
        return None
    own = DESTINATIONS[type]
    known = ("type", "extends", *own, *LIMITS, *ACTION_KEYS[type])
    for key in [key for key in table if key not in known and reader.merged.origin((*path, key))[:2] != path]:
        _, giver, _ = reader.merged.origin((*path, key))
        reader.fault((*path, "type"), f'{type} has no `{key}`, which "{giver}" gives it: that one has another type')
        del table[key]
    reader.unknown(path, table, known)
    if type == "apprise":
        _check_apprise(reader, path, table)
    fields = reader.fields(path, table, own)
    limits = reader.fields(path, table, LIMITS)
    if type == "slack":
        limits.setdefault("rate", SLACK_RATE)
    defaults: dict[str, DefaultTree] = {}
    for ancestor in reversed(reader.merged.ancestry(name)):
        above = _defaults(reader, ("destinations", ancestor), type)
        defaults = cast("dict[str, DefaultTree]", merge(defaults, above))
    _refuse_lost_secrets(reader, path, type, defaults)
    if any(key.required and (key.field or own_name) not in fields for own_name, key in own.items()):
        return None
    for several in ONE_OF.get(type, ()):
        _one_of(reader, path, table, several)
    _all_of(reader, path, table, TOGETHER.get(type, ()))
    return _BUILD[type](name=name, limits=Limits(**limits), defaults=defaults, **fields)


def _one_of(reader: Reader, path: Path, table: JsonObject, alternatives: Sequence[str]) -> None:
    given = [name for name in alternatives if name in table]
    if not given:
        reader.fault(path, f"one of {' and '.join(f'`{name}`' for name in alternatives)} is missing")
    for name in given[1:]:
        reader.fault((*path, name), f"give either `{given[0]}` or `{name}`")


def _all_of(reader: Reader, path: Path, table: JsonObject, together: Sequence[str]) -> None:
    missing = [name for name in together if name not in table]
    for name in missing if len(missing) < len(together) else ():
        reader.fault(path, f"`{name}` is missing: {' and '.join(f'`{one}`' for one in together)} go together")


def _check_apprise(reader: Reader, path: Path, table: JsonObject) -> None:
    if find_spec("apprise") is None:
        reader.fault((*path, "type"), "is not installed: pip install 'langfuse-router[apprise]'")
    for key in sorted(OWN_CONNECTIONS & table.keys()):
        reader.fault((*path, key), "does nothing here: Apprise makes its own connections")


def _refuse_lost_secrets(
    reader: Reader, path: Path, type: DestinationType, defaults: Mapping[str, DefaultTree]
) -> None:
    """Refuse secrets in what is rendered and stored with the message: they would be lost on the way."""
    whole, within = SECRETS_IN[type]
    for at, value in _values(defaults):
        if not any(secret_texts(value)):
            continue
        if at not in whole and not any(at[: len(table)] == table and len(at) > len(table) for table in within):
            reader.fault((*path, *at), LOST)
        elif _has_template(value):
            reader.fault((*path, *at), "a list with `${…}` in it is sent as it is: it cannot hold templates as well")


def _values(table: Mapping[str, DefaultTree], at: Path = ()) -> Iterator[tuple[Path, DefaultTree]]:
    """Yield every value in a table and the tables in it, with its path; a list is one value."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _values(value, (*at, key))
        else:
            yield (*at, key), value


def _has_template(tree: DefaultTree) -> bool:
    match tree:
        case str():
            return _is_template(tree)
        case list():
            return any(map(_has_template, tree))
        case dict():
            return any(map(_has_template, tree.values()))
        case _:
            return False


def _inherited(reader: Reader, name: str) -> dict[str, Json] | None:
    """Return a destination's table laid over those that it extends; None if they cannot be found."""
    path = ("destinations", name, "extends")
    names = reader.merged.ancestry(name)
    table: dict[str, Json] = {}
    for ancestor in reversed(names):
        table = laid_over(table, reader.merged.destination(ancestor))
    last = reader.merged.destination(names[-1]).get("extends")
    if last is None:
        return table
    if not isinstance(last, str):
        reader.fault(("destinations", names[-1], "extends"), f"expected a destination's name, got {shown(last)}")
    elif last in names:
        reader.fault(path, f"goes round in a circle: {' → '.join((*names, last))}")
    elif last in reader.merged.destinations:
        reader.fault(path, f"goes on through more than {LONGEST_CHAIN} destinations")
    else:
        others = [other for other in reader.merged.destinations if other != names[-1]]
        reader.fault(("destinations", names[-1], "extends"), f'no destination "{last}"{suggestion(last, others)}')
    return None


def _type(reader: Reader, path: Path, table: JsonObject) -> DestinationType | None:
    type = table.get("type")
    if type in DESTINATION_TYPES:
        return type
    if "type" not in table:
        reader.fault(path, f"`type` is missing: one of {', '.join(DESTINATION_TYPES)}")
    else:
        hint = suggestion(type, DESTINATION_TYPES) if isinstance(type, str) else ""
        reader.fault((*path, "type"), f"expected one of {', '.join(DESTINATION_TYPES)}, got {shown(type)}{hint}")
    return None


def _defaults(reader: Reader, path: Path, type: DestinationType) -> dict[str, DefaultTree]:
    """Return the action keys that are written in the destination at `path`, files put in: files are no tables that
    another destination's keys could be merged into.
    """
    defaults: dict[str, DefaultTree] = {}
    table = reader.merged.table(path)
    for key in table.keys() & ACTION_KEYS[type]:
        _no_mixture(reader, (*path, key), table[key])
        value = _masked(reader, (*path, key), reader.tree((*path, key), table[key], replaced=True))
        defaults[key] = reader.contents((*path, key), key, value)
    return defaults


def _masked(reader: Reader, path: Path, value: DefaultTree) -> DefaultTree:
    """Return `value`; a secret spelled out in it is kept like one that came from outside."""
    match value:
        case str() if looks_secret(path[-1], value):
            reader.warn(path, WRITTEN_OUT)
            return Text.secret(value)
        case dict():
            return {key: _masked(reader, (*path, key), inner) for key, inner in value.items()}
        case list():
            return [_masked(reader, (*path, index), inner) for index, inner in enumerate(value)]
        case _:
            return value


def _no_mixture(reader: Reader, path: Path, value: Json) -> None:
    """Refuse a string that is both template and secret: secrets are merged in when all is rendered."""
    match value:
        case str() if HOLE in value.replace("$$", "") and _is_template(value):
            reader.fault(path, "`${…}` and a template cannot stand in one string: secrets join when a message is sent")
        case Mapping():
            for key, inner in value.items():
                _no_mixture(reader, (*path, key), inner)
        case list():
            for index, inner in enumerate(value):
                _no_mixture(reader, (*path, index), inner)


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text
