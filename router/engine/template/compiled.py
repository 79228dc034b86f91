"""Compiled templates and expressions: text in, text or a JSON value out."""

import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from msgspec import Struct

from router.domain.json import Json
from router.engine.template.budget import MAX_OUTPUT, TemplateError, begin
from router.engine.template.escape import ESCAPES, Channel
from router.engine.template.filters import native
from router.engine.template.names import Shape, context_names, unknown_names
from router.engine.template.sandbox import bounded, sandbox

_MARKERS = ("{{", "{%", "{#")


class Template(Struct, frozen=True):
    """A text with expressions in it. `static`: it has none and is its own result."""

    source: str
    channel: Channel
    jinja: JinjaTemplate | None

    @property
    def static(self) -> bool:
        return self.jinja is None

    def render(self, context: Mapping[str, object]) -> str:
        """Return the text. Raises TemplateError."""
        if self.jinja is None:
            return self.source
        begin()
        parts: list[str] = []
        size = 0
        with _readable(self.jinja):
            for part in self.jinja.root_render_func(self.jinja.new_context(dict(context))):
                size += len(part)
                if size > MAX_OUTPUT:
                    raise TemplateError(f"it makes more than {MAX_OUTPUT:,} characters")
                parts.append(part)
        return "".join(parts)


class Expression(Struct, frozen=True):
    """One expression: `if`, `when`, and leaves of trees that are nothing else."""

    source: str
    jinja: JinjaTemplate

    def value(self, context: Mapping[str, object]) -> Json:
        """Return its value as JSON: 4 stays a number. Raises TemplateError."""
        with _readable(self.jinja):
            result: Json = native(self.raw(context))
            return result

    def truth(self, context: Mapping[str, object]) -> bool:
        """Return whether its value is true in Jinja's sense. Raises TemplateError."""
        with _readable(self.jinja):
            return bool(self.raw(context))

    def raw(self, context: Mapping[str, object]) -> Any:
        """Return the value as it is, for loops over it. Raises TemplateError."""
        begin()
        with _readable(self.jinja):
            scope = self.jinja.new_context(dict(context))
            for _ in self.jinja.root_render_func(scope):
                pass
            return scope.vars["result"]


def compile_template(
    source: str,
    channel: Channel,
    *,
    vars: Mapping[str, Json] | None = None,
    names: Mapping[str, Shape] | None = None,
) -> Template:
    """Compile a text. `names`: further names in its scope. Raises TemplateError: syntax, unknown names, filters."""
    if not any(marker in source for marker in _MARKERS):
        return Template(source, channel, None)
    environment = sandbox(channel)
    tree = _parsed(source, lambda: environment.parse(source))
    _check_names(tree, context_names(vars or {}) | dict(names or {}))
    return Template(source, channel, _compiled(source, channel, False))


def compile_expression(
    source: str,
    *,
    vars: Mapping[str, Json] | None = None,
    names: Mapping[str, Shape] | None = None,
    without: Collection[str] = (),
) -> Expression:
    """Compile one expression. `names`: further names in its scope; `without`: those that it lacks.

    Raises TemplateError.
    """
    tree = _parsed(source, lambda: _expression_tree(source))
    scope = context_names(vars or {}) | dict(names or {})
    _check_names(tree, {name: shape for name, shape in scope.items() if name not in without})
    return Expression(source, _compiled(source, "text", True))


def single_expression(source: str) -> str | None:
    """Return what stands between `{{` and `}}` if the text is nothing else."""
    if not (source.startswith("{{") and source.endswith("}}")):
        return None
    inner = source[2:-2].strip("-+")
    try:
        Parser(sandbox("text"), inner, state="variable").parse_expression()
        tree = sandbox("text").parse(source)
    except (TemplateSyntaxError, TemplateError):
        return None
    match tree.body:
        case [nodes.Output(nodes=[nodes.TemplateData()])]:
            return None
        case [nodes.Output(nodes=[_])]:
            return inner
    return None


def escaped(value: str, channel: Channel) -> str:
    return ESCAPES[channel](value)


def _expression_tree(source: str) -> nodes.Template:
    parser = Parser(sandbox("text"), source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno, None, None)
    result = nodes.Assign(nodes.Name("result", "store", lineno=1), expression, lineno=1)
    tree = nodes.Template([result], lineno=1)
    tree.set_environment(sandbox("text"))
    return bounded(tree)


@lru_cache(maxsize=4096)
def _compiled(source: str, channel: Channel, expression: bool) -> JinjaTemplate:
    # the same few templates stand in many rules
    environment = sandbox(channel)
    try:
        return environment.from_string(_expression_tree(source) if expression else source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error


def _parsed(source: str, parse: Callable[[], nodes.Template]) -> nodes.Template:
    try:
        return parse()
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    except RecursionError:
        raise TemplateError(f"nested too deeply: {source[:60]}…") from None


def _check_names(tree: nodes.Template, names: Mapping[str, Shape]) -> None:
    try:
        faults = list(unknown_names(tree, names))
    except TemplateSyntaxError as error:  # unknown filters and tests are found here
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    if faults:
        raise TemplateError("; ".join(dict.fromkeys(faults)))


@contextmanager
def _readable(template: JinjaTemplate) -> Iterator[None]:
    """Translate whatever a template can raise into one line."""
    try:
        yield
    except TemplateError:
        raise
    except UndefinedError as error:
        raise TemplateError(f"{_line(template, error)}{error.message}") from error
    except SecurityError as error:
        raise TemplateError(f"{_line(template, error)}not allowed: {error.message}") from error
    except RecursionError as error:
        raise TemplateError("nested too deeply") from error
    except Exception as error:
        text = str(error)[:80] or type(error).__name__
        raise TemplateError(f"{_line(template, error)}{text}") from error


def _line(template: JinjaTemplate, error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    if not frames or frames[-1].lineno is None:
        return ""
    return f"line {template.get_corresponding_lineno(frames[-1].lineno)}: "
