"""The API keeps what its document promises."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from litestar.types import ASGIApp
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from router.domain.text import Text
from router.service.app import Service, public_app
from router.service.outside import Disk
from router.service.rulebook import Rulebook
from router.storage.store import Store
from tests.service.conftest import HOOK, RULES, TOKEN

MORE_THAN_A_SCHEMA_SAYS = {
    f"/api/v1/{name}"
    for name in ("dry-run", "what-if", "reconcile", "events/replay", "events/{id}/replay", "prompts/replay")
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ASGIApp]:
    folder = tmp_path_factory.mktemp("openapi")
    rules = folder / "rules.toml"
    rules.write_text(RULES.replace("SLACK", "https://hooks.slack.example.com"))
    outside = Disk({"LANGFUSE_WEBHOOK_SECRET": "s", "TOKEN": TOKEN, "HOOK": HOOK})
    with Store.open(f"sqlite:///{folder}/router.db", serve=True) as store:
        service = Service(Rulebook(str(rules), outside, missing="error"), store, capture=True, token=Text.secret(TOKEN))
        yield public_app(service, with_admin=True)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_that_the_document_allows_or_forbids_breaks_it(app: ASGIApp, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert {operation.path for operation in operations} >= {
        "/api/v1/events",
        "/api/v1/deliveries/retry",
        "/api/v1/events/{id}/test",
    } | MORE_THAN_A_SCHEMA_SAYS
    for operation in operations:

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            # whether it is a webhook's body, a rules file, a rule in force or a source is more than a schema says
            excluded = [positive_data_acceptance] if case.operation.path in MORE_THAN_A_SCHEMA_SAYS else []
            if any(value in ([], {}, None) for value in (case.query or {}).values()):
                excluded.append(negative_data_rejection)  # what is wrong with it cannot be written in a URL
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=excluded)

        holds()
