"""Whom an action reaches: `to` names destinations, or is a template whose result does.

What a template can come to is worked out when it is loaded, as far as it can be seen: every value of a lookup in
`vars`, every branch, the literal text around the rest. So an action is checked against each destination that it may
reach, and nothing but those can be reached, whatever a prompt is called.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final, TypeAlias

from jinja2 import meta, nodes
from msgspec import Struct

from router.domain.json import Json
from router.engine.rulesfile.expand import HOLE
from router.engine.rulesfile.positions import Path
from router.engine.suggest import suggestion
from router.engine.template import Template, TemplateError, compile_template, parse_template
from router.engine.template.escape import shown

NAMES: Final = ("vars", "prompt", "label")
"""What `to` may depend on."""

MOST_POSSIBILITIES: Final = 10_000

ANY: Final = "*"
"""Stands for any text; no destination's name can have it."""

Faults: TypeAlias = list[tuple[Path, str]]


class Possible(Struct, frozen=True):
    """A text that a template can come to, with `*` for any text. `at`: the value of `vars` that it is."""

    text: str
    at: Path | None = None

    def fits(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that it can come to; space around a name does not count."""
        pattern = re.compile(".*".join(map(re.escape, self.text.strip().split(ANY))))
        return [name for name in names if pattern.fullmatch(name)]


_ANYTHING: Final = frozenset({Possible(ANY)})
_NOTHING: Final = frozenset({Possible("")})


def compile_to(
    source: str, path: Path, vars: Mapping[str, Json], destinations: Mapping[str, object]
) -> tuple[Template | None, list[str], Faults]:
    """Return the compiled `to`, the destinations that it can come to, and every fault as (path, what).

    `path` is where it stands; a fault of a value of `vars` has that one's path.
    """
    if source in destinations:
        return Template(source, "text", (source,)), [source], []
    try:
        template = compile_template(source, "text", vars=vars)
        tree = parse_template(source)
        if strange := sorted(meta.find_undeclared_variables(tree) - {*NAMES, "range"}):
            raise TemplateError(f"`{strange[0]}`: `to` may depend on {', '.join(NAMES)} only")
    except TemplateError as error:
        return None, [], [(path, str(error))]
    return template, *_reachable(_texts(tree, vars), path, list(destinations))


def _reachable(possible: Iterable[Possible], path: Path, known: list[str]) -> tuple[list[str], Faults]:
    names: set[str] = set()
    faults: Faults = []
    for one in possible:
        fitting = one.fits(known)
        names |= set(fitting)
        if not fitting:
            faults.append((one.at or path, _nobody(one.text.strip(), known)))
    return [name for name in known if name in names], faults


def _nobody(text: str, known: Iterable[str]) -> str:
    if not text:
        return "it can come to nothing: name a destination for that case as well, or keep it away with `if`"
    if ANY in text:
        return f'no destination is named like "{text}"'
    return f'no destination "{text}"{suggestion(text, known)}'


def _texts(node: nodes.Node, vars: Mapping[str, Json]) -> frozenset[Possible]:
    """Return every text that a part of a template can come to."""
    match node:
        case nodes.Template():
            return _joined(node.body, vars)
        case nodes.Output():
            return _joined(node.nodes, vars)
        case nodes.TemplateData(data=text):
            return frozenset({Possible(text)})
        case nodes.Const(value=value):
            return frozenset({Possible(shown(value))})
        case nodes.Assign():
            return _NOTHING
        case nodes.If():
            branches = [node.body, *(branch.body for branch in node.elif_), node.else_]
            return _either(_joined(branch, vars) for branch in branches)
        case nodes.CondExpr():
            return _either(_texts(one, vars) for one in (node.expr1, node.expr2) if one is not None)
        case nodes.Or() | nodes.And():
            return _either((_texts(node.left, vars), _texts(node.right, vars)))
        case nodes.Add():
            return _joined((node.left, node.right), vars)
        case nodes.Filter(name="_concat", node=nodes.List(items=items)):
            return _joined(items, vars)
        case nodes.Filter(name="default" | "d", node=nodes.Expr() as given, args=args, kwargs=[]):
            return _either(_texts(one, vars) for one in (given, *args[:1]))
        case nodes.Filter(name="trim" | "string", node=nodes.Expr() as given, args=[]):
            return _texts(given, vars)
        case nodes.Name() | nodes.Getattr() | nodes.Getitem():
            found = _looked_up(node, vars)
            return _ANYTHING if found is None else frozenset(_text_of(path, value) for path, value in found)
        case _:
            return _ANYTHING


def _either(choices: Iterable[frozenset[Possible]]) -> frozenset[Possible]:
    return frozenset[Possible]().union(*choices)


def _joined(parts: Iterable[nodes.Node], vars: Mapping[str, Json]) -> frozenset[Possible]:
    """Return every text that arises when the parts stand one after the other."""
    whole = _NOTHING
    for part in parts:
        texts = _texts(part, vars)
        if len(whole) * len(texts) > MOST_POSSIBILITIES:
            return _ANYTHING
        whole = frozenset(_together(left, right) for left, right in product(whole, texts))
    return whole


def _together(left: Possible, right: Possible) -> Possible:
    if left.text and right.text:
        return Possible(left.text + right.text)
    return left if left.text else right


def _text_of(path: Path, value: Json) -> Possible:
    text = shown(value)
    # a variable that is not set stands in it by its name: nothing is known of its value
    return Possible(ANY) if HOLE in text else Possible(text, at=path)


def _looked_up(node: nodes.Node, vars: Mapping[str, Json]) -> list[tuple[Path, Json]] | None:
    """Return every value that a lookup in `vars` can find, with its path; None: it is no such lookup."""
    match node:
        case nodes.Name(name="vars"):
            return [(("vars",), vars)]
        case (
            nodes.Getattr(node=nodes.Expr() as table, attr=key)
            | nodes.Getitem(node=nodes.Expr() as table, arg=nodes.Const(value=key))
        ):
            tables = _looked_up(table, vars)
            return tables and [(path, value) for path, value in _items(tables) if path[-1] == key]
        case nodes.Getitem(node=nodes.Expr() as table):
            tables = _looked_up(table, vars)
            return tables and list(_items(tables))
        case _:
            return None


def _items(tables: Iterable[tuple[Path, Json]]) -> Iterator[tuple[Path, Json]]:
    for path, table in tables:
        if isinstance(table, Mapping):
            yield from (((*path, key), value) for key, value in table.items())
        elif isinstance(table, list):
            yield from (((*path, index), value) for index, value in enumerate(table))
