"""`reload`: read the rules file again, now."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from litestar import Router, post
from msgspec import Struct

from router.service.problems import documented
from router.service.rulebook import Rulebook


class Reloaded(Struct, frozen=True, kw_only=True):
    """The rules that are now in force."""

    file: str
    rules: int
    digest: str


def reload(rulebook: Rulebook, reload_now: Callable[[], Awaitable[None]]) -> Router:
    @post(
        "/reload",
        status_code=HTTPStatus.OK,
        responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
        tags=["rules"],
    )
    async def reload_rules() -> Reloaded:
        """Put in force what the rules file says now; if anything in it is wrong, nothing changes."""
        await reload_now()
        ruleset = rulebook.ruleset
        return Reloaded(file=rulebook.path, rules=len(ruleset.rules), digest=ruleset.digest)

    return Router("/", route_handlers=[reload_rules])
