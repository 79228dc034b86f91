"""`events`: what arrived, and what became of it."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, TypeAlias

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from router.domain.event import EventStatus
from router.domain.json import Json
from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit, PromptName, Since, Until, moment
from router.service.as_test import as_test
from router.service.problems import documented, refused
from router.service.replay import Counted, Telling, act, events_again
from router.service.rulebook import Rulebook
from router.storage.records import ChangeRecord, DeliveryRecord, EventDetail, EventFilter, EventRecord, HeldRecord, Page
from router.storage.store import Store

EventId: TypeAlias = Annotated[str, PathParameter(description="The event's id, or its number (`seq`).")]
OfSource: TypeAlias = Annotated[str, QueryParameter(description="Its source, where several have an event of this id.")]


class EventView(Struct, frozen=True, kw_only=True):
    """An event with all that came of it. `body` is null where it is not JSON; `…/body` has the bytes."""

    event: EventRecord
    body: Json
    changes: tuple[ChangeRecord, ...]
    held: tuple[HeldRecord, ...]
    deliveries: tuple[DeliveryRecord, ...]


class Again(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which rules it is told again (null: all that match); `force`: also what was made before, under a new key.

    With `dry_run` it is only counted.
    """

    rules: tuple[str, ...] | None = None
    force: bool = False
    dry_run: bool = False


class AllAgain(Again, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, of all events that the filter matches."""

    filter: EventFilter


def events(store: Store, rulebook: Rulebook, acted: Callable[[], None], *, capture: bool) -> Router:
    """`acted` is called after deliveries were made; with `capture` they are not sent."""

    @get("/", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST))
    def list_events(
        source: FromQuery[str] = "",
        type: Annotated[str, QueryParameter(description="The event's type.")] = "",
        status: FromQuery[EventStatus | None] = None,
        prompt: PromptName = "",
        label: Annotated[str, QueryParameter(description="A label that was gained or lost.")] = "",
        rule: Annotated[str, QueryParameter(description="A rule that fired.")] = "",
        destination: Annotated[str, QueryParameter(description="Something was planned for it.")] = "",
        since: Since = None,
        until: Until = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = "",
    ) -> Page[EventRecord]:
        """Events by filter, the newest first."""
        wanted = EventFilter(
            source=source or None,
            type=type or None,
            status=status,
            prompt=prompt or None,
            label=label or None,
            rule=rule or None,
            destination=destination or None,
            since=moment(since, "since"),
            until=moment(until, "until"),
        )
        return store.events(wanted, limit=limit, cursor=cursor or None)

    @get("/{id:str}", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND))
    def show_event(id: EventId, source: OfSource = "") -> EventView:
        """One event: its body, what it changed, what each rule said, and its deliveries."""
        found = _found(store, id, source)
        return EventView(
            event=found.event,
            body=_json(found.body),
            changes=found.changes,
            held=found.held,
            deliveries=found.deliveries,
        )

    @get(
        "/{id:str}/body",
        sync_to_thread=True,
        media_type="application/octet-stream",
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
    )
    def event_body(id: EventId, source: OfSource = "") -> Response[bytes]:
        """The body, byte for byte as it was received."""
        return Response(_found(store, id, source).body, media_type="application/octet-stream")

    @get(
        "/{id:str}/test",
        sync_to_thread=True,
        media_type=MediaType.TEXT,
        responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    )
    def event_test(
        id: EventId,
        source: OfSource = "",
        redact: Annotated[bool, QueryParameter(description="Replace texts, people, ids and names.")] = False,
    ) -> Response[str]:
        """The event as a rule test in TOML, which passes with the rules in force."""
        found = _found(store, id, source)
        with refused():
            exported = as_test(store, rulebook.ruleset, found, redacted=redact)
        return Response(exported.text, media_type=MediaType.TEXT)

    @post("/{id:str}/replay", status_code=HTTPStatus.OK, responses=_REPLAY)
    async def replay_event(id: EventId, data: JSONBody[Again | None] = None, source: OfSource = "") -> Counted:
        """Tell again what the event changed, as it was derived; deliveries that are there are left alone."""
        found = await asyncio.to_thread(_found, store, id, source)
        return await replay(data or Again(), [found.event.seq])

    @post("/replay", status_code=HTTPStatus.OK, responses=_REPLAY)
    async def replay_events(data: JSONBody[AllAgain]) -> Counted:
        """Tell again what all those events changed."""
        return await replay(data, data.filter)

    async def replay(how: Again, wanted: EventFilter | Collection[int]) -> Counted:
        rules = None if how.rules is None else frozenset(how.rules)
        with refused():
            telling = Telling(ruleset=rulebook.ruleset, rules=rules, force=how.force, capture=capture)
        now = datetime.now(UTC)
        return await act(store, events_again(store, telling, wanted, now), now, acted, dry_run=how.dry_run)

    return Router(
        "/events",
        route_handlers=[list_events, show_event, event_body, event_test, replay_event, replay_events],
        tags=["events"],
    )


_REPLAY = documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


def _found(store: Store, id: str, source: str) -> EventDetail:
    found = store.event(id, source=source or None)
    if found is None and id.isascii() and id.isdecimal() and len(id) < 19:
        found = store.event(int(id), source=source or None)
    if found is None:
        raise NotFoundException(f"no event {id} in the store")
    return found


def _json(body: bytes) -> Json:
    try:
        decoded: Json = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    return decoded
