"""`prompts`: what the ledger knows."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from litestar import Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit, PromptName
from router.service.problems import documented, refusal, refused
from router.service.prompts import PromptHistory, PromptView, prompt_history, prompt_view
from router.service.replay import Counted, Telling, act, prompts_told
from router.service.rulebook import Rulebook
from router.storage.records import Page, PromptFilter
from router.storage.store import Store


class Fill(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rule is told the present state of which prompts (null: any); in `prompt`, `*` stands for any characters.

    `force`: also what it was told before, under a new key. With `dry_run` it is only counted.
    """

    rule: str
    source: str | None = None
    project: str | None = None
    prompt: str | None = None
    label: str | None = None
    force: bool = False
    dry_run: bool = False


def prompts(store: Store, rulebook: Rulebook, acted: Callable[[], None], *, capture: bool) -> Router:
    """`acted` is called after deliveries were made; with `capture` they are not sent."""

    @get("/", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND))
    def list_prompts(
        source: FromQuery[str] = "",
        project: Annotated[str, QueryParameter(description="The id of the Langfuse project.")] = "",
        prompt: PromptName = "",
        label: Annotated[str, QueryParameter(description="A label that one of its versions holds now.")] = "",
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = "",
    ) -> Page[PromptView]:
        """Prompts by filter, with who holds which label now, in the order of their names."""
        wanted = PromptFilter(
            source=source or None, project_id=project or None, like=prompt or None, label=label or None
        )
        page = store.prompts(wanted, limit=limit, cursor=cursor or None)
        return Page(tuple(map(prompt_view, page.items)), page.next_cursor)

    @get(
        "/{name:path}",
        sync_to_thread=True,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    def show_prompt(
        name: FromPath[str],
        source: FromQuery[str] = "",
        project: Annotated[str, QueryParameter(description="The id of the Langfuse project.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="At most so many changes.")] = DEFAULT_LIMIT,
    ) -> PromptHistory:
        """One prompt: its versions, who holds and held its labels, and what changed when."""
        named = name.removeprefix("/")
        wanted = PromptFilter(source=source or None, project_id=project or None, name=named)
        found = store.prompts(wanted, limit=10).items
        if not found:
            raise NotFoundException(f"no prompt {named} in the store")
        if len(found) > 1:
            places = ", ".join(f"{one.prompt.source} {one.prompt.project_id}" for one in found)
            raise refusal(HTTPStatus.CONFLICT, f"there are several: say which source and project of {places}")
        detail = store.prompt(found[0].prompt, limit=limit)
        assert detail is not None, "prompts are never removed"
        return prompt_history(detail)

    @post(
        "/replay",
        status_code=HTTPStatus.OK,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY),
    )
    async def replay_prompts(data: JSONBody[Fill]) -> Counted:
        """Tell a rule the present state of prompts: every version that is left, with the origin `backfill`."""
        with refused():
            telling = Telling(ruleset=rulebook.ruleset, rules=frozenset({data.rule}), force=data.force, capture=capture)
        wanted = PromptFilter(source=data.source, project_id=data.project, like=data.prompt, label=data.label)
        now = datetime.now(UTC)
        return await act(store, prompts_told(store, telling, wanted, now), now, acted, dry_run=data.dry_run)

    return Router("/prompts", route_handlers=[list_prompts, show_prompt, replay_prompts], tags=["prompts"])
