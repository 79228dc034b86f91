"""Telling again: what is there is left alone, what is asked for comes once, and what is newer stays."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from router.domain.delivery import Accepted, Answer
from router.domain.problem import RouterError
from router.engine.ruleset import Ruleset
from router.service.replay import Counted, Telling, carry_out, count, events_again, prompts_told
from router.storage.records import DeliveryFilter, DeliveryRecord, EventFilter, PromptFilter
from router.storage.store import Store
from tests.build import KEY, prompt_event, ruleset_of
from tests.past import promoted_and_rolled_back, route
from tests.storage.make import claim_all, end

HEAD = """
[sources.prod]
secret = "s"
[destinations.team]
type = "log"
[destinations.files]
type = "log"
ordered = true
"""
RULE = """
[[rules]]
name = "promoted"
match = { labels_gained = "production" }
actions = [{ to = "team", text = "v{{ prompt.version }} {{ event.replay }} {{ event.origin }}" }]
"""
EVERYTHING = EventFilter(source="prod")
NOW = datetime(2026, 11, 24, 13, tzinfo=UTC)


@pytest.fixture
def past(store: Store) -> Store:
    promoted_and_rolled_back(store)
    return store


def rules(*texts: str) -> Ruleset:
    return ruleset_of(HEAD + "".join(texts))


def again(
    store: Store,
    ruleset: Ruleset,
    wanted: EventFilter | Collection[int] = EVERYTHING,
    *,
    only: frozenset[str] | None = None,
    force: bool = False,
) -> Counted:
    """Count, do it, and see that it was done as counted."""
    telling = Telling(ruleset=ruleset, rules=only, force=force)
    counted = count(events_again(store, telling, wanted, NOW))
    done = carry_out(store, events_again(store, telling, wanted, NOW), NOW)
    assert (done.changes, done.deliveries, done.there) == (counted.changes, counted.deliveries, counted.there)
    return done


def texts(store: Store) -> list[str]:
    found = [store.delivery(one.key) for one in reversed(deliveries(store))]
    return [str(getattr(one.message, "text", None)) for one in found if one]


def deliveries(store: Store) -> tuple[DeliveryRecord, ...]:
    return store.deliveries(DeliveryFilter(), limit=1000).items


def test_a_new_rule_is_told_what_happened_as_it_was_derived_and_the_ledger_stays(past: Store) -> None:
    before = past.whole_ledger(KEY)
    done = again(past, rules(RULE))
    assert texts(past) == ["v3 true webhook", "v4 true webhook", "v3 true webhook"]
    assert done.made == 3
    assert past.whole_ledger(KEY) == before
    one = deliveries(past)[0]
    detail = past.delivery(one.key)
    assert detail is not None
    assert detail.events, "it is known what led to it"


def test_twice_sends_nothing_twice_unless_asked(past: Store) -> None:
    again(past, rules(RULE))
    done = again(past, rules(RULE))
    assert (done.made, done.there) == (0, 3)
    done = again(past, rules(RULE), force=True)
    assert (done.made, done.there) == (3, 0)
    again(past, rules(RULE), force=True)
    keys = [one.key for one in deliveries(past)]
    assert len(keys) == len(set(keys)) == 9


def test_a_new_action_is_made_beside_those_that_are_there(past: Store) -> None:
    again(past, rules(RULE))
    more = RULE.replace("actions = [{", 'actions = [{ to = "files" }, {')
    done = again(past, rules(more))
    assert [(one.to, one.count) for one in done.deliveries] == [("files", 3)]
    assert done.there == 3


def test_only_the_chosen_rules_are_told(past: Store) -> None:
    other = RULE.replace("promoted", "other")
    done = again(past, rules(RULE, other), only=frozenset({"other"}))
    assert {one.rule for one in done.deliveries} == {"other"}
    event = past.events(EVERYTHING, limit=10).items[-1]
    assert again(past, rules(RULE), [event.seq]).made == 1


def test_what_a_shadow_rule_captured_is_let_go_when_it_is_live(past: Store) -> None:
    done = again(past, rules(RULE.replace("match", 'mode = "shadow"\nmatch')))
    assert done.made == 3
    assert {one.status for one in deliveries(past)} == {"captured"}
    done = again(past, rules(RULE))
    assert (done.made, done.released) == (0, 3)
    assert {one.status for one in deliveries(past)} == {"pending"}


def test_what_was_told_together_is_told_together_again(store: Store) -> None:
    route(store, [prompt_event("created", number, [], updated=number) for number in (1, 2, 3)])
    grouped = RULE.replace('labels_gained = "production"', 'action = "created"')
    grouped = grouped.replace("match", 'group = "prompt"\nmatch').replace(
        "v{{ prompt.version }}", "{{ changes | length }}"
    )
    (event, *_) = store.events(EVERYTHING).items
    assert again(store, rules(grouped)).made == 1
    done = again(store, rules(grouped), [event.seq], force=True)
    assert done.made == 1
    assert texts(store) == ["3 true webhook"] * 2


@pytest.mark.parametrize("how", ['collect = "1h"', 'throttle = "1h"'])
def test_nothing_is_held_back(past: Store, how: str) -> None:
    done = again(past, rules(RULE.replace("match", f"{how}\nmatch")))
    assert (done.made, done.held) == ((1, 0) if "collect" in how else (2, 0))
    assert past.due_windows(10) == []


def test_an_older_state_does_not_follow_a_newer_one(past: Store) -> None:
    ordered = rules(RULE.replace('to = "team"', 'to = "files"'))
    events = past.events(EVERYTHING, limit=10).items
    again(past, ordered, [events[0].seq, events[1].seq])
    (claim,) = claim_all(past, destination="files")
    end(past, claim, Answer(outcome=Accepted()), final="delivered")
    done = again(past, ordered)
    assert (done.made, done.superseded) == (2, 2)
    assert [one.status for one in deliveries(past)] == ["cancelled", "cancelled", "delivered"]
    assert again(past, ordered, [events[-1].seq], force=True).superseded == 0


def test_a_rule_that_is_not_in_force_is_refused(past: Store) -> None:
    with pytest.raises(RouterError, match=r'no rule .*did you mean "promoted"'):
        Telling(ruleset=rules(RULE), rules=frozenset({"promotd"}))


# ---- what is


def fill(store: Store, ruleset: Ruleset, *, force: bool = False, **wanted: str) -> Counted:
    telling = Telling(ruleset=ruleset, rules=frozenset({"promoted"}), force=force)
    return carry_out(store, prompts_told(store, telling, PromptFilter(**wanted), NOW), NOW)


def test_a_rule_is_told_what_is_and_what_is_known_stays_so(past: Store) -> None:
    before = past.prompt(KEY)
    done = fill(past, rules(RULE))
    assert (done.changes, done.made) == (1, 1)
    assert texts(past) == ["v3 false backfill"]
    assert past.prompt(KEY) == before, "nothing happened"
    assert fill(past, rules(RULE)).made == 0
    assert fill(past, rules(RULE), force=True).made == 1
    assert again(past, rules(RULE)).made == 3, "what happened is another thing, and what is happened to nobody"


def test_a_changed_state_is_told_again(past: Store) -> None:
    fill(past, rules(RULE))
    route(past, [prompt_event("updated", 3, ["production", "eu"], updated=40)])
    assert fill(past, rules(RULE)).made == 1


@pytest.mark.parametrize(
    ("match", "versions"),
    [
        ('action = "created"', ["v3", "v4"]),
        ('action = "updated", labels_gained = "production"', ["v3"]),
        ('author = "Bob"', []),
        ('origin = "!backfill"', []),
    ],
)
def test_a_version_is_told_as_created_or_else_as_updated(past: Store, match: str, versions: list[str]) -> None:
    fill(past, rules(RULE.replace('labels_gained = "production"', match)))
    assert [text.split()[0] for text in texts(past)] == versions


def test_prompts_are_chosen(past: Store) -> None:
    assert fill(past, rules(RULE), like="faq*").made == 0
    assert fill(past, rules(RULE), like="checkout/*", label="production").made == 1


def test_what_is_told_on_request_is_forgotten_in_time(past: Store) -> None:
    fill(past, rules(RULE))
    (event,) = [event for event in past.events(EVERYTHING).items if event.origin == "backfill"]
    assert (event.status, event.reason) == ("routed", "told on request")
    claims = claim_all(past)
    for claim in claims:
        end(past, claim, Answer(outcome=Accepted()), final="delivered")
    past.forget_events(datetime.now(UTC) + timedelta(days=1), 0).result()
    assert past.event(event.id) is None
