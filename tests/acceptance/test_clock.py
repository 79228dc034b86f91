"""The machine's clock jumps by an hour, forth and back, under the running service (libfaketime)."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.receivers import Receiver, Reply
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_delivery import ONE
from tests.acceptance.test_waiting import prompt, to_sink

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed, so no clock can be moved")


class Clock:
    """The clock that the service and commands see; `set` moves it while they run."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.env = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.ahead = timedelta()
        self.set(timedelta())

    def set(self, ahead: timedelta) -> None:
        self.ahead = ahead
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead.total_seconds():+.0f}")
        os.replace(new, self._file)  # noqa: PTH105 -- at once: it is read all the time


def test_what_comes_after_a_jump_is_taken_and_sent(tmp_path: Path, receiver: Receiver) -> None:
    clock = Clock(tmp_path)
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url), env=clock.env) as router:
        for number, ahead in enumerate((timedelta(), HOUR, timedelta(), -HOUR, timedelta())):
            clock.set(ahead)
            assert router.post(prompt(number), ahead=ahead).status_code == 202
            eventually(lambda: len(to_sink(router, "delivered")) == number + 1, f"it is delivered with {ahead} more")  # noqa: B023
        assert len(receiver.arrived) == 5
        assert router.logged("Traceback") == []


def test_what_waits_is_sent_an_hour_later_at_most_or_when_somebody_says_so(tmp_path: Path, receiver: Receiver) -> None:
    clock = Clock(tmp_path)
    clock.set(HOUR)
    receiver.replies = [Reply(status=503)]
    rules = ONE.replace("SINK", receiver.url).replace('["50ms", "50ms", "50ms"]', '["1h"]')
    with RunningRouter(tmp_path, rules, env=clock.env) as router:
        router.post(prompt(1), ahead=HOUR)
        eventually(lambda: to_sink(router, "retrying"), "it waits for its next attempt")
        clock.set(timedelta())
        router.post(prompt(2))
        eventually(lambda: len(to_sink(router, "delivered")) == 1, "what is new is not held up by what waits")
        (waiting,) = to_sink(router, "retrying")
        listed = command("deliveries", "list", "--status", "retrying", folder=tmp_path, env=router.env).stdout
        assert "next attempt at" in listed
        sent = command("deliveries", "retry", waiting, folder=tmp_path, env=router.env)
        assert sent.returncode == 0, sent.stderr
        eventually(lambda: len(to_sink(router, "delivered")) == 2, "it is sent when somebody says so")
        clock.set(2 * HOUR)
        router.post(prompt(3), ahead=2 * HOUR)
        eventually(lambda: len(to_sink(router, "delivered")) == 3, "and it goes on")
        assert len(receiver.arrived) == 4
