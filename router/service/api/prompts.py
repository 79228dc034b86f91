"""`prompts`: what the ledger knows."""

from http import HTTPStatus
from typing import Annotated

from litestar import Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter

from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit, PromptName
from router.service.problems import documented, refusal
from router.service.prompts import PromptHistory, PromptView, prompt_history, prompt_view
from router.storage.records import Page, PromptFilter
from router.storage.store import Store


def prompts(store: Store) -> Router:
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

    return Router("/prompts", route_handlers=[list_prompts, show_prompt], tags=["prompts"])
