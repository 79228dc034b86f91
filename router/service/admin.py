"""Who may see and act: whoever has the admin token."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from router.domain.text import Text
from router.engine.suggest import suggestion


def is_token(given: str, token: Text) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), token.reveal().encode())


def bears(authorization: str, token: Text) -> bool:
    """Tell whether an `Authorization` header bears the token."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and is_token(given.strip(), token)


def bearer_guard(token: Text) -> Guard:
    """Return a guard that lets only requests with the bearer token in."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if not bears(connection.headers.get("authorization", ""), token):
            raise NotAuthorizedException(
                "give the admin token: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"}
            )

    return guard


def query_guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse unknown and repeated query parameters: a mistyped filter would let everything through."""
    known = list(handler.parsed_fn_signature.parameters)
    given = [name for name, _ in connection.query_params.multi_items()]
    for name in given:
        if name not in known:
            wrong = f"unknown query parameter{suggestion(name, known)}"
        elif given.count(name) > 1:
            wrong = "given more than once"
        else:
            continue
        raise ValidationException(wrong, extra=[{"message": wrong, "key": name}])
