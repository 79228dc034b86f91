"""Overview: what happened lately, what waits, and what needs somebody."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from router.domain.delivery import WAITING
from router.service.console.page import AnyRequest, page
from router.service.views import destination_views
from router.storage.activity import SourceCount
from router.storage.records import DeliveryFilter

if TYPE_CHECKING:
    from router.service.app import Service

SHOWN: Final = timedelta(hours=24)
SILENT: Final = timedelta(hours=24)
DEAD_SHOWN: Final = 5


class SourceLine(msgspec.Struct, frozen=True):
    name: str
    count: SourceCount
    silent: bool


def overview_page(service: "Service") -> HTTPRouteHandler:
    store, rulebook = service.store, service.rulebook

    @get("/", sync_to_thread=True)
    def overview(request: AnyRequest) -> Response[Any]:
        now = datetime.now(UTC)
        hours = store.hours(now - SHOWN, now)
        backlog = store.backlog()
        waiting = [queue for queue in backlog.queues if queue.status in WAITING]
        dead = store.deliveries(DeliveryFilter(status="dead"), limit=DEAD_SHOWN)
        return page(
            request,
            "overview.html",
            hours=hours,
            chart=msgspec.json.encode(
                {
                    "at": [int(hour.at.timestamp()) for hour in hours],
                    "events": [hour.events for hour in hours],
                    "delivered": [hour.delivered for hour in hours],
                    "dead": [hour.dead for hour in hours],
                }
            ).decode(),
            backlog=backlog,
            waiting=sum(queue.count for queue in waiting),
            oldest=max((queue.oldest for queue in waiting), default=None),
            dead=dead.items,
            dead_count=sum(queue.count for queue in backlog.queues if queue.status == "dead"),
            sources=_sources(now),
            destinations=destination_views(store),
            rulebook=rulebook,
            reload=rulebook.last_reload,
            capture=service.capture,
        )

    def _sources(now: datetime) -> list[SourceLine]:
        counts = store.source_counts(rulebook.ruleset.sources, now - SHOWN)
        return [
            SourceLine(name, count, count.last_received_at is None or now - count.last_received_at > SILENT)
            for name, count in counts.items()
        ]

    return overview
