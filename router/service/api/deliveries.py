"""`deliveries`: what was sent, what waits, what was given up; sending it again, or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated

from litestar import Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from router.domain.json import Json
from router.service.api.parameters import DEFAULT_LIMIT, Cursor, Limit, PromptName, Since, Until, moment
from router.service.problems import documented, refusal
from router.service.rulebook import Rulebook
from router.service.views import CANCEL, RETRY, Act, request_now
from router.storage.records import (
    AttemptRecord,
    DeliveryDetail,
    DeliveryFilter,
    DeliveryRecord,
    EventRecord,
    Page,
    WantedStatus,
)
from router.storage.store import Store


class DeliveryView(Struct, frozen=True, kw_only=True):
    """A delivery with its attempts. `request` is what would go out now, secrets masked; null: nothing could."""

    delivery: DeliveryRecord
    request: Json
    attempts: tuple[AttemptRecord, ...]
    events: tuple[EventRecord, ...]


class Bulk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to act on; with `dry_run` they are only counted."""

    filter: DeliveryFilter
    dry_run: bool = False


class Acted(Struct, frozen=True, kw_only=True):
    """How many deliveries could be acted on, and how many were."""

    matched: int
    changed: int


def deliveries(store: Store, rulebook: Rulebook, acted: Callable[[], None]) -> Router:
    """`acted` is called after deliveries were made to wait again, or to end."""

    @get("/", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST))
    def list_deliveries(
        destination: FromQuery[str] = "",
        status: FromQuery[WantedStatus | None] = None,
        rule: FromQuery[str] = "",
        prompt: PromptName = "",
        source: Annotated[str, QueryParameter(description="The source of the events.")] = "",
        label: Annotated[str, QueryParameter(description="A label that was gained or lost.")] = "",
        since: Since = None,
        until: Until = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = "",
    ) -> Page[DeliveryRecord]:
        """Deliveries by filter, the newest first."""
        wanted = DeliveryFilter(
            destination=destination or None,
            status=status,
            rule=rule or None,
            prompt=prompt or None,
            source=source or None,
            label=label or None,
            since=moment(since, "since"),
            until=moment(until, "until"),
        )
        return store.deliveries(wanted, limit=limit, cursor=cursor or None)

    @get("/{key:str}", sync_to_thread=True, responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND))
    def show_delivery(key: FromPath[str]) -> DeliveryView:
        """One delivery: the exact request with its secrets masked, and each attempt with its answer."""
        found = _found(store, key)
        return DeliveryView(
            delivery=found.delivery,
            request=request_now(found, rulebook.destinations),
            attempts=found.attempts,
            events=found.events,
        )

    @post("/{key:str}/retry", status_code=HTTPStatus.OK, responses=_ACTION)
    async def retry_delivery(key: FromPath[str]) -> DeliveryRecord:
        """Send a delivery that is dead, captured or waits for its next attempt now, under its old key."""
        done = await asyncio.wrap_future(RETRY.do(store, [key]))
        return await ended(key, done, "neither dead nor captured nor between two attempts, or without a message")

    @post("/{key:str}/cancel", status_code=HTTPStatus.OK, responses=_ACTION)
    async def cancel_delivery(key: FromPath[str]) -> DeliveryRecord:
        """Give up a waiting delivery, or dismiss a dead or captured one."""
        done = await asyncio.wrap_future(CANCEL.do(store, [key]))
        return await ended(key, done, "neither waiting nor dead nor captured")

    async def ended(key: str, done: Sequence[str], otherwise: str) -> DeliveryRecord:
        found = (await asyncio.to_thread(_found, store, key)).delivery
        if not done:
            raise refusal(HTTPStatus.CONFLICT, f"the delivery is {found.status}: {otherwise}")
        acted()
        return found

    @post("/retry", status_code=HTTPStatus.OK, responses=documented(HTTPStatus.BAD_REQUEST))
    async def retry_deliveries(data: JSONBody[Bulk]) -> Acted:
        """Send all dead deliveries that the filter matches again; captured or retrying ones if it says so."""
        return await act_on_all(data, RETRY)

    @post("/cancel", status_code=HTTPStatus.OK, responses=documented(HTTPStatus.BAD_REQUEST))
    async def cancel_deliveries(data: JSONBody[Bulk]) -> Acted:
        """Give up all waiting deliveries that the filter matches; dismiss dead or captured ones if it says so."""
        return await act_on_all(data, CANCEL)

    async def act_on_all(data: Bulk, act: Act) -> Acted:
        keys = await asyncio.to_thread(act.keys, store, data.filter)
        if data.dry_run:
            return Acted(matched=len(keys), changed=0)
        done = await asyncio.wrap_future(act.do(store, keys))
        acted()
        return Acted(matched=len(keys), changed=len(done))

    return Router(
        "/deliveries",
        route_handlers=[
            list_deliveries,
            show_delivery,
            retry_delivery,
            cancel_delivery,
            retry_deliveries,
            cancel_deliveries,
        ],
        tags=["deliveries"],
    )


_ACTION = documented(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def _found(store: Store, key: str) -> DeliveryDetail:
    found = store.delivery(key)
    if found is None:
        raise NotFoundException(f"no delivery {key} in the store")
    return found
