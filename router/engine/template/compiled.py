"""Compiled templates and expressions: text in, text or a JSON value out.

Most of what people write is names in braces: `{{ prompt.name }} v{{ prompt.version }}`. Such a text is cut into parts,
and equal expressions are compiled once however many texts they stand in; a name with dots is not compiled at all but
looked up, by what Jinja's own code would call. Statements and everything unusual are Jinja's, whole.
"""

import re
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from msgspec import Struct

from router.domain.json import Json
from router.engine.template.budget import MAX_OUTPUT, TemplateError, begin
from router.engine.template.escape import ESCAPES, INSERT, Channel
from router.engine.template.filters import native
from router.engine.template.names import KNOWN, Shape, context_names, unknown_names, unknown_steps, used_names
from router.engine.template.sandbox import bounded, sandbox

_MARKERS: Final = ("{{", "{%", "{#")
_INSERT: Final = re.compile(
    r"""(?<!\{)\{\{(?![-+])                     # no control of white space, which reaches into the text around
    ((?:[^{}'"\\\n]++|'[^{}'\\\n]*+'|"[^{}"\\\n]*+")*+)
    (?<![-+])\}\}""",
    re.VERBOSE,
)
"""An expression in a text whose end can be seen without Jinja: no brace but its own, and every quote closed."""

_LOOKUP: Final = re.compile(r"\s*([^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*")
_NO_NAMES: Final = frozenset("and else false False if in is none None not or range true True".split())


class Expression(Struct, frozen=True):
    """One expression: `if`, `when`, leaves of trees that are nothing else, and what stands between a text's braces.

    `steps`: the names of one like `prompt.name`, which is looked up; else Jinja has compiled it.
    """

    source: str
    steps: tuple[str, ...]
    jinja: JinjaTemplate | None

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
            return self.evaluate(context)

    def evaluate(self, context: Mapping[str, object]) -> Any:
        """Return the value as it is, within a budget that has begun. Raises whatever Jinja does."""
        if self.jinja is None:
            return _looked_up(self.steps, context)
        scope = self.jinja.new_context(dict(context))
        for _ in self.jinja.root_render_func(scope):
            pass
        return scope.vars["result"]


class Insert(Struct, frozen=True):
    """Where a text shows a value; `line` counts from 1."""

    expression: Expression
    line: int


class Template(Struct, frozen=True):
    """A text with expressions in it, cut into `parts`; or `jinja`, if only Jinja can tell its parts."""

    source: str
    channel: Channel
    parts: tuple[str | Insert, ...]
    jinja: JinjaTemplate | None = None

    @property
    def static(self) -> bool:
        """Whether there are no expressions in it: it is its own result."""
        return self.jinja is None and not any(isinstance(part, Insert) for part in self.parts)

    def pieces(self) -> "Iterator[Template]":
        """Yield one template for each value that is shown: if all of them can be rendered, so can this one."""
        if self.jinja is not None:
            yield self
            return
        for part in self.parts:
            if isinstance(part, Insert):
                yield Template("", self.channel, (part,))

    def render(self, context: Mapping[str, object]) -> str:
        """Return the text. Raises TemplateError."""
        begin()
        texts: list[str] = []
        size = 0
        for text in self._whole(context) if self.jinja else self._by_parts(context):
            size += len(text)
            if size > MAX_OUTPUT:
                raise TemplateError(f"it makes more than {MAX_OUTPUT:,} characters")
            texts.append(text)
        return "".join(texts)

    def _whole(self, context: Mapping[str, object]) -> Iterator[str]:
        assert self.jinja is not None
        with _readable(self.jinja):
            yield from self.jinja.root_render_func(self.jinja.new_context(dict(context)))

    def _by_parts(self, context: Mapping[str, object]) -> Iterator[str]:
        insert = INSERT[self.channel]
        for part in self.parts:
            if isinstance(part, str):
                yield part
                continue
            try:
                yield insert(part.expression.evaluate(context))
            except TemplateError:
                raise
            except Exception as error:
                raise _translated(error, f"line {part.line}: ") from error


def compile_template(
    source: str,
    channel: Channel,
    *,
    vars: Mapping[str, Json] | None = None,
    names: Mapping[str, Shape] | None = None,
) -> Template:
    """Compile a text. `names`: further names in its scope. Raises TemplateError: syntax, unknown names, filters."""
    if "{" not in source or not any(marker in source for marker in _MARKERS):
        return Template(source, channel, (source,))
    known = context_names(vars or {}, names)
    parts = _parts(source)
    if parts is None:
        tree, undeclared = _template_tree(source)
        _refuse(unknown_names(tree, undeclared, known))
        return Template(source, channel, (), _compiled_template(source, channel))
    faults = [
        fault for part in parts if isinstance(part, Insert) for fault in _unknown(part.expression, known, part.line)
    ]
    _refuse(faults)
    return Template(source, channel, parts)


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
    expression = _expression(source)
    known = context_names(vars or {}, names)
    _refuse(_unknown(expression, {name: shape for name, shape in known.items() if name not in without}, 1))
    return expression


def parse_template(source: str) -> nodes.Template:
    """Return a template's tree, for who wants to know what it can come to. Raises TemplateError."""
    return _template_tree(source)[0]


@lru_cache(maxsize=4096)
def names_used(source: str) -> frozenset[tuple[str, ...]]:
    """Return the names of the context that a template uses: ("prompt", "name"). Raises TemplateError."""
    if "{" not in source or not any(marker in source for marker in _MARKERS):
        return frozenset()
    parts = _parts(source)
    if parts is None:
        return frozenset(used_names(_template_tree(source)[0]))
    expressions = [part.expression for part in parts if isinstance(part, Insert)]
    return frozenset().union(*map(_names_shown, expressions))


