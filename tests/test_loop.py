"""Loops: when the next step comes, and what does not end them."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from structlog.testing import capture_logs

from router.delivery.loop import Loop
from router.storage.errors import StoreUnavailable

LONG = 60.0
SOON = timedelta(milliseconds=50)


class Steps:
    """A loop whose steps do what they are told: raise, or return how long there is nothing to do; then it stops."""

    def __init__(self, *steps: float | Exception, longest_nap: float = LONG) -> None:
        self._steps: Iterator[float | Exception] = iter(steps)
        self.at: list[float] = []
        self.stepped = asyncio.Event()
        self.loop = Loop(self._step, longest_nap=longest_nap, unavailable="no answer", failed="a fault")

    async def _step(self) -> float:
        self.at.append(asyncio.get_running_loop().time())
        self.stepped.set()
        match next(self._steps, None):
            case None:
                self.loop.stop()
                return LONG
            case Exception() as error:
                raise error
            case nap:
                return nap

    async def run(self) -> None:
        async with asyncio.timeout(LONG / 2):
            await self.loop.run()


async def test_a_nap_ends_when_it_is_over_and_is_never_longer_than_the_longest() -> None:
    steps = Steps(0.05, LONG, longest_nap=0.1)
    await steps.run()
    first, second, third = steps.at
    assert second - first >= 0.05
    assert third - second >= 0.1


async def test_waking_ends_a_nap_at_once() -> None:
    steps = Steps(LONG)
    running = asyncio.create_task(steps.run())
    await steps.stepped.wait()
    await asyncio.sleep(0)
    steps.loop.wake()
    await running
    assert len(steps.at) == 2


async def test_a_later_time_does_not_put_off_an_earlier_one() -> None:
    steps = Steps(LONG)
    running = asyncio.create_task(steps.run())
    await steps.stepped.wait()
    await asyncio.sleep(0)
    woken = asyncio.get_running_loop().time()
    steps.loop.wake(SOON)
    steps.loop.wake(timedelta(seconds=LONG / 3))
    await running
    assert SOON.total_seconds() <= steps.at[1] - woken < LONG / 3


async def test_waking_during_a_step_is_not_lost() -> None:
    steps = 0

    async def step() -> float:
        nonlocal steps
        steps += 1
        if steps == 1:
            loop.wake()
        else:
            loop.stop()
        return LONG

    loop = Loop(step, longest_nap=LONG, unavailable="no answer", failed="a fault")
    async with asyncio.timeout(LONG / 2):
        await loop.run()
    assert steps == 2


async def test_an_outage_is_told_once_and_again_after_the_store_answered() -> None:
    gone = StoreUnavailable("gone")
    steps = Steps(gone, gone, 0.0, gone, longest_nap=0.01)
    with capture_logs() as logged:
        await steps.run()
    assert [entry["event"] for entry in logged] == ["no answer", "no answer"]
    assert len(steps.at) == 5


async def test_a_fault_ends_nothing() -> None:
    steps = Steps(ValueError("ours"), longest_nap=0.01)
    with capture_logs() as logged:
        await steps.run()
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [("a fault", "error")]
    assert len(steps.at) == 2


async def test_stopping_ends_a_nap_without_another_step() -> None:
    steps = Steps(LONG, LONG)
    running = asyncio.create_task(steps.run())
    await steps.stepped.wait()
    steps.loop.stop()
    await running
    assert len(steps.at) == 1
