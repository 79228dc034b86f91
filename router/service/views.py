"""What API and console show of what is stored, beside what the store says itself."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from router.delivery.request import WrongDestination, shown
from router.domain.delivery import DeliveryStatus, Mode
from router.domain.destination import AnyDestination
from router.domain.json import Json, JsonObject
from router.engine.rulesfile.spec import RuleSpec
from router.service.rulebook import Rulebook
from router.storage.activity import DestinationCount, RuleCount
from router.storage.deliveries import CANCELLABLE, RETRYABLE
from router.storage.records import Chosen, DeliveryDetail, DeliveryFilter, DestinationRecord, WantedStatus
from router.storage.store import Store

COUNTED: Final = timedelta(days=7)


class RuleView(Struct, frozen=True, kw_only=True):
    """A rule as it is written, and where; `last_week` counts what it did in the last seven days."""

    name: str
    description: str
    enabled: bool
    mode: Mode
    place: str
    match: JsonObject
    actions: tuple[JsonObject, ...]
    last_week: RuleCount


class DestinationView(Struct, frozen=True, kw_only=True):
    """A destination with what holds it back, how many of its deliveries are dead, and what went there last week."""

    destination: DestinationRecord
    dead: int
    last_week: DestinationCount


def request_now(found: DeliveryDetail, destinations: Mapping[str, AnyDestination]) -> Json:
    """Return the request as it would go out now, secrets masked.

    None: there is no message, or nowhere to send it (the destination is gone, or of another type).
    """
    destination = destinations.get(found.delivery.destination)
    if found.message is None or destination is None:
        return None
    try:
        return shown(found.message, destination, found.delivery.key)
    except WrongDestination:
        return None


class Act(Struct, frozen=True, kw_only=True):
    """Something that can be done to deliveries in one of the states `possible`.

    A filter that says no status means those that are `usual`. `sends`: it does nothing to those without a message.
    """

    possible: tuple[DeliveryStatus, ...]
    usual: WantedStatus
    do: Callable[[Store, Sequence[str]], Future[list[str]]]
    sends: bool

    def keys(self, store: Store, wanted: DeliveryFilter) -> list[str]:
        """Return the keys of the deliveries that a filter matches and to which it can be done."""
        return store.delivery_keys(self._meant(wanted), only=self.possible)

    def chosen(self, store: Store, wanted: DeliveryFilter) -> tuple[Chosen, ...]:
        """Count them by destination."""
        return store.chosen(self._meant(wanted), only=self.possible)

    def _meant(self, wanted: DeliveryFilter) -> DeliveryFilter:
        return msgspec.structs.replace(wanted, status=wanted.status or self.usual)


RETRY: Final = Act(possible=RETRYABLE, usual="dead", do=lambda store, keys: store.retry(keys), sends=True)
CANCEL: Final = Act(
    possible=CANCELLABLE,
    usual="waiting",
    do=lambda store, keys: store.cancel(keys, "cancelled by hand"),
    sends=False,
)


def rule_views(store: Store, rulebook: Rulebook, specs: Sequence[RuleSpec]) -> tuple[RuleView, ...]:
    counts = store.rule_counts([spec.name for spec in specs], datetime.now(UTC) - COUNTED)
    return tuple(
        RuleView(
            name=spec.name,
            description=spec.description,
            enabled=spec.enabled,
            mode=spec.mode,
            place=str(rulebook.loaded.file.place("rules", spec.index)),
            match=spec.match,
            actions=spec.actions,
            last_week=counts[spec.name],
        )
        for spec in specs
    )


def destination_views(store: Store) -> list[DestinationView]:
    """Return the destinations that the rules have, and those for which something waits."""
    found = store.destinations()
    counts = store.destination_counts({one.name for one in found}, datetime.now(UTC) - COUNTED)
    dead = {queue.destination: queue.count for queue in store.backlog().queues if queue.status == "dead"}
    return [DestinationView(destination=one, dead=dead.get(one.name, 0), last_week=counts[one.name]) for one in found]
