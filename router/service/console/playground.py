"""Playground: other rules and any body through the real plan, while somebody types; nothing is sent or stored."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Response, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, URLEncodedBody
from markupsafe import Markup
from msgspec import Struct

from router.domain.delivery import NewDelivery
from router.domain.event import Event
from router.domain.ledger import Ledger
from router.domain.message import SlackMessage
from router.domain.problem import RulesError
from router.domain.routing import RuleVerdict
from router.engine.deadline import OutOfTime
from router.engine.explain import nearest_first
from router.engine.preview import Preview, preview
from router.engine.summary import Summary
from router.langfuse.samples import KINDS, history, sample
from router.langfuse.wire import Unintelligible, decode
from router.service.console.events import rows
from router.service.console.page import AnyRequest, page
from router.service.console.slack import slack_html
from router.service.dry_run import as_json
from router.service.excerpt import Excerpt, excerpts
from router.service.playground import LONGEST, opening
from router.service.rulebook import Loaded, Rulebook
from router.service.told import MOST_VERDICTS, summary
from router.service.trials import Trials
from router.storage.records import EventFilter
from router.storage.store import Store

LONGEST_BODY: Final = 256 * 1024
LARGEST_FORM: Final = 4 * 1024 * 1024
"""Bytes; both texts percent-encoded."""

SECONDS: Final = 10.0
"""For one trial, waiting for its turn included: only one runs at a time."""

TOO_SLOW: Final = f"This takes longer than {SECONDS:.0f} seconds. Try fewer rules or a smaller body."

EVENTS_OFFERED: Final = 20
MOST_BEFORE: Final = 50

MOST_ACTIONS: Final = 500
"""Of all rules of a trial: each may render the whole body."""

MOST_SENDINGS: Final = 50
MOST_TEXT: Final = 1024 * 1024
"""Bytes of all requests that one page shows."""

BEFORE: Final = {"start": "what came before it", "ledger": "what is known now", "nothing": "nothing"}


class Start(Struct, frozen=True, kw_only=True):
    """What is tried at first: `name` is `event-12` or `sample-created`; `before` gives the events that came before."""

    name: str
    body: bytes
    source: str
    at: datetime
    before: Callable[[], Sequence[Event]]


class Sending(Struct, frozen=True, kw_only=True):
    """One delivery that there would be, as `dry-run` tells it, and as Slack would show it.

    `cut`: nothing more of it is shown, since there is so much already.
    """

    told: dict[str, Any]
    slack: Markup | None
    cut: bool = False


class Tried(Struct, frozen=True, kw_only=True):
    """What came of it: `problems` of the rules, or `wrong` with the body, or what would happen."""

    problems: int = 0
    places: tuple[Excerpt, ...] = ()
    wrong: str = ""
    status: str = ""
    reason: str = ""
    told: tuple[Summary, ...] = ()
    assumed: bool = False
    verdicts: tuple[RuleVerdict, ...] = ()
    more_verdicts: int = 0
    sendings: tuple[Sending, ...] = ()
    more_sendings: int = 0


def playground_pages(store: Store, rulebook: Rulebook) -> Router:
    trials = Trials()

    @get("/", sync_to_thread=True)
    def playground(request: AnyRequest, start: FromQuery[str] = "", rule: FromQuery[str] = "") -> Response[Any]:
        file = rulebook.loaded.file
        index = next((spec.index for spec in file.rules if spec.name == rule), None)
        begun = _start(store, rulebook, start or f"sample-{KINDS[1]}")
        form = {"start": begun.name, "rules": opening(file, index), "body": _text(begun.body), "before": "start"}
        return _page(request, form, None)

    @post("/", status_code=HTTPStatus.OK, request_max_body_size=LARGEST_FORM)
    async def attempt(request: AnyRequest, data: URLEncodedBody[dict[str, str]]) -> Response[Any]:
        form = {name: data.get(name, "") for name in ("start", "rules", "body", "before")}
        try:
            tried = await trials.run(lambda: _try(store, rulebook, form), SECONDS)
        except TimeoutError:
            tried = Tried(wrong=TOO_SLOW)
        return await asyncio.to_thread(_page, request, form, tried)

    def _page(request: AnyRequest, form: dict[str, str], tried: Tried | None) -> Response[Any]:
        offered = store.event_lines(EventFilter(), limit=EVENTS_OFFERED).items
        listed = {f"event-{line.event.seq}" for line in offered}
        return page(
            request,
            "playground.html",
            form=form,
            tried=tried,
            samples=KINDS,
            events=rows(offered, rulebook),
            unlisted=form["start"] if form["start"].startswith("event-") and form["start"] not in listed else None,
            befores=BEFORE,
            longest={"rules": LONGEST, "body": LONGEST_BODY},
        )

    return Router("/playground", route_handlers=[playground, attempt])


def _start(store: Store, rulebook: Rulebook, name: str) -> Start:
    """Return the start of that name. Raises NotFoundException."""
    kind, _, which = name.partition("-")
    if kind == "sample" and which in KINDS:
        source, now = next(iter(rulebook.ruleset.sources)), datetime.now(UTC)

        def story() -> list[Event]:
            return [decode(msgspec.json.encode(body), source, now) for body in history(which)]

        return Start(name=name, body=msgspec.json.encode(sample(which)), source=source, at=now, before=story)
    found = store.event(int(which)) if kind == "event" and which.isdecimal() and len(which) < 19 else None
    if found is None:
        raise NotFoundException(f"There is no {name} to start from.")
    event = found.event
    return Start(
        name=name,
        body=found.body,
        source=event.source,
        at=event.received_at,
        before=lambda: store.events_before(event.seq, MOST_BEFORE),
    )


def _try(store: Store, rulebook: Rulebook, form: dict[str, str]) -> Tried:
    """Put the body through the real plan under the rules that were typed."""
    for name, longest in (("rules", LONGEST), ("body", LONGEST_BODY)):
        if len(form[name]) > longest:
            return Tried(wrong=f"The {name} may have at most {longest:,} characters here.")
    start = _start(store, rulebook, form["start"])
    try:
        event = decode(form["body"].encode(errors="replace"), start.source, start.at)
    except Unintelligible as error:
        return Tried(wrong=f"The body is no webhook body: {error.why}.")
    before = start.before() if form["before"] == "start" else ()
    known = _known(store, event) if form["before"] == "ledger" else None
    try:
        loaded = rulebook.tried(form["rules"])
        if sum(len(rule.actions) for rule in loaded.ruleset.rules) > MOST_ACTIONS:
            return Tried(wrong=f"The rules may have at most {MOST_ACTIONS} actions here.")
        return _tried(preview(loaded.ruleset, event, before, known), loaded)
    except OutOfTime:
        return Tried(wrong=TOO_SLOW)
    except RulesError as error:
        lines = excerpts(error.problems, lambda _: form["rules"])
        return Tried(problems=len(error.problems), places=lines)


def _known(store: Store, event: Event) -> Ledger | None:
    return store.whole_ledger(event.prompt) if event.prompt else None


def _tried(result: Preview, loaded: Loaded) -> Tried:
    ruleset = loaded.ruleset
    verdicts = nearest_first(result.plan.verdicts[result.changes[0].id]) if result.changes else []
    told = as_json(result, ruleset)["deliveries"]
    assert isinstance(told, list)
    return Tried(
        status=result.status,
        reason=result.reason,
        told=tuple(summary(change, ruleset) for change in result.changes if not change.half),
        assumed=any(change.assumed for change in result.changes),
        verdicts=tuple(verdicts[:MOST_VERDICTS]),
        more_verdicts=max(0, len(verdicts) - MOST_VERDICTS),
        sendings=tuple(_sendings(told[:MOST_SENDINGS], result.plan.deliveries)),
        more_sendings=max(0, len(told) - MOST_SENDINGS),
    )


def _sendings(told: Sequence[dict[str, Any]], deliveries: Sequence[NewDelivery]) -> Iterator[Sending]:
    left = MOST_TEXT
    for one, delivery in zip(told, deliveries, strict=False):
        left -= len(msgspec.json.encode(one["request"]))
        if left < 0:
            yield Sending(told=one | {"request": None}, slack=None, cut=True)
        else:
            message = delivery.message
            yield Sending(told=one, slack=slack_html(message) if isinstance(message, SlackMessage) else None)


def _text(body: bytes) -> str:
    """Return a body for editing."""
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")
