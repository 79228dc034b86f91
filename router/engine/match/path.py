"""JSONPath over a body, compiled once, without the parts of the library's language that know no limit."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from jsonpath_ng import Child, DatumInContext, Descendants, Fields, Index, JSONPath, Root, Slice, This, Wildcard
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.filter import And, Expression, Filter, Or
from jsonpath_ng.ext.iterable import Keys, Len
from jsonpath_ng.ext.parser import parse
from jsonpath_ng.ext.string import DefintionInvalid
from msgspec import Struct

from router.domain.json import Json
from router.domain.problem import RouterError
from router.engine.match.pattern import LENGTH, PatternError
from router.engine.template.budget import begin, spend

Found = TypeVar("Found")

STEPS: Final = 100
_SIMPLE: Final = frozenset((Root, This, Fields, Index, Slice, Wildcard, Len, Keys))


class PathError(RouterError):
    """A search went wrong or took too long. The text says how."""


class JsonPath(Struct, frozen=True):
    """A compiled JSONPath."""

    source: str
    compiled: JSONPath

    def nodes(self, body: Json) -> list[Json]:
        """Return every node that the path finds. Raises PathError."""
        return self._search(body, lambda found: [node.value for node in found])

    def placed(self, body: Json) -> dict[str, Json]:
        """Return every node that the path finds by its place in the body. Raises PathError."""
        return self._search(body, lambda found: {str(node.full_path): node.value for node in found})

    def _search(self, body: Json, read: Callable[[list[DatumInContext]], Found]) -> Found:
        begin()
        try:
            return read(self.compiled.find(body))
        except RouterError as error:
            raise PathError(f"the search was given up: {error}") from error
        except Exception as error:  # the library's filters compare and call whatever they find
            raise PathError(f"the search failed: {str(error)[:80] or type(error).__name__}") from error


@lru_cache(maxsize=4096)
def compile_path(source: str) -> JsonPath:
    """Compile a JSONPath that begins with `$`. Raises PatternError."""
    if not source.startswith("$"):
        raise PatternError('a path begins with "$", as in $.prompt.config.model')
    if len(source) > LENGTH:
        raise PatternError(f"a path of {len(source):,} characters; at most {LENGTH:,} are allowed")
    try:
        parsed = parse(source)
    except (JSONPathError, DefintionInvalid, ValueError) as error:
        raise PatternError(f"not a JSONPath: {str(error)[:200]}") from error
    except RecursionError as error:
        raise PatternError("a path that is nested too deeply") from error
    return JsonPath(source, _counted(parsed))


def _counted(node: JSONPath, depth: int = 0) -> JSONPath:
    """Return the path with every step under the budget. Raises PatternError for what knows no limit."""
    if depth > STEPS:
        raise PatternError(f"a path of more than {STEPS} steps")
    if type(node) in _SIMPLE:
        return node
    match node:
        case Child() | Descendants():
            return type(node)(_counted(node.left, depth + 1), _Counted(_counted(node.right, depth + 1)))
        case Filter():
            return Filter([_counted(expression, depth + 1) for expression in node.expressions])
        case And() | Or():
            return type(node)([_counted(operand, depth + 1) for operand in node.operands])
        case Expression(op="=~"):
            raise PatternError("`=~` in a filter knows no time limit; use the operator `regex` beside `path`")
        case Expression(value=JSONPath() as other):
            return Expression(_Counted(_counted(node.target, depth + 1)), node.op, _counted(other, depth + 1))
        case Expression():
            return Expression(_Counted(_counted(node.target, depth + 1)), node.op, node.value)
    raise PatternError(f"`{type(node).__name__.strip('_').lower()}` is not supported in paths; see `when`")


class _Counted(JSONPath):
    """A step of a path; every node that it finds is counted."""

    def __init__(self, right: JSONPath) -> None:
        self.right = right  # by this name the library's filters look for a `$` in it

    def find(self, data: object) -> list[DatumInContext]:
        spend()
        found = self.right.find(data)
        for _ in found:
            spend()
        return found
