"""`/api/docs`: the OpenAPI document for people, with a viewer that is part of the program."""

from typing import Any

from litestar import Router
from litestar.connection import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

from router.service.console.page import HEADERS

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API of langfuse-router</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/vendor/swagger-ui.css">
<link rel="stylesheet" href="/static/docs.css">
<script defer src="/static/vendor/swagger-ui-bundle.js"></script>
<script defer src="/static/docs.js"></script>
</head>
<body><nav class="back" aria-label="Back"><a href="/">To the console</a></nav><div id="viewer"></div></body>
</html>
"""


class Viewer(OpenAPIRenderPlugin):
    """Swagger UI from our own files: the plugin that comes with the framework links a CDN."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return PAGE.encode()


def documents() -> Router:
    """Return where the document and its viewer stand."""
    return Router("/api", route_handlers=[], response_headers=HEADERS, include_in_schema=False)
