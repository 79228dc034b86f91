"""Troubles: events of our own, told on the same way as all others, once per kind and subject per hour."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from router.domain.event import ROUTER_SOURCE
from router.domain.json import Json
from router.langfuse.signature import SignatureRefused
from router.storage.errors import StoreUnavailable
from router.storage.events import NewEvent
from router.storage.store import Store

log = structlog.get_logger("router.trouble")

TOLD_EVERY: Final = timedelta(hours=1)
MOST_NAMED: Final = 20
REFUSALS_TO_TELL: Final = 3
"""Langfuse switches an automation off after 5 failed executions in a row: worker/src/queues/webhooks.ts."""


class Troubles:
    """Stores troubles as events. `stored` is called after each one, so that it is routed at once."""

    def __init__(self, store: Store, stored: Callable[[], None]) -> None:
        self._store = store
        self._stored = stored
        self._refusals: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- what can go wrong

    def signature_verified(self, source: str) -> None:
        self._refusals.pop(source, None)

    def signature_refused(self, source: str, refused: SignatureRefused) -> None:
        """Count refusals that look signed; three in a row mean a wrong secret or a wrong clock, no stray visitor."""
        if not refused.looks_signed:
            return
        count = self._refusals[source] = self._refusals.get(source, 0) + 1
        if count % REFUSALS_TO_TELL:
            return
        if refused.skew is None:
            cause = "the secret in the rules file is not the one of the webhook in Langfuse"
        else:
            cause = f"a clock is off by {refused.skew.total_seconds():.0f} s, here or at Langfuse"
        self._start(
            self.tell(
                "router.signature_refused",
                source,
                f"source {source}: {count} signed webhooks in a row were refused ({refused.what}): {cause}. "
                "Langfuse switches the automation off after 5.",
            )
        )

    def quarantined(self, source: str, event: str, reason: str) -> None:
        self._start(
            self.tell(
                "router.quarantined",
                source,
                f"source {source}: event {event} cannot be understood and was set aside: {reason}",
                event=event,
            )
        )

    def delivery_dead(self, destination: str, delivery: str, reason: str) -> None:
        self._start(
            self.tell(
                "router.delivery_dead",
                destination,
                f"destination {destination}: delivery {delivery} was given up",
                because=reason,
                delivery=delivery,
            )
        )

    def destination_refused(self, destination: str, reason: str) -> None:
        self._start(
            self.tell(
                "router.destination_refused",
                destination,
                f"destination {destination} refuses everything we send, so its deliveries wait",
                because=reason,
            )
        )

    def breaker_open(self, destination: str, reason: str, until: datetime) -> None:
        self._start(
            self.tell(
                "router.breaker_open",
                destination,
                f"destination {destination} fails again and again, so it is left alone until "
                f"{until.astimezone(UTC):%H:%M:%S} UTC, and its deliveries wait",
                because=reason,
            )
        )

    def reload_failed(self, file: str, errors: str) -> None:
        self._start(
            self.tell("router.reload_failed", file, f"{file} was refused, the rules before stay in force:\n{errors}")
        )

    def missed(self, source: str, changes: Sequence[str]) -> None:
        """`changes`: what was found only by asking Langfuse, each in a line."""
        more = len(changes) - MOST_NAMED
        shown = [*changes[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]
        count = "a change" if len(changes) == 1 else f"{len(changes)} changes"
        self._start(
            self.tell(
                "router.missed",
                source,
                f"source {source}: {count} reached us only through Langfuse's API: webhooks were lost, or Langfuse "
                "sent none, as for a deletion through its API.\n" + "\n".join(shown),
                missed=list(changes),
            )
        )

    def source_silent(self, source: str, why: str) -> None:
        self._start(
            self.tell(
                "router.source_silent",
                source,
                f"source {source}: {why} The automation in Langfuse was probably switched off, as Langfuse does after "
                "5 failures in a row: look at it under Automations in the project, and switch it on again.",
            )
        )

    # ---- telling

    async def tell(self, kind: str, subject: str, message: str, *, because: str = "", **facts: Json) -> None:
        """Store the trouble, unless it was told within the hour; then it is only counted.

        `because` may be what a destination said, and that may say a prompt's text back: it stays out of the log.
        """
        try:
            count = await asyncio.wrap_future(self._store.trouble_due(kind, subject, TOLD_EVERY))
            if count is None:
                return
            now = datetime.now(UTC)
            id = str(uuid.uuid4())
            body = {
                "id": id,
                "timestamp": now.isoformat(),
                "type": kind,
                "subject": subject,
                "message": f"{message}: {because}" if because else message,
                "count": count,
                **facts,
            }
            ids = {f"{name}_id": facts[name] for name in ("event", "delivery") if name in facts}
            log.warning(message, trouble=kind, subject=subject, count=count, **ids)
            await asyncio.wrap_future(
                self._store.receive(
                    NewEvent(
                        source=ROUTER_SOURCE,
                        id=id,
                        type=kind,
                        received_at=now,
                        sent_at=now,
                        body=msgspec.json.encode(body),
                    )
                )
            )
        except StoreUnavailable as error:
            log.error("a trouble could not be stored", trouble=kind, message=message, error=str(error))
            return
        self._stored()

    def _start(self, telling: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(telling)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
