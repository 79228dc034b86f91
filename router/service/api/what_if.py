"""`what-if`: other rules over what happened; reads only."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final

from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from router.service.playground import LONGEST
from router.service.problems import documented
from router.service.rulebook import Rulebook
from router.service.whatif import as_json, outcome
from router.storage.changes import ChangeFilter
from router.storage.records import Moment
from router.storage.store import Store

MOST_CHANGES: Final = 10_000
LAST: Final = timedelta(days=7)


class WhatIf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rules`: the text of a rules file; without `[sources]` those in force are used, and their destinations.

    `since` null: the last seven days. `limit`: most differences to show.
    """

    rules: Annotated[str, Meta(max_length=LONGEST)]
    since: Moment | None = None
    prompt: str | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 50


def what_if(store: Store, rulebook: Rulebook) -> Router:
    @post(
        "/what-if",
        status_code=HTTPStatus.OK,
        sync_to_thread=True,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY),
        tags=["rules"],
    )
    def compare_rules(data: JSONBody[WhatIf]) -> dict[str, Any]:
        """Which deliveries of the stored changes would come, go or differ under other rules."""
        new = rulebook.tried(data.rules)
        wanted = ChangeFilter(prompt=data.prompt, since=data.since or datetime.now(UTC) - LAST)
        changes = store.changes_matching(wanted)
        found = outcome(rulebook.ruleset, new.ruleset, islice(changes, MOST_CHANGES), keep=data.limit)
        return {**as_json(found), "complete": next(changes, None) is None}

    return Router("/", route_handlers=[compare_rules])
