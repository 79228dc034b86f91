"""The wiring: store, rules, webhook, routing and delivery become one running service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, assert_never

import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException
from litestar.types import ASGIApp, Receive, Scope, Send

from router.delivery.client import Clients
from router.delivery.outcome import reason_word
from router.delivery.worker import Ended, Worker
from router.domain.delivery import Claim, NewDelivery, Refused
from router.domain.event import PromptKey
from router.domain.json import Json
from router.domain.problem import RulesError
from router.domain.routing import Routing
from router.domain.source import Source
from router.domain.text import Text
from router.service import problems
from router.service.admin import bears
from router.service.api import api, finish_document, openapi
from router.service.baseline import Baseline, Progress
from router.service.console import console
from router.service.control import Question
from router.service.halves import Halves
from router.service.held import HeldLoop
from router.service.intake import Intake
from router.service.letting_go import let_go
from router.service.live import Live
from router.service.metrics import CONTENT_TYPE, Metrics, bounded
from router.service.public_api import PublicApis
from router.service.reconcile import Look, Reconciler, as_json, chosen, tell_missed
from router.service.replicas import Replicas
from router.service.retention import Retention
from router.service.routing import RoutingLoop
from router.service.rulebook import Rulebook
from router.service.silence import Silence
from router.service.troubles import Troubles
from router.service.webhook import Webhooks
from router.storage.deliveries import GivenUp
from router.storage.errors import StoreUnavailable
from router.storage.events import NewEvent
from router.storage.held import Telling
from router.storage.spool import Spool
from router.storage.store import Store

if TYPE_CHECKING:
    from router.service.tracing import Tracing

log = structlog.get_logger("router.service")

STORE_ANSWERS: Final = 3.0
"""Seconds within which the store has to answer for the service to be ready."""


class Service:
    """One running router. `capture`: everything happens except the sending. `token` None: no API and no console."""

    def __init__(
        self,
        rulebook: Rulebook,
        store: Store,
        *,
        spool: Spool | None = None,
        capture: bool,
        token: Text | None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self.rulebook = rulebook
        self.store = store
        self.capture = capture
        self.token = token
        self.tracing = tracing
        self.live = Live()
        self.metrics = Metrics()
        self.metrics.expect(rulebook.ruleset)
        self.clients = Clients(dict if tracing is None else tracing.headers)
        self.intake = Intake(store, spool, self._drained)
        self.apis = PublicApis(self.clients)
        self.baseline = Baseline(store, self.apis.of, lambda: self.routing.wake())
        self.routing = RoutingLoop(
            store,
            lambda: rulebook.ruleset,
            self._routed,
            self.baseline.wait_for,
            Halves(store, self.apis.of, lambda: self.routing.wake()),
            self.intake.give_way,
            tracing,
            lambda: self.worker.lend(),
            capture=capture,
        )
        self.reconciler = Reconciler(store, self.baseline, self.apis.of, self._looked, self.routing.wake)
        self.silence = Silence(store, lambda source, why: self.troubles.source_silent(source, why))
        self.held = HeldLoop(store, lambda: rulebook.ruleset, self._told, capture=capture)
        self.worker = Worker(
            store,
            self.clients,
            lambda: rulebook.destinations,
            self._ended,
            self._given_up,
            self.intake.give_way,
            contextlib.nullcontext if tracing is None else tracing.attempt,
            lambda destination: rulebook.unset.get(destination),
        )
        self.retention = Retention(store, rulebook.loaded.file.store.retention)
        self.troubles = Troubles(store, self.routing.wake)
        self.replicas = Replicas(store, self.routing.wake, self.worker.wake, self.live.tell)
        self.webhooks = Webhooks(
            self.intake.keep if tracing is None else tracing.stored(self.intake.keep),
            lambda: rulebook.ruleset.sources,
            self.received,
            self.troubles,
            self.metrics,
            rulebook.loaded.file.server.max_body,
        )
        self.draining = False
        self._reloads: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()

    # ---- life

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Route and deliver while the block runs; then finish what is under way."""
        self.metrics.reload_success.set(1)
        self.metrics.reload_time.set(self.rulebook.loaded_at.timestamp())
        async with self.clients:
            await self.intake.start()
            loops = [asyncio.create_task(loop.run()) for loop in (self.routing, self.held, self.worker)]
            beside = [
                asyncio.create_task(self.replicas.listen()),
                asyncio.create_task(self.retention.run()),
                asyncio.create_task(self.reconciler.run(self._sources)),
                asyncio.create_task(self.silence.run(self._sources)),
            ]
            try:
                yield
            finally:
                for task in beside:
                    task.cancel()
                self.routing.stop()
                self.held.stop()
                self.worker.stop()
                await asyncio.gather(*loops)
                await asyncio.gather(*beside, return_exceptions=True)
                await self.troubles.close()
                await self.intake.close()

    def drain(self) -> None:
        """Take nothing up any more; what is under way goes on. Call it on the event loop."""
        self.draining = True
        self.live.close()
        self.worker.stop()

    def reload(self) -> asyncio.Task[None]:
        """Read the rules again, all or nothing. Call it on the event loop; the reading happens beside it."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return task

    async def _reload(self) -> None:
        with contextlib.suppress(RulesError):  # it is told already
            await self.reload_now()

    async def reload_now(self) -> None:
        """Read the rules again, all or nothing. Raises RulesError; then those before stay in force."""
        async with self._reloading:
            try:
                new = await asyncio.to_thread(self.rulebook.read)
            except RulesError as error:
                await asyncio.to_thread(self.rulebook.refuse, error)
                self.metrics.reload_success.set(0)
                log.error("rules refused, those before stay in force", file=self.rulebook.path, errors=str(error))
                self.troubles.reload_failed(self.rulebook.path, str(error))
                raise
            replaced: list[object] = [self.rulebook.put_in_force(new)]
            await asyncio.to_thread(let_go, replaced)
        self.metrics.reload_success.set(1)
        self.metrics.reload_time.set(self.rulebook.loaded_at.timestamp())
        await asyncio.to_thread(self.metrics.expect, new.ruleset)
        self.routing.wake()
        self.held.wake()
        self.worker.wake()
        ruleset = new.ruleset
        log.info("rules reloaded", file=self.rulebook.path, rules=len(ruleset.rules), digest=ruleset.digest)

    def _sources(self) -> Mapping[str, Source]:
        return self.rulebook.ruleset.sources

    async def reconcile(self, name: str | None = None, progress: Progress = lambda _done, _of: None) -> list[Look]:
        """Look at Langfuse now: at one source, or at all that have an API. Raises RouterError."""
        return [await self.reconciler.look(source, progress) for source in chosen(self._sources(), name)]

    async def answer(self, question: Question, progress: Progress) -> Json:
        """Do what the control socket asks for. Raises RouterError."""
        match question.command:
            case "reload":
                await self.reload_now()
                ruleset = self.rulebook.ruleset
                return {"file": self.rulebook.path, "rules": len(ruleset.rules), "digest": ruleset.digest}
            case "reconcile":
                return [as_json(look) for look in await self.reconcile(question.source, progress)]
        assert_never(question.command)

    # ---- what the others tell

    def received(self, settle: timedelta, event: NewEvent | None = None) -> None:
        """An event is stored that is to be routed when it has waited for others of its prompt for that long."""
        self.live.tell()
        if event is None or event.project_id is None or event.prompt is None or settle:
            self.routing.wake(settle)
        else:
            self.routing.came(PromptKey(event.source, event.project_id, event.prompt), event.received_at)
        self.replicas.call("events")

    def _drained(self) -> None:
        """Events that were in the spool are in the store."""
        self.received(timedelta())

    def acted(self) -> None:
        """Somebody made deliveries wait again, or end."""
        self.live.tell()
        self.worker.wake()
        self.replicas.call("deliveries")

    def _looked(self, look: Look) -> None:
        self.metrics.looked_at.labels(look.source).set_to_current_time()
        self.metrics.missed.labels(look.source).inc(len(look.missed))
        tell_missed(look, self.troubles)

    def _routed(self, routings: Sequence[Routing], claimed: Collection[str]) -> None:
        for routing in routings:
            for change in routing.changes:
                for verdict in routing.verdicts[change.id]:
                    if verdict.verdict == "error":
                        self.metrics.clause_errors.labels(verdict.rule).inc()
            for firing in routing.firings:
                if firing.hold is None:
                    self.metrics.rule_matches.labels(firing.rule, firing.mode).inc()
                else:
                    self.metrics.held.labels(firing.rule, firing.mode).inc(len(firing.changes))
            for event in routing.events:
                self.metrics.routed.labels(event.status).inc()
                self.metrics.routing_seconds.observe(event.waited.total_seconds())
            self._enqueued(routing.deliveries, claimed)
        if routings:
            self._became()
        if any(firing.hold for routing in routings for firing in routing.firings):
            self.held.wake()

    def _told(self, tellings: Sequence[Telling]) -> None:
        for telling in tellings:
            firing = telling.firing
            self.metrics.rule_matches.labels(firing.rule, firing.mode).inc()
            log.info("told what was held", rule=firing.rule, changes=len(firing.changes))
            self._enqueued(telling.deliveries)
        if tellings:
            self._became()

    def _became(self) -> None:
        """Something became of events or deliveries; the consoles show it, those of other replicas too."""
        self.live.tell()
        self.replicas.call("outcomes")

    def _enqueued(self, deliveries: Sequence[NewDelivery], claimed: Collection[str] = ()) -> None:
        for delivery in deliveries:
            if delivery.status != "pending":
                self._over(delivery.destination, delivery.status)
            if delivery.status == "dead" and not delivery.about_trouble:
                self.troubles.delivery_dead(delivery.destination, delivery.key, delivery.reason)
        if any(delivery.status == "pending" and delivery.key not in claimed for delivery in deliveries):
            self.worker.wake()
            self.replicas.call("deliveries")

    def _delivered(self, claim: Claim, now: datetime) -> None:
        for since, histogram in (
            (claim.created_at, self.metrics.delivery_seconds),
            (claim.arrived_at, self.metrics.end_to_end_seconds),
        ):
            if since is not None:
                self.metrics.of(histogram, claim.destination).observe(max(0.0, (now - since).total_seconds()))

    def _ended(self, ended: Ended) -> None:
        claim, following = ended.claim, ended.following
        outcome = type(ended.answer.outcome).__name__.lower()
        reason = reason_word(ended.answer)
        self.metrics.of(self.metrics.attempts, claim.destination, outcome, reason).inc()
        self.metrics.of(self.metrics.attempt_seconds, claim.destination).observe(ended.took.total_seconds())
        if self.tracing is not None:
            self.tracing.ended(ended)
        self._became()
        if following.status in ("delivered", "dead"):
            self._over(claim.destination, following.status)
        if following.status == "delivered":
            self._delivered(claim, datetime.now(UTC))
        log.info(
            "attempt ended",
            delivery_id=claim.key,
            destination=claim.destination,
            attempt=claim.attempt,
            state=following.status,
            reason=reason or None,
        )
        # the destination's own words may say a prompt's text back to us
        log.debug("what was said of an attempt", delivery_id=claim.key, reason=following.reason or None)
        if claim.about_trouble:
            return
        if following.status == "dead":
            self.troubles.delivery_dead(claim.destination, claim.key, following.reason)
        if isinstance(ended.answer.outcome, Refused):
            self.troubles.destination_refused(claim.destination, ended.answer.outcome.reason)
        elif ended.breaker_open_until is not None:
            self.troubles.breaker_open(claim.destination, following.reason, ended.breaker_open_until)

    def _given_up(self, delivery: GivenUp) -> None:
        log.info("given up: older than `max_age`", delivery_id=delivery.key, destination=delivery.destination)
        self._over(delivery.destination, "dead")
        if not delivery.about_trouble:
            self.troubles.delivery_dead(delivery.destination, delivery.key, delivery.reason)

    def _over(self, destination: str, status: str) -> None:
        self.metrics.of(self.metrics.ended, bounded(destination, self.rulebook.destinations), status).inc()


def public_app(service: Service, *, with_admin: bool) -> ASGIApp:
    """Return the application of the public port; with `with_admin` it has the admin port's routes too."""
    receive_webhook: ASGIApp = service.webhooks.asgi
    if service.tracing is not None:
        receive_webhook = service.tracing.received(receive_webhook)
    routes: list[Any] = [live, ready]
    if with_admin:
        routes.append(metrics_route(service, open_without_token=False))
    others = _litestar(service, routes, admin=with_admin)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # before Litestar: its way to a handler costs as much as all of our own work on an event
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith("/webhooks/"):
            await receive_webhook(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


def admin_app(service: Service) -> Litestar:
    """Return the application of the admin port, which only operators can reach."""
    return _litestar(service, [live, ready, metrics_route(service, open_without_token=True)], admin=True)


def _litestar(service: Service, routes: Sequence[Any], *, admin: bool = False) -> Litestar:
    """Return an application of those routes; with `admin` it has API and console too, if there is a token."""
    token = service.token if admin else None
    app = Litestar(
        route_handlers=[*routes, *([] if token is None else [api(service, token), console(service, token)])],
        state=State({"service": service}),
        openapi_config=None if token is None else openapi(),
        logging_config=None,
        after_exception=[_log_our_faults],
        plugins=[problems.plugin()],
    )
    if token is not None:
        finish_document(app)
    return app


async def _log_our_faults(error: Exception, scope: Scope) -> None:
    """What is answered with 500 is a fault of ours, and says nothing to whoever asked."""
    if problems.status_of(error) >= 500:
        log.error("a request failed in the router itself", path=scope["path"], exc_info=error)


@get("/health/live", sync_to_thread=False, include_in_schema=False)
def live() -> dict[str, str]:
    return {"status": "ok"}


@get("/health/ready", include_in_schema=False)
async def ready(state: State) -> Response[dict[str, str]]:
    """200 if events can be kept, rules are loaded and nothing is shutting down; else 503 with the reason."""
    service: Service = state["service"]
    digest = service.rulebook.ruleset.digest
    if service.draining:
        return Response({"status": "draining", "ruleset": digest}, status_code=503)
    why = service.intake.spools_because or await _why_not(service.store)
    if why is None:
        return Response({"status": "ok", "ruleset": digest})
    if service.intake.has_spool:
        # still ready: out of rotation, the spool would get nothing
        return Response({"status": f"spooling, {why}", "ruleset": digest})
    return Response({"status": why, "ruleset": digest}, status_code=503)


async def _why_not(store: Store) -> str | None:
    """Return why the store does not answer; None: it does."""
    try:
        async with asyncio.timeout(STORE_ANSWERS):
            await asyncio.to_thread(store.ping)
    except StoreUnavailable as error:
        return str(error)
    except TimeoutError:
        return f"the store does not answer within {STORE_ANSWERS:g} s"
    return None


def metrics_route(service: Service, *, open_without_token: bool) -> Any:
    @get("/metrics", include_in_schema=False)
    async def metrics(request: Request[Any, Any, State]) -> Response[bytes]:
        authorization = request.headers.get("authorization", "")
        if not open_without_token and (service.token is None or not bears(authorization, service.token)):
            raise NotAuthorizedException(
                "give the admin token as a bearer token, or use `admin_port`", headers={"WWW-Authenticate": "Bearer"}
            )
        try:
            backlog = await asyncio.to_thread(service.store.backlog)
            service.metrics.observe(backlog, await asyncio.to_thread(service.store.destinations))
            service.metrics.store_up.set(1)
        except StoreUnavailable:
            service.metrics.store_up.set(0)
        service.metrics.spooled.set(await asyncio.to_thread(service.intake.spooled))
        return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)

    return metrics
