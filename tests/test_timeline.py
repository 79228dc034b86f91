"""The picture of a label's history: what is drawn follows from what was told, whatever that is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from router.service.console.timeline import MOST_MOMENTS, timeline
from router.service.prompts import PromptHistory, PromptView, VersionView, prompt_history
from router.storage.records import Holding
from router.storage.store import Store
from tests.build import KEY, at
from tests.past import promoted_and_rolled_back

NOW = at(100_000)
PROMPT = PromptView(
    source="prod", project_id="project", name="checkout/cart", labels={}, tags=(), versions=(), seen_at=NOW
)


def history(*labels: Holding, versions: tuple[VersionView, ...] = ()) -> PromptHistory:
    return PromptHistory(prompt=PROMPT, labels=labels, versions=versions, changes=(), more=False)


@st.composite
def held(draw: st.DrawFn) -> tuple[Holding, ...]:
    """What is told of a few labels, the newest first: one holder after the other, some of them with gaps between."""
    found: list[Holding] = []
    for label in draw(st.sets(st.sampled_from(["latest", "production", "staging"]), min_size=1)):
        steps = draw(st.lists(st.integers(0, 5_000), min_size=1, max_size=60))
        times = [at(sum(steps[: place + 1])) for place in range(len(steps))]
        known = draw(st.booleans())
        ends = [*times[1:], None]
        found += [
            Holding(
                label=label,
                version=draw(st.integers(1, 9)),
                since=since if place or known else None,
                until=until,
                now=until is None,
            )
            for place, (since, until) in reversed(list(enumerate(zip(times, ends, strict=True))))
        ]
    return tuple(found)


@given(held())
def test_bars_of_a_lane_stand_in_the_picture_one_after_the_other(labels: tuple[Holding, ...]) -> None:
    picture = timeline(history(*labels), NOW + timedelta(days=7))
    assert picture is not None
    assert {lane.label for lane in picture.lanes} == {holding.label for holding in labels}
    for lane in picture.lanes:
        assert 0 < lane.y < picture.height
        assert lane.bars[-1].holding.now
        assert lane.bars[-1].x + lane.bars[-1].width == picture.width
        for bar, after in zip(lane.bars, lane.bars[1:], strict=False):
            assert 0 <= bar.x < bar.x + bar.width <= after.x
    assert len(picture.ticks) <= MOST_MOMENTS


@given(held())
def test_what_was_earlier_stands_further_to_the_left(labels: tuple[Holding, ...]) -> None:
    picture = timeline(history(*labels), NOW + timedelta(days=7))
    assert picture is not None
    bars = [bar for lane in picture.lanes for bar in lane.bars if bar.holding.since is not None]
    by_time = sorted(bars, key=lambda bar: bar.holding.since or NOW)
    assert [bar.x for bar in by_time] == sorted(bar.x for bar in bars)


def test_a_rollback_is_marked_and_what_nobody_told_is_vague(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        promoted_and_rolled_back(store)
        detail = store.prompt(KEY)
    assert detail is not None
    picture = timeline(prompt_history(detail), NOW)
    assert picture is not None
    drawn = {lane.label: [(bar.version, bar.back, bar.holding.now) for bar in lane.bars] for lane in picture.lanes}
    assert drawn["production"] == [(3, False, False), (4, False, False), (3, True, True)]
    unknown = timeline(history(Holding(label="production", version=2, now=True)), NOW)
    assert unknown is not None
    ((bar,),) = (lane.bars for lane in unknown.lanes)
    assert (bar.vague, bar.x, bar.width) == (True, 0, unknown.width)


def test_versions_are_marked_where_they_were_created() -> None:
    version = VersionView(
        id="a",
        version=7,
        deleted=False,
        type="text",
        created_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
        created_by=None,
        commit_message=None,
        variables=(),
        updated_at=NOW,
    )
    picture = timeline(history(Holding(label="latest", version=7, since=at(0), now=True), versions=(version,)), NOW)
    assert picture is not None
    assert [(made.versions, made.x) for made in picture.made] == [((version,), picture.lanes[0].bars[0].x)]


def test_without_labels_there_is_no_picture() -> None:
    assert timeline(history(), NOW) is None
