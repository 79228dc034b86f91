"""What a rule test expects, held against what the plan says.

The list of expectations is exact: every message that would be sent is expected by one of them, and each of them is met.
An expectation without `to` stands for all messages of its rule. What a shadow rule would send counts only where it is
named; what an `if` skipped is not sent.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from router.domain.delivery import Mode
from router.domain.json import Json, JsonObject


class Expectation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `expect`. `json`: a part of the body, at any depth; `equals`: the whole body; `contains`: texts."""

    rule: str
    to: str | None = None
    mode: Mode = "live"
    contains: list[str] = []
    json: Json | msgspec.UnsetType = msgspec.UNSET
    equals: Json | msgspec.UnsetType = msgspec.UNSET


class Sent(Struct, frozen=True, kw_only=True):
    """One message that would be sent; `request` is what `dry-run` shows. `fault`: it could not be made."""

    rule: str
    to: str
    mode: Mode
    request: Json
    fault: str = ""


def failures(expected: Sequence[Expectation], sent: Sequence[Sent]) -> Iterator[str]:
    """Yield what differs, each as a paragraph that says what was wanted and what was found."""
    left = list(sent)
    for expectation in expected:
        mine = [one for one in left if _meant(expectation, one)]
        if not mine:
            yield f"missing: {_named(expectation)}{_instead(expectation, sent)}"
            continue
        taken = mine if expectation.to is None else [min(mine, key=lambda one: len(list(_faults(expectation, one))))]
        for one in taken:
            left.remove(one)
            yield from (f"{_named(one)}: {fault}" for fault in _faults(expectation, one))
    for one in left:
        if one.mode == "live":
            yield f"not expected: {_named(one)}{f' ({one.fault})' if one.fault else ''}"


def body_of(request: Json) -> Json:
    """Return what `json` and `equals` are held against: the body of an HTTP request, a whole mail or log line."""
    return request["body"] if isinstance(request, Mapping) and "body" in request else request


def _meant(expectation: Expectation, one: Sent) -> bool:
    return (expectation.rule, expectation.mode) == (one.rule, one.mode) and expectation.to in (None, one.to)


def _named(one: Expectation | Sent) -> str:
    return f"{one.rule}{f' → {one.to}' if one.to else ''}{' (shadow)' if one.mode == 'shadow' else ''}"


def _instead(expectation: Expectation, sent: Sequence[Sent]) -> str:
    others = [_named(one) for one in sent if one.rule == expectation.rule or one.to == expectation.to]
    return f"; there is {', '.join(others)}" if others else ""


def _faults(expectation: Expectation, one: Sent) -> Iterator[str]:
    if one.fault:
        yield one.fault
        return
    body = body_of(one.request)
    texts = list(_texts(one.request))
    for wanted in expectation.contains:
        if not any(wanted in text for text in texts):
            shown = "\n".join(f"    {line}" for line in _lines(body))
            yield f"does not contain {msgspec.json.encode(wanted).decode()}:\n{shown}"
    if not isinstance(expectation.json, msgspec.UnsetType) and not _is_part(expectation.json, body):
        yield _difference("`json` is not a part of the body", expectation.json, _shape_of(expectation.json, body))
    if not isinstance(expectation.equals, msgspec.UnsetType) and expectation.equals != body:
        yield _difference("the body is another one", expectation.equals, body)


def _is_part(part: Json, whole: Json) -> bool:
    match part, whole:
        case Mapping(), Mapping():
            return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
        case list(), list():
            return len(part) == len(whole) and all(map(_is_part, part, whole))
        case bool(), _:
            return part is whole
        case _:
            return not isinstance(whole, bool) and part == whole


def _shape_of(part: Json, whole: Json) -> Json:
    """Return of `whole` what `part` speaks of, so that a difference shows nothing else."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        found: JsonObject = {key: _shape_of(value, whole[key]) for key, value in part.items() if key in whole}
        return found
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        return [_shape_of(one, other) for one, other in zip(part, whole, strict=True)]
    return whole


def _difference(what: str, wanted: Json, got: Json) -> str:
    lines = difflib.unified_diff(_lines(wanted), _lines(got), "wanted", "got", lineterm="", n=2)
    return f"{what}\n" + "\n".join(f"    {line}" for line in lines)


def _lines(value: Json) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode().splitlines()


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for key, inner in value.items():
                yield key
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
        case None:
            return
        case _:
            yield msgspec.json.encode(value).decode()
