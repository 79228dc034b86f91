"""Prompts: who holds which label now, how that came, and how any two versions differ."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.domain.problem import RouterError
from router.engine.context import prompt_url
from router.service.console.events import loosely
from router.service.console.page import AnyRequest, page, see_other
from router.service.console.timeline import BAR, LANE, timeline
from router.service.prompts import PromptHistory, compared, prompt_history, prompt_view
from router.service.rulebook import Rulebook
from router.storage.records import Holding, PromptFilter
from router.storage.store import Store

PRODUCTION = "production"
MOST_SHOWN = 50
"""Versions, and holders of one label, in the tables."""


def prompt_pages(store: Store, rulebook: Rulebook) -> Router:
    @get("/", sync_to_thread=True)
    def list_prompts(
        request: AnyRequest,
        prompt: FromQuery[str] = "",
        label: FromQuery[str] = "",
        source: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
    ) -> Response[Any]:
        chosen = {"prompt": prompt, "label": label, "source": source}
        wanted = PromptFilter(like=loosely(prompt), label=label or None, source=source or None)
        found = store.prompts(wanted, cursor=cursor or None)
        return page(
            request,
            "prompts.html",
            prompts=list(map(prompt_view, found.items)),
            next_cursor=found.next_cursor,
            chosen=chosen,
            query=urlencode({name: value for name, value in chosen.items() if value}),
            first=not cursor,
            sources=list(rulebook.ruleset.sources),
        )

    @get("/one", sync_to_thread=True)
    def show_prompt(
        request: AnyRequest,
        name: FromQuery[str],
        source: FromQuery[str] = "",
        project: FromQuery[str] = "",
        old: FromQuery[int | None] = None,
        new: FromQuery[int | None] = None,
    ) -> Response[Any]:
        wanted = PromptFilter(name=name, source=source or None, project_id=project or None)
        found = store.prompts(wanted, limit=2).items
        if not found:
            raise NotFoundException(f"Nothing is known of a prompt {name}.")
        if len(found) > 1:
            return see_other(f"/prompts?{urlencode({'prompt': name})}")
        return show(request, found[0].prompt, old, new)

    def show(request: AnyRequest, key: PromptKey, old: int | None, new: int | None) -> Response[Any]:
        detail = store.prompt(key)
        assert detail is not None, "prompts are never removed"
        history = prompt_history(detail)
        before, after = _pair(history)
        before, after = before if old is None else old, after if new is None else new
        known = rulebook.ruleset.sources.get(key.source)
        newest = max(history.prompt.versions, default=None)
        base = known.project_url if known else None
        return page(
            request,
            "prompt.html",
            history=history,
            prompt=history.prompt,
            holders={held.label: held for held in history.labels if held.now},
            labels=newest_of_each(history.labels),
            picture=timeline(history, datetime.now(UTC)),
            versions=history.versions[:MOST_SHOWN],
            lane=LANE,
            bar=BAR,
            old=before,
            new=after,
            numbers=sorted({version.version for version in history.versions}, reverse=True),
            url=None if newest is None else prompt_url(base, key.project_id, key.name, newest),
            **_comparison(detail.ledger, before, after),
        )

    return Router("/prompts", route_handlers=[list_prompts, show_prompt])


def newest_of_each(labels: Sequence[Holding]) -> list[Holding]:
    """Return the newest holders of each label: of hundreds nobody reads the table."""
    shown: dict[str, list[Holding]] = {}
    for held in labels:
        shown.setdefault(held.label, []).append(held)
    return [held for held_by in shown.values() for held in held_by[:MOST_SHOWN]]


def _pair(history: PromptHistory) -> tuple[int | None, int | None]:
    """Return which versions to compare first: what is in production with what may come next, else the newest two."""
    numbers = sorted({version.version for version in history.versions if not version.deleted}, reverse=True)
    numbers = numbers or sorted({version.version for version in history.versions}, reverse=True)
    holder = history.prompt.labels.get(PRODUCTION)
    if holder is not None and holder != numbers[0]:
        return holder, numbers[0]
    return (numbers[1], numbers[0]) if len(numbers) > 1 else (None, None)


def _comparison(ledger: Ledger, old: int | None, new: int | None) -> dict[str, object]:
    """Return how the versions differ, or why that cannot be told."""
    if old is None or new is None:
        return {"comparison": None, "why_not": ""}
    try:
        return {"comparison": compared(ledger, old, new), "why_not": ""}
    except RouterError as error:
        return {"comparison": None, "why_not": str(error)}
