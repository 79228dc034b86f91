"""The Jinja environments, one per channel: sandboxed, strict, and with every loop and large text under a budget."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from router.engine.template.budget import Counted, TemplateError, check_length
from router.engine.template.escape import INSERT, Channel, shown
from router.engine.template.filters import FROM_JINJA, OURS
from router.engine.template.lenient import Absent, JsonView

LARGEST_BITS: Final = 10_000
"""Numbers beyond this many bits are no result anybody meant."""

STRING_METHODS: Final = frozenset(
    """capitalize casefold count endswith find isalnum isalpha isdecimal isdigit islower isspace isupper lower lstrip
    partition removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith strip title
    upper""".split()
)
_FORBIDDEN: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


class _Code(CodeGenerator):
    """Inserts constants like all other values; Jinja itself would escape them for HTML, whatever the channel."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja as templates of rules may use it."""

    code_generator_class = _Code

    intercepted_binops = frozenset(["*", "**", "%", "+"])

    def __init__(self, channel: Channel) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=True,
            finalize=INSERT[channel],
            loader=None,
            keep_trailing_newline=True,
        )
        self.filters = {name: self.filters[name] for name in FROM_JINJA} | OURS
        self.filters |= {"_counted": Counted, "_concat": concat}
        self.globals = {"range": safe_range}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return bounded(super()._parse(source, name, filename))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Attributes of tables are their keys and never Python's methods."""
        if isinstance(obj, dict):
            return self._key(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict):
            return self._key(obj, argument)
        return super().getitem(obj, argument)

    def _key(self, table: dict[Any, Any], key: Any) -> Any:
        try:
            return table[key]
        except (KeyError, TypeError):
            if isinstance(table, JsonView):
                return Absent(name=str(key))
            return self.undefined(f"there is no `{key}` here")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in STRING_METHODS
        if isinstance(obj, list | tuple | int | float | bytes | range):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)


@cache
def sandbox(channel: Channel) -> Sandbox:
    return Sandbox(channel)


def bounded(tree: nodes.Template) -> nodes.Template:
    """Put every loop under the budget, and refuse what reaches for other templates."""
    for node in tree.find_all(_FORBIDDEN):
        raise TemplateError(f"line {node.lineno}: templates cannot include or import others")
    result: nodes.Template = _Bound().visit(tree)
    return result


class _Bound(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        if node.recursive:
            raise TemplateError(f"line {node.lineno}: recursive loops are not allowed")
        node.iter = _filter(node.iter, "_counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "_concat")


def _filter(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def concat(parts: list[object]) -> str:
    """The operator `~`: markup only if every part is."""
    texts = [shown(part) for part in parts]
    check_length(sum(map(len, texts)))
    joined = "".join(texts)
    return Markup(joined) if all(isinstance(part, Markup) for part in parts) else joined  # noqa: S704


def _check_operation(operator: str, left: Any, right: Any) -> None:
    check: Callable[[Any, Any], None] = {"*": _times, "**": _power, "%": _modulo, "+": _plus}[operator]
    check(left, right)


def _times(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and isinstance(other, str | list | tuple | bytes):
            check_length(len(other) * max(one, 0))
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > LARGEST_BITS:
        raise TemplateError("the number would be too large")


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * max(right, 0) > LARGEST_BITS:
        raise TemplateError("the number would be too large")


def _modulo(left: Any, _right: Any) -> None:
    if isinstance(left, str | bytes):
        raise TemplateError("`%` does not format text here; write `{{ … }}` or use `~`")


def _plus(left: Any, right: Any) -> None:
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        check_length(len(left) + len(right))
