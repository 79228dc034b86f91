"""HTTP requests."""

import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote

from msgspec import Struct

from router.domain.json import Json, JsonObject
from router.domain.message import FormBody, HttpMessage, JsonBody, RawBody
from router.engine.context import Context
from router.engine.expect import compile_expected
from router.engine.rulesfile.spec import METHODS
from router.engine.template import Template, Tree
from router.engine.writers.json_body import json_body
from router.engine.writers.reader import Reader, compact
from router.engine.writers.scene import MessageError, Scene


class HttpWriter(Struct, frozen=True, kw_only=True):
    method: str
    path: Template | None
    query: dict[str, Template]
    headers: dict[str, Template]
    body: tuple[str, Tree] | None
    status: tuple[int, ...]
    where: tuple[JsonObject, ...]

    def message(self, scene: Scene) -> HttpMessage:
        return HttpMessage(
            method=self.method,
            path=checked_path(self.path, scene.context) if self.path else "",
            query={name: value.render(scene.context) for name, value in self.query.items()},
            headers={name: value.render(scene.context) for name, value in self.headers.items()},
            body=self._body(scene),
            status=self.status,
            where=self.where,
            templated_path=self.path is not None and not self.path.static,
        )

    def _body(self, scene: Scene) -> JsonBody | FormBody | RawBody:
        if self.body is None:
            return JsonBody.of(json_body(scene.context))
        kind, tree = self.body
        value = tree.render(scene.context)
        match kind:
            case "json":
                return JsonBody.of(value)
            case "form":
                return FormBody(dict(cast("Mapping[str, Json]", value)))
            case _:
                return RawBody("" if value is None else value if isinstance(value, str) else compact(value))


def http_writer(reader: Reader) -> HttpWriter:
    bodies = [kind for kind in ("json", "form", "body") if reader.has(kind)]
    if len(bodies) > 1:
        reader.fault((bodies[1],), f"one body only: `{bodies[0]}` is given as well")
    body: tuple[str, Tree] | None = None
    if bodies:
        kind = bodies[0]
        tree = reader.tree(kind, "text", {"json": object, "form": dict, "body": str}[kind])
        body = (kind, tree) if tree else None
    headers = reader.templates("headers", "header")
    for name in headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            reader.fault(("headers", name), "not a header name")
    status, where = _expected(reader)
    return HttpWriter(
        method=reader.choice("method", METHODS, "POST"),
        path=reader.template("path", "path"),
        query=reader.templates("query", "text"),
        headers=headers,
        body=body,
        status=status,
        where=where,
    )


def _expected(reader: Reader) -> tuple[tuple[int, ...], tuple[JsonObject, ...]]:
    """Return which answers count: their status (none: every 2xx), and what their JSON must say."""
    expect = reader.merged.get("expect")
    if expect is None:
        return (), ()
    if not isinstance(expect, dict) or not expect or expect.keys() - {"status", "where"}:
        reader.fault(("expect",), "expected { status = [200, …], where = […] }, or one of the two")
        return (), ()
    where = compile_expected(expect["where"], ("expect", "where"), reader.fault) if "where" in expect else ()
    return _expected_status(reader, expect["status"]) if "status" in expect else (), where


def _expected_status(reader: Reader, status: Json) -> tuple[int, ...]:
    codes = status if isinstance(status, list) else [status]
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        reader.fault(("expect", "status"), "expected a list of HTTP status codes such as [200, 409]")
        return ()
    return tuple(cast("list[int]", codes))


def checked_path(template: Template, context: Context) -> str:
    """Return the rendered path. What a template inserted may not climb, vanish or hide in it."""
    path = template.render(context)
    if template.static:
        return path
    for segment in path.strip("/").split("/"):
        name = unquote(segment)
        if name in ("", ".", "..") or any(ord(character) < 32 or ord(character) == 127 for character in name):
            raise MessageError(
                f"the path `{path[:200]}` has a segment that is empty, `.`, `..` or has control characters"
            )
    return path
