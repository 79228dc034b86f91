"""Free-form JSON in templates: what a body or a config does not have is absent, which is no mistake of the template."""

from typing import Any, Final

from jinja2 import ChainableUndefined


class Absent(ChainableUndefined):
    """Something that free-form JSON does not hold: falsy, empty as text, null as a value, absent all the way down."""

    __slots__ = ()


class JsonView(dict[str, Any]):
    """A JSON object whose missing keys are absent."""


_PLAIN: Final = frozenset({str, int, float, bool})


def lenient(value: Any) -> Any:
    """Return JSON with every object in it marked as free-form."""
    match value:
        case dict():
            # most of what bodies hold is plain: it is not looked at twice
            return JsonView({key: inner if type(inner) in _PLAIN else lenient(inner) for key, inner in value.items()})
        case list():
            return [lenient(inner) for inner in value]
        case None:
            return JsonView()
        case _:
            return value
