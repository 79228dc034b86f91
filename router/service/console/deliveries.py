"""Deliveries: by state, one with its request and attempts, and acting on them, on many only after they were counted."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, URLEncodedBody
from msgspec import Struct

from router.domain.message import DestinationType, EmailMessage, SlackMessage
from router.service.console.events import PERIODS, loosely, since
from router.service.console.page import AnyRequest, page, see_other
from router.service.console.slack import slack_html
from router.service.rulebook import Rulebook
from router.service.views import CANCEL, RETRY, Act, request_now
from router.storage.records import WANTED_STATUSES, DeliveryDetail, DeliveryFilter, DestinationRecord
from router.storage.store import Store

MAIL_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""For a mail's own HTML: styles in it are shown, nothing in it runs or loads."""


ACTS: Final = {"retry": RETRY, "cancel": CANCEL}


class Bound(Struct, frozen=True, kw_only=True):
    """How many of those that somebody acts on are for one destination, how that is (None: gone), and their list.

    `empty`: so many beside them have no message that could be sent.
    """

    name: str
    type: DestinationType
    count: int
    empty: int
    line: DestinationRecord | None
    query: str


def delivery_pages(store: Store, rulebook: Rulebook, acted: Callable[[], None]) -> Router:
    @get("/", sync_to_thread=True)
    def list_deliveries(
        request: AnyRequest,
        status: FromQuery[str] = "",
        destination: FromQuery[str] = "",
        rule: FromQuery[str] = "",
        prompt: FromQuery[str] = "",
        label: FromQuery[str] = "",
        source: FromQuery[str] = "",
        period: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        done: FromQuery[str] = "",
        live: FromQuery[str] = "on",
    ) -> Response[Any]:
        chosen = {
            "status": status,
            "destination": destination,
            "rule": rule,
            "prompt": prompt,
            "label": label,
            "source": source,
            "period": period,
        }
        found = store.deliveries(_filter(chosen), cursor=cursor or None)
        ruleset = rulebook.ruleset
        return page(
            request,
            "deliveries.html",
            deliveries=found.items,
            next_cursor=found.next_cursor,
            chosen=chosen,
            query=urlencode({name: value for name, value in chosen.items() if value}),
            first=not cursor,
            live=live != "off" and not cursor,
            done=done,
            statuses=WANTED_STATUSES,
            rules=[rule.name for rule in ruleset.rules],
            destinations=list(ruleset.destinations),
            sources=list(ruleset.sources),
            periods=list(PERIODS),
            acts=[name for name, act in ACTS.items() if status in ("", act.usual, *act.possible)],
        )

    @get("/{key:str}", sync_to_thread=True)
    def show_delivery(request: AnyRequest, key: FromPath[str], done: FromQuery[str] = "") -> Response[Any]:
        found = _found(store, key)
        destination = rulebook.destinations.get(found.delivery.destination)
        message = found.message
        return page(
            request,
            "delivery.html",
            delivery=found.delivery,
            attempts=found.attempts,
            events=found.events,
            outgoing=request_now(found, rulebook.destinations),
            gone=destination is None or destination.type != found.delivery.type,
            slack=slack_html(message) if isinstance(message, SlackMessage) else None,
            mail=message if isinstance(message, EmailMessage) else None,
            can_retry=found.delivery.status in RETRY.possible and message is not None,
            can_cancel=found.delivery.status in CANCEL.possible,
            done=done,
        )

    @get("/{key:str}/mail", sync_to_thread=True)
    def mail_html(key: FromPath[str]) -> Response[str]:
        message = _found(store, key).message
        if not isinstance(message, EmailMessage) or message.html is None:
            raise NotFoundException("This delivery has no HTML part.")
        return Response(message.html, media_type="text/html", headers={"Content-Security-Policy": MAIL_POLICY})

    @post("/{key:str}/{name:str}", status_code=HTTPStatus.OK)
    async def act(key: FromPath[str], name: FromPath[str]) -> Response[Any]:
        if name not in ACTS:
            raise NotFoundException()
        done = await asyncio.wrap_future(ACTS[name].do(store, [key]))
        acted()
        word = name if done else "nothing"
        return see_other(f"/deliveries/{key}?done={word}")

    @get("/all/{name:str}", sync_to_thread=True)
    def confirm(request: AnyRequest, name: FromPath[str]) -> Response[Any]:
        chosen = _chosen(dict(request.query_params))
        if name not in ACTS:
            raise NotFoundException()
        bound = _bound(store, ACTS[name], chosen)
        return page(
            request,
            "bulk.html",
            act=name,
            status=chosen.get("status", ""),
            bound=bound,
            count_=sum(one.count for one in bound),
            empty=sum(one.empty for one in bound),
            chosen=chosen,
            query=urlencode(chosen),
        )

    @post("/all/{name:str}", status_code=HTTPStatus.OK)
    async def act_on_all(name: FromPath[str], data: URLEncodedBody[dict[str, str]]) -> Response[Any]:
        chosen = _chosen(data)
        if name not in ACTS:
            raise NotFoundException()
        keys = await asyncio.to_thread(ACTS[name].keys, store, _filter(chosen))
        done = await asyncio.wrap_future(ACTS[name].do(store, keys))
        acted()
        return see_other(f"/deliveries?{urlencode({**chosen, 'done': f'{name}-{len(done)}'})}")

    return Router("/deliveries", route_handlers=[list_deliveries, show_delivery, mail_html, act, confirm, act_on_all])


_CHOICES: Final = ("status", "destination", "rule", "prompt", "label", "source", "period")


def _chosen(given: dict[str, str]) -> dict[str, str]:
    return {name: given[name] for name in _CHOICES if given.get(name)}


def _filter(chosen: dict[str, str]) -> DeliveryFilter:
    return DeliveryFilter(
        status=next((status for status in WANTED_STATUSES if status == chosen.get("status")), None),
        destination=chosen.get("destination") or None,
        rule=chosen.get("rule") or None,
        prompt=loosely(chosen.get("prompt", "")),
        label=chosen.get("label") or None,
        source=chosen.get("source") or None,
        since=since(chosen.get("period", "")),
    )


def _bound(store: Store, act: Act, chosen: dict[str, str]) -> list[Bound]:
    lines = {(line.name, line.type): line for line in store.destinations()}
    of_status = chosen | {"status": chosen.get("status") or act.usual}
    return [
        Bound(
            name=one.destination,
            type=one.type,
            count=one.count - empty,
            empty=empty,
            line=lines.get((one.destination, one.type)),
            query=urlencode(of_status | {"destination": one.destination}),
        )
        for one in act.chosen(store, _filter(chosen))
        for empty in [one.empty if act.sends else 0]
    ]


def _found(store: Store, key: str) -> DeliveryDetail:
    found = store.delivery(key)
    if found is None:
        raise NotFoundException(f"There is no delivery {key}; perhaps its time of retention is over.")
    return found
