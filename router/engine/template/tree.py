"""Trees of templates: a JSON body whose string leaves are templates, so that broken JSON cannot be written."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from router.domain.json import Json
from router.domain.problem import RouterError
from router.engine.template.budget import MAX_ITERATIONS, TemplateError
from router.engine.template.compiled import (
    Expression,
    Template,
    compile_expression,
    compile_template,
    escaped,
    loop_clause,
    single_expression,
)
from router.engine.template.escape import Channel
from router.engine.template.names import FREE, Each, Shape, context_names

FOR: Final = "$for"
DO: Final = "$do"

Path: TypeAlias = tuple[str | int, ...]


class TreeErrors(RouterError):
    """A tree has faults: each as (path below it, what)."""

    def __init__(self, faults: list[tuple[Path, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {what}" if path else what for path, what in faults))
        self.faults = faults


class _Constant(Struct, frozen=True):
    value: Json

    def render(self, _context: Mapping[str, object]) -> Json:
        return self.value

    def pieces(self) -> "Iterator[Piece]":
        yield from ()


class _Text(Struct, frozen=True):
    template: Template

    def render(self, context: Mapping[str, object]) -> Json:
        return self.template.render(context)

    def pieces(self) -> "Iterator[Piece]":
        return self.template.pieces()


class _Native(Struct, frozen=True):
    """A leaf that is one expression keeps its value's type; text in it is escaped like any other."""

    expression: Expression
    channel: Channel

    def render(self, context: Mapping[str, object]) -> Json:
        return _escape(self.expression.value(context), self.channel)

    def pieces(self) -> "Iterator[Piece]":
        yield self.expression


class _Table(Struct, frozen=True):
    entries: "tuple[tuple[str, Node], ...]"

    def render(self, context: Mapping[str, object]) -> Json:
        return {key: node.render(context) for key, node in self.entries}

    def pieces(self) -> "Iterator[Piece]":
        for _, node in self.entries:
            yield from node.pieces()


class _Loop(Struct, frozen=True):
    """`{ "$for" = "c in changes if c.rollback", "$do" = … }` in a list: one element for each item."""

    names: tuple[str, ...]
    items: Expression
    condition: Expression | None
    body: "Node"

    def each(self, context: Mapping[str, object]) -> list[Json]:
        values = self.items.raw(context)
        if not isinstance(values, list | tuple):
            raise TemplateError(f"`{FOR}` needs a list, `{self.items.source}` is none")
        if len(values) > MAX_ITERATIONS:
            raise TemplateError(f"more than {MAX_ITERATIONS:,} iterations")
        scopes = ({**context, **self._bound(value)} for value in values)
        return [self.body.render(scope) for scope in scopes if not self.condition or self.condition.truth(scope)]

    def _bound(self, value: object) -> dict[str, object]:
        if len(self.names) == 1:
            return {self.names[0]: value}
        if not isinstance(value, list | tuple) or len(value) != len(self.names):
            raise TemplateError(f"`{FOR}` takes {len(self.names)} values an item, got something else")
        return dict(zip(self.names, value, strict=True))


class _List(Struct, frozen=True):
    items: "tuple[Node | _Loop, ...]"

    def render(self, context: Mapping[str, object]) -> Json:
        rendered: list[Json] = []
        for item in self.items:
            if isinstance(item, _Loop):
                rendered += item.each(context)
            else:
                rendered.append(item.render(context))
        return rendered

    def pieces(self) -> "Iterator[Piece]":
        for item in self.items:
            if isinstance(item, _Loop):
                yield Tree(_List((item,)))  # what is inside knows names that only the loop has
            else:
                yield from item.pieces()


Node: TypeAlias = _Constant | _Text | _Native | _Table | _List


class Tree(Struct, frozen=True):
    """A compiled tree."""

    root: Node

    def render(self, context: Mapping[str, object]) -> Json:
        """Return the JSON value. Raises TemplateError."""
        return self.root.render(context)

    def pieces(self) -> "Iterator[Piece]":
        """Yield what in it can fail, each by itself: if all can be rendered, so can the tree."""
        return self.root.pieces()


Piece: TypeAlias = Template | Expression | Tree
"""A part of a message that can be rendered by itself."""


def compile_tree(tree: Json, channel: Channel, *, vars: Mapping[str, Json] | None = None) -> Tree:
    """Compile every string leaf of `tree`. Raises TreeErrors with all faults at once."""
    compiler = _Compiler(channel, vars or {})
    root = compiler.node(tree, (), {})
    if compiler.faults:
        raise TreeErrors(compiler.faults)
    return Tree(root)


class _Compiler:
    def __init__(self, channel: Channel, vars: Mapping[str, Json]) -> None:
        self.channel = channel
        self.vars = vars
        self.faults: list[tuple[Path, str]] = []

    def node(self, tree: Json, path: Path, scope: Mapping[str, Shape]) -> Node:
        match tree:
            case str():
                return self._leaf(tree, path, scope)
            case dict():
                if FOR in tree or DO in tree:
                    self.faults.append((path, f"`{FOR}` stands only in a list"))
                return _Table(tuple((key, self.node(value, (*path, key), scope)) for key, value in tree.items()))
            case list():
                return _List(tuple(self._item(item, (*path, index), scope) for index, item in enumerate(tree)))
            case _:
                return _Constant(tree)

    def _leaf(self, source: str, path: Path, scope: Mapping[str, Shape]) -> Node:
        try:
            inner = single_expression(source)
            if inner is not None:
                return _Native(compile_expression(inner, vars=self.vars, names=scope), self.channel)
            template = compile_template(source, self.channel, vars=self.vars, names=scope)
        except TemplateError as error:
            self.faults.append((path, str(error)))
            return _Constant(None)
        return _Constant(source) if template.static else _Text(template)

    def _item(self, item: Json, path: Path, scope: Mapping[str, Shape]) -> "Node | _Loop":
        if not isinstance(item, dict) or FOR not in item:
            return self.node(item, path, scope)
        if item.keys() != {FOR, DO} or not isinstance(item[FOR], str):
            self.faults.append((path, f'expected {{ "{FOR}" = "x in list", "{DO}" = … }}'))
            return _Constant(None)
        try:
            names, source, test = loop_clause(item[FOR])
            items = compile_expression(source, vars=self.vars, names=scope)
            inner = {**scope, **dict.fromkeys(names, self._shape_of_items(source, names, scope))}
            condition = None if test is None else compile_expression(test, vars=self.vars, names=inner)
        except TemplateError as error:
            self.faults.append(((*path, FOR), str(error)))
            return _Constant(None)
        return _Loop(names, items, condition, self.node(item[DO], (*path, DO), inner))

    def _shape_of_items(self, source: str, names: tuple[str, ...], scope: Mapping[str, Shape]) -> Shape:
        """Return what a loop's name has, where a plain name is looped over."""
        shape: Shape = context_names(self.vars, scope)
        for step in source.split("."):
            shape = shape.get(step, FREE) if isinstance(shape, Mapping) else FREE
        return shape.item if isinstance(shape, Each) and len(names) == 1 else FREE


def _escape(value: Json, channel: Channel) -> Json:
    match value:
        case str():
            return escaped(value, channel)
        case list():
            return [_escape(inner, channel) for inner in value]
        case dict():
            return {key: _escape(inner, channel) for key, inner in value.items()}
        case _:
            return value
