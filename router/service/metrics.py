"""What Prometheus is told. Labels are bounded by the rules file: sources, destinations, fixed words."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.storage.records import Backlog, DestinationRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DELIVERY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43200)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "langfuse_router_events",
            "Authentic webhooks by source, action and what was answered",
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
            "Refused webhooks by source and reason",
            ["source", "reason"],
            registry=self.registry,
        )
        self.rule_matches = Counter(
            "langfuse_router_rule_matches", "Firings by rule and mode", ["rule", "mode"], registry=self.registry
        )
        self.held = Counter(
            "langfuse_router_changes_held",
            "Changes that a rule matched and held back (throttle, collect), by rule and mode",
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
            "Rules that could not be decided, by rule",
            ["rule"],
            registry=self.registry,
        )
        self.attempts = Counter(
            "langfuse_router_deliveries",
            "Attempts by destination and outcome",
            ["destination", "outcome"],
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
            "Age of the oldest of them",
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
            "langfuse_router_attempt_seconds", "Length of an attempt", ["destination"], registry=self.registry
        )
        self.delivery_seconds = Histogram(
            "langfuse_router_delivery_seconds",
            "From the planning of a delivery until it was accepted",
            ["destination"],
            buckets=DELIVERY_BUCKETS,
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

    def observe(self, backlog: Backlog, destinations: Iterable[DestinationRecord]) -> None:
        """Take over what the store counted."""
        self.waiting.set(backlog.waiting)
        self.oldest_waiting.set(backlog.oldest_waiting.total_seconds() if backlog.oldest_waiting else 0)
        self.holding.clear()
        for rule, count in backlog.held.items():
            self.holding.labels(rule).set(count)
        self.queue.clear()
        self.oldest.clear()
        for queue in backlog.queues:
            self.queue.labels(queue.destination, queue.status).set(queue.count)
            self.oldest.labels(queue.destination, queue.status).set(queue.oldest.total_seconds())
        self.breaker_open.clear()
        for destination in destinations:
            if destination.in_force:
                self.breaker_open.labels(destination.name).set(destination.breaker != "closed")

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
