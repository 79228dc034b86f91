"""What somebody tries ends in time; what is in force has no deadline."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from router.engine.deadline import OutOfTime, within
from router.engine.match.pattern import SlowPattern, compile_regex
from router.engine.template import TemplateError, compile_template

LOOP = compile_template("{% for i in range(99999) %}{% if i %}{% endif %}{% endfor %}", "text")
SLOW = compile_regex("(.*a){20}b", ignore_case=False)


@pytest.mark.parametrize("work", [lambda: LOOP.render({}), lambda: SLOW("a" * 20_000, 0.05)])
def test_many_slow_things_together_take_no_longer_than_they_may(work: Callable[[], object]) -> None:
    began = time.monotonic()
    with within(0.2), pytest.raises(OutOfTime):
        again_and_again(work)
    assert time.monotonic() - began < 5
    LOOP.render({})


def again_and_again(work: Callable[[], object]) -> None:
    for _ in range(1_000):
        with suppress(SlowPattern, TemplateError):
            work()
