"""Logging in: the admin token once, then a cookie.

Session and CSRF secrets are derived from the token, so that every replica knows them, a restart ends no session, and
another token ends them all. Slowly: whoever sees a signed cookie could otherwise try out tokens as fast as they like.
"""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

import structlog
from litestar import Request, Response, Router, get, post
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.csrf import CSRFMiddleware
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.middleware.session.base import SessionMiddleware
from litestar.middleware.session.client_side import ClientSideSessionBackend, CookieBackendConfig
from litestar.params import QueryParameter, URLEncodedBody
from litestar.types import ASGIApp, Middleware

from router.domain.text import Text
from router.service.admin import is_token
from router.service.console.page import AnyRequest, page, see_other

log = structlog.get_logger("router.console")

LIFETIME: Final = 12 * 60 * 60
TRIES_A_MINUTE: Final = 10
"""For each address that asks."""


def middleware(token: Text, *, secure: bool) -> list[Middleware]:
    """Return what reads and writes the cookies; with `secure` browsers send them over https only.

    As functions: the framework copies routers deeply, and a cipher cannot be copied.
    """
    keys = hashlib.scrypt(token.reveal().encode(), salt=b"langfuse-router console", n=2**14, r=8, p=1, dklen=64)
    mark = hashlib.sha256(keys).hexdigest()[:8]  # routers on other ports of one host get the same cookies
    session = ClientSideSessionBackend(
        CookieBackendConfig(
            secret=keys[:32],
            key=f"router_session_{mark}",
            max_age=LIFETIME,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
    )
    csrf = CSRFConfig(
        secret=keys[32:].hex(),
        cookie_name=f"router_csrf_{mark}",
        cookie_secure=secure,
        cookie_httponly=True,
        cookie_samesite="strict",
    )

    def with_session(app: ASGIApp) -> ASGIApp:
        return SessionMiddleware(app, session)

    def with_csrf(app: ASGIApp) -> ASGIApp:
        return CSRFMiddleware(app, csrf)

    return [with_session, with_csrf]


def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Let only those in who logged in."""
    if not connection.session.get("admin"):
        raise NotAuthorizedException("log in first")


def to_login(request: AnyRequest) -> Response[Any]:
    """Send somebody who is not logged in to the login, and from there back to where they wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    login = f"/login?next={quote(wanted, safe='')}" if request.method == "GET" and wanted != "/" else "/login"
    if request.headers.get("hx-request"):
        return Response(None, status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
    if "text/html" not in request.headers.get("accept", "text/html"):
        return Response("log in first", status_code=HTTPStatus.UNAUTHORIZED, media_type="text/plain")
    return see_other(login)


def session_routes(token: Text) -> Router:
    @get("/login", sync_to_thread=True)
    def login_form(request: AnyRequest, next_: Annotated[str, QueryParameter(name="next")] = "") -> Response[Any]:
        return page(request, "login.html", next=next_, wrong=False)

    @post(
        "/login",
        status_code=HTTPStatus.OK,
        middleware=[RateLimitConfig(rate_limit=("minute", TRIES_A_MINUTE)).middleware],
    )
    async def login(
        request: Request[Any, Any, State],
        data: URLEncodedBody[dict[str, str]],
    ) -> Response[Any]:
        if not is_token(data.get("token", ""), token):
            log.warning("wrong admin token", client=request.client.host if request.client else None)
            refused = page(request, "login.html", next=data.get("next", ""), wrong=True)
            refused.status_code = HTTPStatus.UNAUTHORIZED
            return refused
        request.set_session({"admin": True})
        return see_other(_local(data.get("next", "")))

    @post("/logout", status_code=HTTPStatus.OK)
    async def logout(request: Request[Any, Any, State]) -> Response[Any]:
        request.clear_session()
        return see_other("/login")

    return Router("/", route_handlers=[login_form, login, logout])


def _local(path: str) -> str:
    """Return where to go after the login: never to another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
