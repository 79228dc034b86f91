"""Who sends an event waits for the step of routing that is under way, so steps are short."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from router.domain.event import PromptKey
from router.service.routing import EVENTS_AT_ONCE, portions
from router.storage.events import WaitingBatch

AT = datetime(2026, 11, 23, tzinfo=UTC)


def batch(seq: int, count: int) -> WaitingBatch:
    key = PromptKey("prod", "project", f"prompt-{seq}")
    return WaitingBatch(key=key, seq=seq, source="prod", count=count, first_received_at=AT, last_received_at=AT)


@given(counts=st.lists(st.integers(1, 2 * EVENTS_AT_ONCE)))
def test_a_step_is_short_unless_one_batch_is_long(counts: list[int]) -> None:
    due = [batch(seq, count) for seq, count in enumerate(counts)]
    steps = list(portions(due))
    assert [one for step in steps for one in step] == due
    for step in steps:
        assert len(step) == 1 or sum(one.count for one in step) <= EVENTS_AT_ONCE


def test_small_batches_share_a_step() -> None:
    due = [batch(seq, 1) for seq in range(EVENTS_AT_ONCE + 4)]
    assert [len(step) for step in portions(due)] == [EVENTS_AT_ONCE, 4]
