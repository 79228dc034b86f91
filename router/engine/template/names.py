"""The names that templates can use, and a look for others: also in branches that no trial takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

from jinja2 import nodes
from msgspec import Struct

from router.domain.json import Json
from router.engine.suggest import suggestion


class Each(Struct, frozen=True):
    """The shape of a list: that of each of its items."""

    item: "Shape"


class Free(Struct, frozen=True):
    """Anything: a plain value, or free-form JSON."""


FREE: Final = Free()
Shape: TypeAlias = "Mapping[str, Shape] | Each | Free"
"""The names below a name. Whatever is neither table nor `Each` is free, so a table of plain values is a shape too."""


def _table(names: str, **inner: "Shape") -> dict[str, "Shape"]:
    return dict.fromkeys(names.split(), FREE) | inner


_EVENT: Final = _table("id type action source origin timestamp replay", user=_table("name email"))
_PROMPT: Final = _table(
    """name folder version labels tags type text messages config variables commit_message created_by project_id
    created_at updated_at url"""
)
_CHANGE: Final = _table(
    """labels_gained labels_lost labels_removed tags_gained tags_lost variables_gained variables_lost moved_from
    rollback diff config_diff added removed versions_left assumed quiet""",
    moved=Each(_table("label from to")),
    previous=_table("version text labels config commit_message created_at"),
)
KNOWN: Final[Mapping[str, Shape]] = {
    "event": _EVENT,
    "prompt": _PROMPT,
    "author": FREE,
    "change": _CHANGE,
    "changes": Each({**_CHANGE, "prompt": _PROMPT, "event": _EVENT, "author": FREE, "label": FREE}),
    "label": FREE,
    "rule": _table("name description"),
    "held": FREE,
    "delivery": _table("key"),
    "body": FREE,
}


def context_names(vars: Mapping[str, Json], more: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Return every name of the context, and `more`; `vars` are those of the rules file."""
    return {**KNOWN, "vars": cast("Shape", vars), **(more or {})}


def unknown_names(
    tree: nodes.Template, undeclared: Iterable[str], names: Mapping[str, Shape], line: int = 1
) -> Iterator[str]:
    """Yield what is wrong with the names in a template, each as a sentence.

    `undeclared`: those that it does not define itself. `line`: where it begins.
    """
    for name in sorted(set(undeclared) - names.keys() - {"range"}):
        yield _unknown_root(name, names)
    yield from _Walk(dict(names), line).faults(tree)


def unknown_steps(steps: Sequence[str], names: Mapping[str, Shape], line: int) -> Iterator[str]:
    """Yield what is wrong with a lookup such as `prompt.name`."""
    first, *rest = steps
    if first not in names:
        yield _unknown_root(first, names)
        return
    shape, words = names[first], first
    for step in rest:
        if not isinstance(shape, Mapping):
            return
        if step not in shape:
            yield _unknown_step(line, words, step, shape)
            return
        shape, words = shape[step], f"{words}.{step}"


def used_names(tree: nodes.Template) -> Iterator[tuple[str, ...]]:
    """Yield the names of the context in a template, each with the steps below it: ("prompt", "name")."""
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    yield from (steps for steps in _chains(tree) if steps[0] in KNOWN and steps[0] not in own)


def _chains(node: nodes.Node) -> Iterator[tuple[str, ...]]:
    if steps := _steps(node):
        yield steps
        return
    for child in node.iter_child_nodes():
        yield from _chains(child)


def _steps(node: nodes.Node) -> tuple[str, ...]:
    """Return ("prompt", "name") for `prompt.name` and `prompt["name"]`; nothing for what is no such chain."""
    match node:
        case nodes.Name(name=name, ctx="load"):
            return (name,)
        case (
            nodes.Getattr(node=nodes.Expr() as above, attr=str(step))
            | nodes.Getitem(node=nodes.Expr() as above, arg=nodes.Const(value=str(step)))
        ):
            steps = _steps(above)
            return (*steps, step) if steps else ()
        case _:
            return ()


def _unknown_root(name: str, names: Iterable[str]) -> str:
    return f"`{name}`: unknown name{suggestion(name, names)}"


def _unknown_step(line: int, words: str, step: str, known: Iterable[str]) -> str:
    return f"line {line}: `{words}.{step}`: unknown name{suggestion(step, known)}"


class _Walk:
    """Follows `a.b["c"]` from names of known shape, also through loop variables and `set`."""

    def __init__(self, scope: dict[str, Shape], line: int) -> None:
        self.scope = scope
        self.line = line

    def faults(self, node: nodes.Node) -> Iterator[str]:
        match node:
            case nodes.For():
                yield from self.faults(node.iter)
                inner = _Walk(self.scope | self._targets(node), self.line)
                for child in (*node.body, *node.else_, *([node.test] if node.test else [])):
                    yield from inner.faults(child)
                return
            case nodes.Macro() | nodes.CallBlock():
                inner = _Walk(self.scope | {name.name: FREE for name in node.args} | {"caller": FREE}, self.line)
                for child in node.iter_child_nodes():
                    yield from inner.faults(child)
                return
            case nodes.Assign(target=nodes.Name(name=name)):
                yield from self.faults(node.node)
                self.scope[name] = self.shape(node.node)
                return
            case nodes.Getattr() | nodes.Getitem():
                yield from self._step(node)
        for child in node.iter_child_nodes():
            yield from self.faults(child)

    def shape(self, node: nodes.Node) -> Shape:
        match node:
            case nodes.Name(name=name):
                return self.scope.get(name, FREE)
            case nodes.Getattr(attr=key) | nodes.Getitem(arg=nodes.Const(value=str(key))):
                base = self.shape(node.node)
                return base.get(key, FREE) if isinstance(base, Mapping) else FREE
            case nodes.Getitem():
                base = self.shape(node.node)
                return base.item if isinstance(base, Each) else FREE
            case nodes.Filter(name="_counted", node=nodes.Expr() as counted):
                return self.shape(counted)
            case nodes.Filter(name="first" | "last", node=nodes.Expr() as several):
                base = self.shape(several)
                return base.item if isinstance(base, Each) else FREE
            case _:
                return FREE

    def _targets(self, node: nodes.For) -> dict[str, Shape]:
        if isinstance(node.target, nodes.Name):
            base = self.shape(node.iter)
            return {node.target.name: base.item if isinstance(base, Each) else FREE, "loop": FREE}
        names: dict[str, Shape] = {name.name: FREE for name in node.target.find_all(nodes.Name)}
        return names | {"loop": FREE}

    def _step(self, node: nodes.Getattr | nodes.Getitem) -> Iterator[str]:
        key = node.attr if isinstance(node, nodes.Getattr) else node.arg
        if isinstance(key, nodes.Const):
            key = key.value
        base = self.shape(node.node)
        if isinstance(base, Mapping) and isinstance(key, str) and key not in base:
            yield _unknown_step(self.line + node.lineno - 1, _words(node.node), key, base)


def _words(node: nodes.Node) -> str:
    match node:
        case nodes.Name(name=name):
            return str(name)
        case nodes.Getattr(attr=attr):
            return f"{_words(node.node)}.{attr}"
        case nodes.Getitem(arg=nodes.Const(value=value)):
            return f"{_words(node.node)}.{value}"
        case _:
            return "…"
