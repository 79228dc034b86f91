"""`what-if`: other rules over what happened; reads only."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final

from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from router.engine.deadline import OutOfTime
from router.service.playground import LONGEST
from router.service.problems import documented, refusal
from router.service.rulebook import Rulebook
from router.service.trials import Trials
from router.service.whatif import as_json, outcome
from router.storage.changes import ChangeFilter
from router.storage.records import Moment
from router.storage.store import Store

MOST_CHANGES: Final = 10_000
SECONDS: Final = 30.0
TOO_SLOW: Final = f"these rules take longer than {SECONDS:.0f} seconds; `langfuse-router what-if` has no such limit"
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
    trials = Trials()

    @post(
        "/what-if",
        status_code=HTTPStatus.OK,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY),
        tags=["rules"],
    )
    async def compare_rules(data: JSONBody[WhatIf]) -> dict[str, Any]:
        """Which deliveries of the stored changes would come, go or differ under other rules.

        Not `complete`: there are more changes than can be compared, or than there was time for.
        """
        try:
            return await trials.run(lambda: _compared(store, rulebook, data), SECONDS)
        except (TimeoutError, OutOfTime) as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, TOO_SLOW) from error

    return Router("/", route_handlers=[compare_rules])


def _compared(store: Store, rulebook: Rulebook, asked: WhatIf) -> dict[str, Any]:
    new = rulebook.tried(asked.rules)
    wanted = ChangeFilter(prompt=asked.prompt, since=asked.since or datetime.now(UTC) - LAST)
    changes = store.changes_matching(wanted)
    found = outcome(rulebook.ruleset, new.ruleset, islice(changes, MOST_CHANGES), keep=asked.limit)
    return {**as_json(found), "complete": found.in_time and next(changes, None) is None}
