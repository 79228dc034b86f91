"""`rules`: the rules in force, and what they did lately."""

from http import HTTPStatus

from litestar import Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit
from router.service.problems import documented
from router.service.rulebook import Rulebook
from router.service.views import RuleView, rule_views
from router.storage.records import Page
from router.storage.store import Store


def rules(store: Store, rulebook: Rulebook) -> Router:
    @get("/", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST))
    def list_rules(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = "") -> Page[RuleView]:
        """The rules in force, in the order of the file."""
        first = int(cursor or "0")
        specs = rulebook.loaded.file.rules
        views = rule_views(store, rulebook, specs[first : first + limit])
        return Page(views, str(first + limit) if first + limit < len(specs) else None)

    @get("/{name:path}", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND))
    def show_rule(name: FromPath[str]) -> RuleView:
        """One rule."""
        wanted = name.removeprefix("/")
        for view in rule_views(store, rulebook, [spec for spec in rulebook.loaded.file.rules if spec.name == wanted]):
            return view
        raise NotFoundException(f"no rule {wanted!r} in force")

    return Router("/rules", route_handlers=[list_rules, show_rule], tags=["rules"])
