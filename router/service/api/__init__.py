"""The admin API, `/api/v1`: one module per resource, all behind the bearer token."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Schema, SecurityScheme

from router.domain.text import Text
from router.service.admin import bearer_guard, query_guard
from router.service.api.deliveries import Bulk, deliveries
from router.service.api.destinations import destinations
from router.service.api.docs import Viewer, documents
from router.service.api.dry_run import DryRun, dry_run
from router.service.api.events import Again, AllAgain, events
from router.service.api.prompts import Fill, prompts
from router.service.api.reconcile import Reconcile, reconcile
from router.service.api.reload import reload
from router.service.api.rules import rules
from router.service.api.what_if import WhatIf, what_if
from router.storage.records import DeliveryFilter, EventFilter

if TYPE_CHECKING:
    from router.service.app import Service

STRICT: Final = tuple(
    one.__name__ for one in (Again, AllAgain, Bulk, DeliveryFilter, DryRun, EventFilter, Fill, Reconcile, WhatIf)
)


def api(service: "Service", token: Text) -> Router:
    """Return the routes of the API for those who bear `token`."""
    store, rulebook = service.store, service.rulebook
    return Router(
        path="/api/v1",
        route_handlers=[
            events(store, rulebook, service.acted, capture=service.capture),
            deliveries(store, rulebook, service.acted),
            prompts(store, rulebook, service.acted, capture=service.capture),
            rules(store, rulebook),
            destinations(store),
            dry_run(store, rulebook),
            what_if(store, rulebook),
            reconcile(service.reconcile),
            reload(rulebook, service.reload_now),
        ],
        guards=[bearer_guard(token), query_guard],
        security=[{"token": []}],
    )


def finish_document(app: Litestar) -> None:
    """Say in the OpenAPI document of `app` what the framework does not.

    Where unknown fields are refused, and what each route does: the framework makes a title of the function's name.
    """
    for path in (app.openapi_schema.paths or {}).values():
        for operation in (path.get, path.post):
            if operation is not None and operation.description:
                operation.summary = operation.description.partition("\n")[0].rstrip(".")
    components = app.openapi_schema.components
    assert isinstance(components, Components)
    for name in STRICT:
        schema = components.schemas[name]
        assert isinstance(schema, Schema)
        schema.additional_properties = False


def openapi() -> OpenAPIConfig:
    """Return how the API is documented: `/api/openapi.json`, and for people `/api/docs`."""
    return OpenAPIConfig(
        title="langfuse-router",
        version=version("langfuse-router"),
        description="Look at events, deliveries and prompts, and act on them.",
        openapi_router=documents(),
        render_plugins=[Viewer(path="/docs"), JsonRenderPlugin(path="/openapi.json")],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", description="The admin token.")}
        ),
        use_handler_docstrings=True,
    )
