"""`reconcile`: compare with Langfuse's API, now."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Struct

from router.domain.problem import RouterError
from router.service.problems import documented, refusal
from router.service.public_api import ApiUnavailable
from router.service.reconcile import AlreadyLooking, Look, as_json


class Reconcile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which source to look at; null: every one that has an API."""

    source: str | None = None


def reconcile(reconcile_now: Callable[[str | None], Awaitable[list[Look]]]) -> Router:
    @post(
        "/reconcile",
        status_code=HTTPStatus.OK,
        responses=documented(
            HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_GATEWAY
        ),
        tags=["prompts"],
    )
    async def reconcile_sources(data: JSONBody[Reconcile | None] = None) -> list[Any]:
        """Look at Langfuse now. What no webhook told becomes events like all others; answers when it was looked at."""
        try:
            return [as_json(look) for look in await reconcile_now(data.source if data else None)]
        except ApiUnavailable as error:
            raise refusal(HTTPStatus.BAD_GATEWAY, str(error)) from error
        except AlreadyLooking as error:
            raise refusal(HTTPStatus.CONFLICT, str(error)) from error
        except RouterError as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error

    return Router("/", route_handlers=[reconcile_sources])
