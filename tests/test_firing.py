"""When matches become firings: what a rule tells together, in which order, and what it holds back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.change import Change
from router.domain.event import Event, PromptKey
from router.domain.ledger import Ledger
from router.domain.routing import Firing, Later, Throttle
from router.engine.firing import subject_of
from router.engine.ledger import change_of, derive
from router.engine.order import in_order
from router.engine.plan import Plan, plan
from router.engine.preview import only_rule, preview
from router.engine.ruleset import Ruleset
from tests.build import KEY, NOON, at, prompt_event, ruleset_of

HEAD = """
[sources.prod]
secret = "${SECRET}"
[destinations.log]
type = "log"
"""
SEARCH = msgspec.structs.replace(KEY, name="search")


def rules(*tables: str) -> Ruleset:
    """Rules that write log lines; each is named r0, r1, … and is otherwise as its table says."""
    text = "".join(
        f'[[rules]]\nname = "r{n}"\nactions = [{{ to = "log", text = "{{{{ changes | length }}}} {{{{ held }}}}" }}]\n'
        f"{table}\n"
        for n, table in enumerate(tables)
    )
    return ruleset_of(HEAD + text)


def changes(events: Iterable[Event]) -> tuple[Change, ...]:
    """What the events of one prompt change, without anything known before."""
    found = list(events)
    assert found[0].prompt is not None
    return derive(Ledger(prompt=found[0].prompt), found).changes


def created(*versions: int, key: PromptKey = KEY, first: float = 0) -> tuple[Change, ...]:
    return changes(prompt_event("created", n, [], updated=first + n, key=key) for n in versions)


def told(planned: Plan, rule: str = "r0") -> list[tuple[str, ...]]:
    return [firing.changes for firing in planned.firings if firing.rule == rule]


def ids(found: Iterable[Change]) -> tuple[str, ...]:
    return tuple(change.id for change in found)


# ---- group


def test_a_rule_fires_for_each_change() -> None:
    found = created(1, 2, 3)
    assert told(plan(rules(""), found, now=NOON)) == [(change.id,) for change in found]


def test_grouped_by_prompt_it_fires_once_for_a_batch() -> None:
    found = (*created(1, 2, 3), *created(1, 2, key=SEARCH))
    planned = plan(rules('group = "prompt"'), found, now=NOON)
    assert told(planned) == [ids(found[:3]), ids(found[3:])]
    assert [delivery.message.text for delivery in planned.deliveries if delivery.message] == ["3 0", "2 0"]  # type: ignore[union-attr]


def test_grouped_by_prompt_it_tells_only_what_it_matches() -> None:
    found = created(1, 2, 3)
    planned = plan(rules('group = "prompt"\nmatch = { version = { gte = 2 } }'), found, now=NOON)
    assert told(planned) == [ids(found[1:])]


def test_events_of_no_prompt_are_told_one_by_one() -> None:
    alerts = [change_of(alert(n)) for n in range(3)]
    assert len(told(plan(rules('group = "prompt"\nmatch = { type = "*" }'), alerts, now=NOON))) == 3


def alert(number: int, type: str = "monitor-alert", source: str = "prod") -> Event:
    return Event(id=f"alert-{number}", source=source, type=type, timestamp=at(number), received_at=at(number), body={})


# ---- order


def test_what_is_lost_is_told_before_what_is_gained() -> None:
    history = [prompt_event("created", n, ["production"] if n == 3 else [], updated=n) for n in (3, 4)]
    known = derive(Ledger(prompt=KEY), history).ledger
    both = [
        prompt_event("updated", 4, ["production"], updated=20),
        prompt_event("updated", 3, [], updated=20),
    ]
    planned = plan(rules('group = "prompt"\nmatch = { labels_lost = "*" }'), derive(known, both).changes, now=NOON)
    for batch in (both, both[:1]):  # with the event of the version that lost it, and without
        found = derive(known, batch).changes
        assert [change.labels_gained for change in found] == [("production",), ()]
        assert [change.labels_gained for change in in_order(found)] == [(), ("production",)]
    assert len(told(planned)) == 1


def test_a_loss_that_a_gain_implies_stays_beside_it() -> None:
    history = [prompt_event("created", n, ["production"] if n == 3 else [], updated=n) for n in (3, 4, 5)]
    known = derive(Ledger(prompt=KEY), history).ledger
    batch = [
        prompt_event("updated", 4, ["production"], updated=20),
        prompt_event("updated", 5, ["staging"], updated=30),
    ]
    found = in_order(derive(known, batch).changes)
    assert [(change.version.number, change.origin) for change in found if change.version] == [
        (3, "inferred"),
        (4, "webhook"),
        (5, "webhook"),
    ]


def test_deletions_stay_in_the_order_in_which_versions_are_counted_down() -> None:
    known = derive(Ledger(prompt=KEY), [prompt_event("created", n, [], updated=n) for n in range(1, 6)]).ledger
    gone = [prompt_event("deleted", n, [], updated=n, sent=100 + (n * 7) % 5) for n in range(1, 6)]
    assert [change.versions_left for change in in_order(derive(known, gone).changes)] == [4, 3, 2, 1, 0]


def test_prompts_are_mixed_by_time() -> None:
    cart, search = created(1, 3, 5), created(2, 4, key=SEARCH)
    numbers = [change.version.number for change in in_order((*search, *cart)) if change.version]
    assert numbers == [1, 2, 3, 4, 5]


def test_a_deletion_counts_from_when_it_was_sent_and_a_creation_from_when_it_was_made() -> None:
    (gone,) = changes([prompt_event("deleted", 1, [], updated=1, sent=500)])
    assert gone.happened_at == at(500)
    event = prompt_event("created", 1, [], updated=90)
    assert event.snapshot is not None
    content = msgspec.structs.replace(event.snapshot.content, created_at=at(3))
    snapshot = msgspec.structs.replace(event.snapshot, content=content)
    (made,) = changes([msgspec.structs.replace(event, snapshot=snapshot)])
    assert made.happened_at == at(3)


# ---- fallback


FALLBACK = "fallback = true"


@pytest.mark.parametrize(
    ("others", "fires"),
    [
        ([], True),
        (["match = { version = 1 }"], False),
        (["match = { version = 2 }"], True),
        (['mode = "shadow"'], True),
        (["enabled = false"], True),
        (['throttle = "1h"'], False),
        (['collect = "1h"'], False),
        ([FALLBACK], False),
        ([f'{FALLBACK}\nmode = "shadow"'], True),
        (["match = { version = 1 }", FALLBACK], False),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_fallback_fires_where_no_other_rule_does(others: list[str], fires: bool, first: bool) -> None:
    """Wherever it stands in the file; of two fallbacks the first one fires."""
    tables = [FALLBACK, *others] if first else [*others, FALLBACK]
    name = "r0" if first else f"r{len(others)}"
    planned = plan(rules(*tables), created(1), now=NOON)
    if first and FALLBACK in others:
        fires = not any("version = 1" in other for other in others)
    assert bool(told(planned, name)) is fires


def test_a_fallback_says_who_kept_it_quiet() -> None:
    (change,) = created(1)
    planned = plan(rules("", "", FALLBACK), [change], now=NOON)
    verdict = planned.verdicts[change.id][2]
    assert verdict.verdict == "no"
    (clause,) = verdict.clauses
    assert (clause.clause, clause.got, clause.verdict) == ("fallback", ["r0", "r1"], "no")


def test_a_fallback_of_a_group_tells_what_no_other_rule_did() -> None:
    found = created(1, 2, 3)
    planned = plan(rules("match = { version = 2 }", f'{FALLBACK}\ngroup = "prompt"'), found, now=NOON)
    assert told(planned, "r1") == [(found[0].id, found[2].id)]


def test_a_look_at_one_rule_is_decided_among_all() -> None:
    event = prompt_event("created", 1, [], updated=0)
    found = only_rule(preview(rules("", FALLBACK), event), "r1")
    assert [verdict.rule for verdict in found.plan.verdicts[found.changes[0].id]] == ["r1"]
    assert found.plan.firings == ()


# ---- throttle, collect


def holds(planned: Plan) -> list[tuple[int, object]]:
    return [(len(firing.changes), firing.hold) for firing in planned.firings]


def test_of_a_throttled_rule_the_first_may_fire_and_the_others_of_the_prompt_wait_as_one() -> None:
    found = (*created(1, 2, 3), *created(1, key=SEARCH))
    planned = plan(rules('throttle = "10m"'), found, now=NOON)
    cart, search, span = subject_of(found[0]), subject_of(found[3]), timedelta(minutes=10)
    assert holds(planned) == [(1, Throttle(cart, span)), (2, Later(cart, span)), (1, Throttle(search, span))]
    assert {delivery.firing for delivery in planned.deliveries} == {planned.firings[0].id, planned.firings[2].id}


def test_without_a_prompt_a_throttle_counts_by_type_and_source() -> None:
    several = [alert(1), alert(2), alert(3, source="dev"), alert(4, type="project-notification")]
    planned = plan(rules('throttle = "10m"\nmatch = { type = "*" }'), list(map(change_of, several)), now=NOON)
    assert [type(hold).__name__ for _, hold in holds(planned)] == ["Throttle", "Later", "Throttle", "Throttle"]


@pytest.mark.parametrize(
    ("collect", "due"),
    [
        ('"90s"', timedelta(seconds=90)),
        ('{ cron = "0 9 * * 1" }', NOON.replace(day=30, hour=9)),
        ('{ cron = "30 9 * * *", zone = "Europe/Berlin" }', NOON.replace(day=25, hour=8, minute=30)),
    ],
)
def test_a_collecting_rule_gathers_all_that_it_matches(collect: str, due: object) -> None:
    found = (*created(1, 2), *created(1, key=SEARCH))
    planned = plan(rules(f"collect = {collect}"), found, now=NOON)
    assert holds(planned) == [(3, Later("", due))]  # type: ignore[arg-type]
    assert planned.deliveries == ()


def test_ahead_of_its_time_what_is_held_is_shown_as_it_would_be_told() -> None:
    planned = plan(rules('collect = "90s"', 'throttle = "1h"'), created(1, 2, 3), now=NOON, ahead=True)
    texts = [delivery.message.text for delivery in planned.deliveries if delivery.message]  # type: ignore[union-attr]
    assert sorted(texts) == ["1 0", "2 2", "3 3"]


# ---- whatever comes

TABLE = st.builds(
    lambda *keys: "\n".join(filter(None, keys)),
    st.sampled_from(["", 'group = "prompt"']),
    st.sampled_from(["", 'throttle = "10m"', 'collect = "1m"']),
    st.sampled_from(["", FALLBACK]),
    st.sampled_from(["", 'mode = "shadow"', "enabled = false"]),
    st.sampled_from(["", "match = { version = { lte = 3 } }", 'match = { labels_lost = "*" }']),
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["created", "updated", "deleted"]),
        st.integers(1, 5),
        st.sets(st.sampled_from(["production", "staging", "latest"])),
        st.integers(0, 5),
    ),
    max_size=12,
)


def _story(events: Sequence[tuple[Any, int, set[str], int]], key: PromptKey) -> tuple[Change, ...]:
    found = [prompt_event(action, n, labels, updated=when, key=key) for action, n, labels, when in events]
    return changes(found) if found else ()


@given(st.lists(TABLE, min_size=1, max_size=4), EVENTS, EVENTS)
def test_each_rule_tells_each_change_that_it_matched_once(tables: list[str], cart: Any, search: Any) -> None:
    ruleset = rules(*tables)
    found = (*_story(cart, KEY), *_story(search, SEARCH))
    planned = plan(ruleset, found, now=NOON)
    for rule in ruleset.rules:
        matched = [
            id
            for id, verdicts in planned.verdicts.items()
            if any(verdict.rule == rule.name and verdict.verdict == "match" for verdict in verdicts)
        ]
        fired = [firing for firing in planned.firings if firing.rule == rule.name]
        assert Counter(id for firing in fired for id in firing.changes) == Counter(matched)
        assert {firing.mode for firing in fired} <= {rule.mode}
        assert len({firing.id for firing in fired}) == len(fired)
        for _, of_subject in groupby(sorted(fired, key=_subject), key=_subject):
            holds = [type(firing.hold) for firing in of_subject]
            assert holds.count(Throttle) <= 1
            assert holds.count(Later) <= 1
    by_id = {change.id: change for change in found}
    for firing in planned.firings:
        _is_in_order([by_id[id] for id in firing.changes])


def _subject(firing: Firing) -> str:
    return firing.hold.subject if firing.hold else firing.id


def _is_in_order(told: Sequence[Change]) -> None:
    """What one event showed stands together, the loss that it implied first."""
    for _, shown in groupby(told, key=lambda change: change.event.id):
        kinds = [bool(change.labels_gained) for change in shown]
        assert kinds == sorted(kinds)


@given(st.permutations(range(6)))
def test_prompts_are_told_in_the_same_order_whichever_came_first(order: Sequence[int]) -> None:
    each = [created(1, key=msgspec.structs.replace(KEY, name=f"p{n}"), first=n)[0] for n in range(6)]
    assert in_order(each[n] for n in order) == each
