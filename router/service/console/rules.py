"""Rules: the file in force with what each rule did, what `check` warns of, and why the last reload was refused."""

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litestar import Response, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery

from router.domain.problem import Problem, RulesError
from router.engine.lint import lint
from router.service.console.events import rows
from router.service.console.page import AnyRequest, page, see_other
from router.service.rulebook import Loaded, Rulebook
from router.service.views import rule_views
from router.storage.filters import number_of
from router.storage.records import EventFilter

if TYPE_CHECKING:
    from router.service.app import Service

ON_A_PAGE = 100
LAST_EVENTS = 10


def rule_pages(service: "Service") -> Router:
    store, rulebook = service.store, service.rulebook
    warnings = _Warnings()

    @get("/", sync_to_thread=True)
    def list_rules(
        request: AnyRequest, name: FromQuery[str] = "", cursor: FromQuery[str] = "", done: FromQuery[str] = ""
    ) -> Response[Any]:
        wanted = name.strip().lower()
        specs = [spec for spec in rulebook.loaded.file.rules if wanted in spec.name.lower()]
        first = number_of(cursor or "0")
        after = first + ON_A_PAGE
        return page(
            request,
            "rules.html",
            rulebook=rulebook,
            reload=rulebook.last_reload,
            warnings=warnings.of(rulebook),
            rules=rule_views(store, rulebook, specs[first:after]),
            held=store.windows_by_rule(),
            name=name,
            first=not first,
            next_cursor=after if after < len(specs) else None,
            done=done,
        )

    @get("/one", sync_to_thread=True)
    def show_rule(request: AnyRequest, name: FromQuery[str]) -> Response[Any]:
        file = rulebook.loaded.file
        spec = next((spec for spec in file.rules if spec.name == name), None)
        if spec is None:
            raise NotFoundException(f"There is no rule {name} in force.")
        (view,) = rule_views(store, rulebook, [spec])
        fired = store.event_lines(EventFilter(rule=name), limit=LAST_EVENTS)
        return page(
            request,
            "rule.html",
            rule=view,
            held=store.windows_by_rule().get(name, 0),
            written=file.written(spec.index),
            warnings=[problem for problem in warnings.of(rulebook) if _is_about(problem, spec.index)],
            rows=rows(fired.items, rulebook),
            more=fired.next_cursor is not None,
        )

    @post("/reload", status_code=HTTPStatus.OK)
    async def reload() -> Response[Any]:
        with suppress(RulesError):  # the page says why
            await service.reload_now()
        return see_other("/rules?done=reload")

    return Router("/rules", route_handlers=[list_rules, show_rule, reload])


class _Warnings:
    """What `check` warns of, worked out once for the rules in force."""

    def __init__(self) -> None:
        self._of: tuple[Loaded, tuple[Problem, ...]] | None = None

    def of(self, rulebook: Rulebook) -> tuple[Problem, ...]:
        loaded = rulebook.loaded
        if self._of is None or self._of[0] is not loaded:
            self._of = loaded, lint(loaded.file, loaded.ruleset)
        return self._of[1]


def _is_about(problem: Problem, index: int) -> bool:
    rule = f"rules[{index}]"
    return problem.path == rule or problem.path.startswith(f"{rule}.")
