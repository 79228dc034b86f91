"""`destinations`: where messages go, what waits for them, and what went there lately."""

from http import HTTPStatus

from litestar import Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit
from router.service.problems import documented
from router.service.views import DestinationView, destination_views
from router.storage.records import Page
from router.storage.store import Store


def destinations(store: Store) -> Router:
    @get("/", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST))
    def list_destinations(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = "") -> Page[DestinationView]:
        """The destinations that the rules have, and others for which something waits, by name."""
        first = int(cursor or "0")
        found = destination_views(store)
        return Page(tuple(found[first : first + limit]), str(first + limit) if first + limit < len(found) else None)

    @get("/{name:str}", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND))
    def show_destination(name: FromPath[str]) -> DestinationView:
        """One destination; if its type changed, that of the rules in force."""
        found = [view for view in destination_views(store) if view.destination.name == name]
        if not found:
            raise NotFoundException(f"no destination {name!r}")
        return max(found, key=lambda view: view.destination.in_force)

    return Router("/destinations", route_handlers=[list_destinations, show_destination], tags=["destinations"])
