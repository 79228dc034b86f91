"""What Prometheus is told. Labels are bounded by the rules file: sources, rules, destinations, fixed words."""

from collections import Counter as Count
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.domain.delivery import DeliveryStatus
from router.engine.ruleset import Ruleset
from router.langfuse.signature import Reason
from router.storage.records import Backlog, DestinationRecord

CONTENT_TYPE: Final = "text/plain; version=0.0.4"  # to which Litestar adds the charset

NOT_IN_FORCE: Final = "(not in force)"
"""Stands for every destination that the rules do not have: a templated `to` may come to anything."""

Refusal: TypeAlias = Literal["method", "unknown_source", "too_large", "not_stored", "fault"]
Ended: TypeAlias = Literal["delivered", "dead", "captured", "skipped"]

_ATTEMPT_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROUTING_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 300)
_DELIVERY_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43200)


_M = TypeVar("_M", Counter, Histogram)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._known: dict[tuple[object, ...], Any] = {}
        self.events = Counter(
            "langfuse_router_events",
            "Authentic webhooks by what was answered",
            ["source", "action", "status"],
            registry=self.registry,
        )
        self.routed = Counter(
            "langfuse_router_events_routed",
            "Events by the status that routing gave them",
            ["status"],
            registry=self.registry,
        )
        self.signature_failures = Counter(
            "langfuse_router_signature_failures",
            "Webhooks refused because they are not authentic or not fresh",
            ["source", "reason"],
            registry=self.registry,
        )
        self.refused = Counter(
            "langfuse_router_webhooks_refused",
            "Webhooks refused for any other reason",
            ["source", "reason"],
            registry=self.registry,
        )
        self.given_up = Counter(
            "langfuse_router_connections_given_up",
            "Connections ended because they were too slow, too many or too large",
            ["reason"],
            registry=self.registry,
        )
        self.rule_matches = Counter("langfuse_router_rule_matches", "Firings", ["rule", "mode"], registry=self.registry)
        self.held = Counter(
            "langfuse_router_changes_held",
            "Changes that a rule matched and held back (throttle, collect)",
            ["rule", "mode"],
            registry=self.registry,
        )
        self.holding = Gauge(
            "langfuse_router_changes_holding",
            "Changes held back at present; a rule that is not in force any more keeps them",
            ["rule"],
            registry=self.registry,
        )
        self.clause_errors = Counter(
            "langfuse_router_clause_errors",
            "Changes that a rule could not decide on",
            ["rule"],
            registry=self.registry,
        )
        self.attempts = Counter(
            "langfuse_router_deliveries",
            "Attempts at deliveries by how they ended",
            ["destination", "outcome", "reason"],
            registry=self.registry,
        )
        self.ended = Counter(
            "langfuse_router_deliveries_ended",
            "Deliveries by how they ended, also those that were never attempted",
            ["destination", "status"],
            registry=self.registry,
        )
        self.routing_seconds = Histogram(
            "langfuse_router_routing_seconds",
            "From the arrival of an event until it was routed, settling included",
            buckets=_ROUTING_BUCKETS,
            registry=self.registry,
        )
        self.waiting = Gauge("langfuse_router_events_waiting", "Events that wait to be routed", registry=self.registry)
        self.oldest_waiting = Gauge(
            "langfuse_router_events_oldest_seconds", "Age of the oldest event that waits", registry=self.registry
        )
        self.queue = Gauge(
            "langfuse_router_queue_depth",
            "Unfinished and dead deliveries",
            ["destination", "status"],
            registry=self.registry,
        )
        self.oldest = Gauge(
            "langfuse_router_queue_oldest_seconds",
            "For how long the oldest of them has been there",
            ["destination", "status"],
            registry=self.registry,
        )
        self.breaker_open = Gauge(
            "langfuse_router_breaker_open",
            "1 while a destination is left alone because it fails or refuses",
            ["destination"],
            registry=self.registry,
        )
        self.store_up = Gauge(
            "langfuse_router_store_up", "1 if the store answered when it was last asked", registry=self.registry
        )
        self.spooled = Gauge(
            "langfuse_router_events_spooled",
            "Events in this machine's spool, on their way to the store",
            registry=self.registry,
        )
        self.attempt_seconds = Histogram(
            "langfuse_router_attempt_seconds",
            "Length of an attempt",
            ["destination"],
            buckets=_ATTEMPT_BUCKETS,
            registry=self.registry,
        )
        self.delivery_seconds = Histogram(
            "langfuse_router_delivery_seconds",
            "From the planning of a delivery until it was accepted",
            ["destination"],
            buckets=_DELIVERY_BUCKETS,
            registry=self.registry,
        )
        self.end_to_end_seconds = Histogram(
            "langfuse_router_end_to_end_seconds",
            "From the arrival of an event until what it let be told at once was accepted",
            ["destination"],
            buckets=_DELIVERY_BUCKETS,
            registry=self.registry,
        )
        self.missed = Counter(
            "langfuse_router_missed_events",
            "Changes that no webhook told and Langfuse's API showed",
            ["source"],
            registry=self.registry,
        )
        self.looked_at = Gauge(
            "langfuse_router_reconcile_timestamp_seconds",
            "When Langfuse's API was last compared with what is known",
            ["source"],
            registry=self.registry,
        )
        self.reload_success = Gauge(
            "langfuse_router_config_reload_success", "1 if the last reload succeeded", registry=self.registry
        )
        self.reload_time = Gauge(
            "langfuse_router_config_reload_timestamp_seconds",
            "When rules were last loaded successfully",
            registry=self.registry,
        )

    def expect(self, ruleset: Ruleset) -> None:
        """Begin at 0 for what these rules have: who looks for an increase would not see the first of a kind."""
        for source in ruleset.sources:
            for reason in get_args(Reason):
                self.signature_failures.labels(source, reason)
            for refusal in get_args(Refusal):
                self.refused.labels(source, refusal)
            self.missed.labels(source)
        for rule in ruleset.rules:
            self.clause_errors.labels(rule.name)
            self.rule_matches.labels(rule.name, rule.mode)
        for destination in ruleset.destinations:
            for status in get_args(Ended):
                self.ended.labels(destination, status)

    def of(self, metric: _M, *labels: str) -> _M:
        """Return a metric's child, as `labels` does. For what is counted all the time: to look it up takes longer than
        to count.
        """
        key = (metric, *labels)
        if key not in self._known:
            self._known[key] = metric.labels(*labels)
        return cast(_M, self._known[key])

    def observe(self, backlog: Backlog, destinations: Iterable[DestinationRecord]) -> None:
        """Take over what the store counted."""
        self.waiting.set(backlog.waiting)
        self.oldest_waiting.set(backlog.oldest_waiting.total_seconds() if backlog.oldest_waiting else 0)
        self.holding.clear()
        for rule, count in backlog.held.items():
            self.holding.labels(rule).set(count)
        breakers = {one.name: one.breaker != "closed" for one in destinations if one.in_force}
        self.breaker_open.clear()
        for name, is_open in breakers.items():
            self.breaker_open.labels(name).set(is_open)
        depth: Count[tuple[str, DeliveryStatus]] = Count()
        oldest: dict[tuple[str, DeliveryStatus], timedelta] = {}
        for queue in backlog.queues:
            key = (bounded(queue.destination, breakers), queue.status)
            depth[key] += queue.count
            oldest[key] = max(queue.oldest, oldest.get(key, queue.oldest))
        self.queue.clear()
        self.oldest.clear()
        for key, count in depth.items():
            self.queue.labels(*key).set(count)
            self.oldest.labels(*key).set(oldest[key].total_seconds())

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


def bounded(destination: str, in_force: Mapping[str, object]) -> str:
    """Return a destination's name as a label."""
    return destination if destination in in_force else NOT_IN_FORCE
