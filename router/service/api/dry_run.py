"""`dry-run`: a webhook body through the real plan; nothing is sent and nothing is stored."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Struct

from router.domain.event import Event
from router.domain.json import JsonObject
from router.engine.preview import preview
from router.langfuse.wire import Unintelligible, decode
from router.service.dry_run import as_json
from router.service.problems import documented, refusal
from router.service.rulebook import Rulebook
from router.storage.records import Moment
from router.storage.store import Store


class DryRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`body` as Langfuse sends it, received from `source` (null: the first of the rules file) `at` a time (null: now).

    `previous` bodies are applied first, in order, on top of what is `known`: nothing, or what the ledger knows now.
    """

    body: JsonObject
    previous: tuple[JsonObject, ...] = ()
    source: str | None = None
    at: Moment | None = None
    known: Literal["nothing", "ledger"] = "nothing"


def dry_run(store: Store, rulebook: Rulebook) -> Router:
    @post(
        "/dry-run",
        status_code=HTTPStatus.OK,
        sync_to_thread=True,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY),
        tags=["rules"],
    )
    def try_body(data: JSONBody[DryRun]) -> dict[str, Any]:
        """What a webhook body would do: the change, each rule with each clause, the exact requests."""
        ruleset = rulebook.ruleset
        source = data.source or next(iter(ruleset.sources))
        if source not in ruleset.sources:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no source named {source!r} in the rules file")
        now = data.at or datetime.now(UTC)
        event = _event(data.body, source, now, "body")
        previous = [_event(body, source, now, f"previous[{place}]") for place, body in enumerate(data.previous)]
        known = store.whole_ledger(event.prompt) if data.known == "ledger" and event.prompt else None
        return as_json(preview(ruleset, event, previous, known), ruleset)

    return Router("/", route_handlers=[try_body])


def _event(body: JsonObject, source: str, now: datetime, what: str) -> Event:
    try:
        return decode(msgspec.json.encode(body), source, now)
    except Unintelligible as error:
        raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{what} is no webhook body: {error.why}") from error