def _names_shown(expression: Expression) -> frozenset[tuple[str, ...]]:
    if expression.jinja is None:
        return frozenset({expression.steps} if expression.steps[0] in KNOWN else ())
    return frozenset(used_names(_names_in(expression.source)[0]))


def loop_clause(source: str) -> tuple[tuple[str, ...], str, str | None]:
    """Return the names, the list and the condition of `x, y in list if condition`. Raises TemplateError."""
    left, found, right = source.partition(" in ")
    names = tuple(name.strip() for name in left.split(","))
    if not found or not all(name.isidentifier() for name in names):
        raise TemplateError("expected `x in list`")
    items, condition, depth = "", None, 0
    with _syntax(source):
        for _, kind, word in sandbox("text").lex(f"{{{{ {right} }}}}"):
            depth += (word in "([{") - (word in ")]}") if kind == "operator" else 0
            if kind == "name" and word == "if" and depth == 0 and condition is None:
                condition = ""
            elif kind not in ("variable_begin", "variable_end") and condition is None:
                items += word
            elif kind not in ("variable_begin", "variable_end"):
                condition = f"{condition}{word}"
    return names, items.strip(), None if condition is None else condition.strip()


def single_expression(source: str) -> str | None:
    """Return what stands between `{{` and `}}` if the text is nothing else."""
    if found := _INSERT.fullmatch(source):
        return found[1]
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


def _parts(source: str) -> tuple[str | Insert, ...] | None:
    """Return the texts and expressions of a template; None if it takes Jinja to tell them apart."""
    if "{%" in source or "{#" in source or "\r" in source:
        return None  # a carriage return: Jinja makes every line end a newline
    parts: list[str | Insert] = []
    start, line = 0, 1
    for found in _INSERT.finditer(source):
        text = source[start : found.start()]
        line += text.count("\n")
        try:
            expression = _expression(found[1])
        except TemplateError:
            return None  # Jinja's own words for what is wrong, with its place in the whole
        parts += [text, Insert(expression, line)]
        start = found.end()
    parts.append(source[start:])
    if any("{{" in part for part in parts if isinstance(part, str)):
        return None
    return tuple(part for part in parts if part)


@lru_cache(maxsize=4096)
def _expression(source: str) -> Expression:
    """Compile an expression, whatever names are in it: the same few stand in many rules. Raises TemplateError."""
    found = _LOOKUP.fullmatch(source)
    if found and (steps := tuple(found[1].split(".")))[0] not in _NO_NAMES:
        return Expression(source, steps, None)
    with _syntax(source):
        return Expression(source, (), sandbox("text").from_string(_expression_tree(source)))


def _expression_tree(source: str) -> nodes.Template:
    parser = Parser(sandbox("text"), source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno, None, None)
    result = nodes.Assign(nodes.Name("result", "store", lineno=1), expression, lineno=1)
    tree = nodes.Template([result], lineno=1)
    tree.set_environment(sandbox("text"))
    return bounded(tree)


@lru_cache(maxsize=1024)
def _template_tree(source: str) -> tuple[nodes.Template, frozenset[str]]:
    """Return a template's tree and the names that it does not define itself."""
    with _syntax(source):
        tree = sandbox("text").parse(source)
        return tree, frozenset(meta.find_undeclared_variables(tree))  # unknown filters and tests are found here


@lru_cache(maxsize=4096)
def _compiled_template(source: str, channel: Channel) -> JinjaTemplate:
    with _syntax(source):
        return sandbox(channel).from_string(source)


@contextmanager
def _syntax(source: str) -> Iterator[None]:
    try:
        yield
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    except RecursionError:
        raise TemplateError(f"nested too deeply: {source[:60]}…") from None


def _unknown(expression: Expression, known: Mapping[str, Shape], line: int) -> Iterable[str]:
    """Return what is wrong with the names in an expression."""
    if expression.jinja is None:
        return unknown_steps(expression.steps, known, line)
    tree, undeclared = _names_in(expression.source)
    return unknown_names(tree, undeclared, known, line)


@lru_cache(maxsize=4096)
def _names_in(source: str) -> tuple[nodes.Template, frozenset[str]]:
    tree = _expression_tree(source)
    return tree, frozenset(name.name for name in tree.find_all(nodes.Name) if name.ctx == "load")


def _refuse(faults: Iterable[str]) -> None:
    if found := list(dict.fromkeys(faults)):
        raise TemplateError("; ".join(found))


def _looked_up(steps: tuple[str, ...], context: Mapping[str, object]) -> Any:
    environment = sandbox("text")
    first = steps[0]
    value: Any = context[first] if first in context else environment.undefined(name=first)
    for step in steps[1:]:
        value = environment.getattr(value, step)
    return value


@contextmanager
def _readable(template: JinjaTemplate | None) -> Iterator[None]:
    """Translate whatever a template can raise into one line."""
    try:
        yield
    except TemplateError:
        raise
    except Exception as error:
        raise _translated(error, _line(template, error)) from error


def _translated(error: Exception, line: str) -> TemplateError:
    match error:
        case UndefinedError():
            return TemplateError(f"{line}{error.message}")
        case SecurityError():
            return TemplateError(f"{line}not allowed: {error.message}")
        case RecursionError():
            return TemplateError("nested too deeply")
        case _:
            return TemplateError(f"{line}{str(error)[:80] or type(error).__name__}")


def _line(template: JinjaTemplate | None, error: BaseException) -> str:
    if template is None:
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    if not frames or frames[-1].lineno is None:
        return ""
    return f"line {template.get_corresponding_lineno(frames[-1].lineno)}: "
