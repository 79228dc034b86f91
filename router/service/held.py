"""What was held back is told when its time has come, by the rules in force then."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from router.delivery.loop import Loop
from router.domain.routing import Later
from router.engine.firing import fire, hold_of
from router.engine.plan import deliver
from router.engine.ruleset import Rule, Ruleset
from router.storage.errors import StoreUnavailable
from router.storage.held import Telling, Window
from router.storage.store import Store

log = structlog.get_logger("router.held")

LONGEST_NAP: Final = 10.0
"""Seconds until the store is asked again even if nobody woke us: a replica may have died with windows open."""

AFTER_A_FAULT: Final = 60.0
"""Seconds for which a window that the router itself cannot tell is left alone."""

FORGET_EVERY: Final = 60.0
"""Seconds between two looks for windows that are over and hold nothing."""

WINDOWS_AT_ONCE: Final = 16

WAITS_FOR_ITS_RULE: Final = "held changes wait until a rule of this name is in force and enabled"


class HeldLoop:
    """Tells what is due. `ruleset` returns the rules in force; `told` is called with what was stored.

    Nothing is claimed: what was read is told only if it is still held when the firing is stored, so replicas may work
    on the same window, and whoever dies leaves it as it was.
    """

    def __init__(
        self,
        store: Store,
        ruleset: Callable[[], Ruleset],
        told: Callable[[Sequence[Telling]], None],
        *,
        capture: bool,
    ) -> None:
        self._store = store
        self._ruleset = ruleset
        self._told = told
        self._capture = capture
        self._loop = Loop(
            self._step,
            longest_nap=LONGEST_NAP,
            unavailable="what is held cannot be told",
            failed="telling what is held failed in the router itself",
        )
        self._digest = ""
        """The rules by which the windows were last brought forward."""
        self._forgotten_at = 0.0
        self._faulty: dict[tuple[str, str], float] = {}
        """Windows that could not be told, and until when they are left alone, by the loop's clock."""

    def wake(self) -> None:
        """Something is held, or other rules are in force. Call it on the event loop."""
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    async def run(self) -> None:
        await self._loop.run()

    async def _step(self) -> float:
        """Tell what is due; return the seconds until something may be."""
        ruleset = self._ruleset()
        if ruleset.digest != self._digest:
            await self._take_over(ruleset)
        windows = await asyncio.to_thread(self._store.due_windows, self._most())
        due = [window for window in windows if window.due_in <= timedelta() and not self._is_faulty(window)]
        if due:
            await self._tell_all(due[:WINDOWS_AT_ONCE], ruleset)
            return 0.0
        await self._forget()
        later = (window.due_in.total_seconds() for window in windows if window.due_in > timedelta())
        return min(later, default=LONGEST_NAP)

    def _most(self) -> int:
        return WINDOWS_AT_ONCE + len(self._faulty)

    async def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._forgotten_at > FORGET_EVERY:
            self._forgotten_at = now
            await asyncio.wrap_future(self._store.forget_windows())

    async def _take_over(self, ruleset: Ruleset) -> None:
        """Let the windows end as these rules would have it, if that is earlier."""
        now = datetime.now(UTC)
        held = await asyncio.to_thread(self._store.windows_by_rule)
        holds = {rule.name: hold_of(rule, "", now) for rule in ruleset.rules if rule.enabled and rule.name in held}
        if holds:
            await asyncio.wrap_future(self._store.bring_forward(holds))
        for rule, count in held.items():
            if count and rule not in holds:
                log.warning(WAITS_FOR_ITS_RULE, rule=rule, held=count)
        self._digest = ruleset.digest

    async def _tell_all(self, due: Sequence[Window], ruleset: Ruleset) -> None:
        rules = {rule.name: rule for rule in ruleset.rules if rule.enabled}
        tellings: list[Telling] = []
        for window in due:
            rule = rules.get(window.rule)
            if rule is None:
                await self._park(window)
                continue
            try:
                tellings.append(await asyncio.to_thread(self._telling, window, rule, ruleset))
            except StoreUnavailable:
                raise
            except Exception:
                # one window that we cannot tell must not keep the others from being told
                log.exception("a window cannot be told", rule=window.rule)
                self._faulty[window.rule, window.subject] = asyncio.get_running_loop().time() + AFTER_A_FAULT
        now = datetime.now(UTC)
        stored = await asyncio.gather(*(asyncio.wrap_future(self._store.tell(telling, now)) for telling in tellings))
        self._told([telling for telling, ok in zip(tellings, stored, strict=True) if ok])

    def _telling(self, window: Window, rule: Rule, ruleset: Ruleset) -> Telling:
        now = datetime.now(UTC)
        held = self._store.held(window)
        changes = {change.id: change for change in self._store.changes(held.changes)}
        firing = fire(rule, list(changes.values()), Later(window.subject, timedelta()))
        told = [changes[id] for id in firing.changes]
        return Telling(
            window=window,
            firing=firing,
            deliveries=tuple(deliver(ruleset, rule, firing, told, capture=self._capture)),
            ruleset=ruleset.digest,
            more=held.more,
            hold=hold_of(rule, window.subject, now),
        )

    async def _park(self, window: Window) -> None:
        if await asyncio.wrap_future(self._store.park(window)):
            log.warning(WAITS_FOR_ITS_RULE, rule=window.rule)

    def _is_faulty(self, window: Window) -> bool:
        key = (window.rule, window.subject)
        if key in self._faulty and self._faulty[key] <= asyncio.get_running_loop().time():
            del self._faulty[key]
        return key in self._faulty
