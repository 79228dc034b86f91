"""The console: pages for people, rendered here; scripts and styles are files of ours, nothing comes from outside."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Response, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from litestar.static_files import create_static_files_router

from router.domain.text import Text
from router.service.console.deliveries import delivery_pages
from router.service.console.events import event_pages
from router.service.console.overview import overview_page
from router.service.console.page import AnyRequest, error_page
from router.service.console.playground import playground_pages
from router.service.console.prompts import prompt_pages
from router.service.console.rules import rule_pages
from router.service.console.session import guard, middleware, session_routes, to_login
from router.service.problems import status_of

if TYPE_CHECKING:
    from router.service.app import Service


def console(service: "Service", token: Text) -> Router:
    """Return the console's routes, for those who log in with `token`."""
    public_url = service.rulebook.loaded.file.server.public_url or ""
    store, rulebook = service.store, service.rulebook

    @get("/live")
    async def live() -> ServerSentEvent:
        """Say `changed` whenever a page may be out of date."""

        async def messages() -> AsyncIterator[ServerSentEventMessage]:
            async for _ in service.live.watch():
                yield ServerSentEventMessage(event="changed", data="")

        return ServerSentEvent(messages())

    pages = Router(
        "/",
        route_handlers=[
            live,
            overview_page(service),
            event_pages(service),
            delivery_pages(store, rulebook, service.acted),
            prompt_pages(store, rulebook),
            rule_pages(service),
            playground_pages(store, rulebook),
        ],
        guards=[guard],
        cache_control=CacheControlHeader(no_store=True),
    )
    logged = Router(
        "/",
        route_handlers=[session_routes(token), pages],
        middleware=middleware(token, secure=public_url.startswith("https://")),
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    return Router("/", route_handlers=[logged, _static()], include_in_schema=False)


def _static() -> Router:
    """Return the files: small, unchanging with a release, and no secret."""
    return create_static_files_router(
        "/static",
        [Path(str(files("router.service.console"))) / "static"],
        cache_control=CacheControlHeader(max_age=3600),
        include_in_schema=False,
    )


def _refused(request: AnyRequest, error: HTTPException) -> Response[Any]:
    if isinstance(error, NotAuthorizedException):
        return to_login(request)
    return error_page(request, HTTPStatus(error.status_code), error.detail)


def _failed(request: AnyRequest, error: Exception) -> Response[Any]:
    status = HTTPStatus(status_of(error))
    detail = "The router itself failed; its log says why." if status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    return error_page(request, status, detail)
