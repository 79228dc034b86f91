"""Events: the live list, and one event with everything that came of it."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from router.domain.change import Change
from router.domain.event import EVENT_STATUSES, EventStatus
from router.domain.json import Json
from router.engine.pair import previous
from router.engine.summary import Summary
from router.service.as_test import as_test
from router.service.console.page import AnyRequest, cut, page, pretty, see_other
from router.service.problems import refused
from router.service.prompts import Compared, contrast
from router.service.replay import Plans, Telling, act, count, events_again
from router.service.rulebook import Rulebook
from router.service.told import in_order, summary, verdicts
from router.storage.records import EventDetail, EventFilter, EventLine
from router.storage.store import Store

if TYPE_CHECKING:
    from router.service.app import Service

PERIODS: Final = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


class Row(msgspec.Struct, frozen=True):
    """A line of the list: an event and what it says."""

    line: EventLine
    summary: Summary | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an event, in words."""

    change: Change
    summary: Summary
    comparison: Compared | None


def event_pages(service: "Service") -> Router:
    store, rulebook = service.store, service.rulebook

    @get("/", sync_to_thread=True)
    def list_events(
        request: AnyRequest,
        prompt: FromQuery[str] = "",
        label: FromQuery[str] = "",
        rule: FromQuery[str] = "",
        destination: FromQuery[str] = "",
        source: FromQuery[str] = "",
        status: FromQuery[str] = "",
        period: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        live: FromQuery[str] = "on",
    ) -> Response[Any]:
        chosen = {
            "prompt": prompt,
            "label": label,
            "rule": rule,
            "destination": destination,
            "source": source,
            "status": status,
            "period": period,
        }
        wanted = EventFilter(
            source=source or None,
            status=_status(status),
            prompt=loosely(prompt),
            label=label or None,
            rule=rule or None,
            destination=destination or None,
            since=since(period),
        )
        found = store.event_lines(wanted, cursor=cursor or None)
        ruleset = rulebook.ruleset
        return page(
            request,
            "events.html",
            rows=rows(found.items, rulebook),
            next_cursor=found.next_cursor,
            chosen=chosen,
            query=urlencode({name: value for name, value in chosen.items() if value}),
            first=not cursor,
            live=live != "off" and not cursor,
            statuses=EVENT_STATUSES,
            rules=[rule.name for rule in ruleset.rules],
            destinations=list(ruleset.destinations),
            sources=list(ruleset.sources),
            periods=list(PERIODS),
        )

    @get("/{seq:int}", sync_to_thread=True)
    def show_event(request: AnyRequest, seq: FromPath[int], made: FromQuery[str] = "") -> Response[Any]:
        found = _found(store, seq)
        changes = in_order(store.changes([record.id for record in found.changes]))
        told = [_told(change, rulebook) for change in changes]
        ruleset = rulebook.ruleset
        records = {record.id: record for record in found.changes}
        first = changes[0] if changes else None
        return page(
            request,
            "event.html",
            event=found.event,
            prompt=first.prompt if first else None,
            told=told,
            verdicts=verdicts(first, records[first.id], ruleset, found.event.ruleset) if first else [],
            other_rules=found.event.ruleset not in (None, ruleset.digest),
            held=found.held,
            deliveries=found.deliveries,
            body=_readable(found.body),
            size=len(found.body),
            made=made,
        )

    @get("/{seq:int}/body", sync_to_thread=True)
    def event_body(seq: FromPath[int]) -> Response[bytes]:
        found = _found(store, seq)
        name = quote(f"{found.event.id}.json", safe="")
        return Response(
            found.body,
            media_type="application/octet-stream",
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        )

    @get("/{seq:int}/test", sync_to_thread=True)
    def event_test(seq: FromPath[int], redact: FromQuery[str] = "") -> Response[str]:
        with refused():
            exported = as_test(store, rulebook.ruleset, _found(store, seq), redacted=redact == "on")
        return Response(
            exported.text,
            media_type=MediaType.TEXT,
            headers={"Content-Disposition": f'attachment; filename="event-{seq}.test.toml"'},
        )

    @get("/{seq:int}/replay", sync_to_thread=True)
    def confirm_replay(request: AnyRequest, seq: FromPath[int], force: FromQuery[str] = "") -> Response[Any]:
        event = _found(store, seq).event
        return page(
            request,
            "replay.html",
            event=event,
            found=count(again(seq, force, datetime.now(UTC))),
            force=force == "on",
            capture=service.capture,
        )

    @post("/{seq:int}/replay", status_code=HTTPStatus.OK)
    async def replay_event(seq: FromPath[int], data: URLEncodedBody[dict[str, str]]) -> Redirect:
        now = datetime.now(UTC)
        done = await act(store, again(seq, data.get("force", ""), now), now, service.acted)
        return see_other(f"/events/{seq}?made={done.made + done.released}")

    def again(seq: int, force: str, now: datetime) -> Plans:
        return events_again(
            store, Telling(ruleset=rulebook.ruleset, force=force == "on", capture=service.capture), {seq}, now
        )

    return Router(
        "/events", route_handlers=[list_events, show_event, event_body, event_test, confirm_replay, replay_event]
    )


def rows(lines: tuple[EventLine, ...], rulebook: Rulebook) -> list[Row]:
    """Return the lines, each with the words of the change that somebody acted on."""
    found = []
    for line in lines:
        changes = in_order(line.changes)
        found.append(Row(line, summary(changes[0], rulebook.ruleset) if changes else None))
    return found


def loosely(name: str) -> str | None:
    """Return a pattern for what somebody typed: a part of the name is enough."""
    typed = name.strip()
    if not typed:
        return None
    return typed if "*" in typed else f"*{typed}*"


def since(period: str) -> datetime | None:
    return datetime.now(UTC) - PERIODS[period] if period in PERIODS else None


def _status(word: str) -> EventStatus | None:
    return next((status for status in EVENT_STATUSES if status == word), None)


def _found(store: Store, seq: int) -> EventDetail:
    found = store.event(seq)
    if found is None:
        raise NotFoundException(f"There is no event {seq}; perhaps its time of retention is over.")
    return found


def _told(change: Change, rulebook: Rulebook) -> Told:
    return Told(change=change, summary=summary(change, rulebook.ruleset), comparison=_comparison(change))


def _comparison(change: Change) -> Compared | None:
    before = previous(change, None)
    if before is None or change.version is None:
        return None
    return contrast(before.number, before.content, change.version.number, change.version.content)


def _readable(body: bytes) -> str:
    try:
        decoded: Json = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return cut(body.decode(errors="replace"))
    return pretty(decoded)
