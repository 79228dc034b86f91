"""The simulator sends what the model queues: nothing else, and of it as much as was asked for."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.event import Event
from router.domain.ledger import Ledger
from router.engine.ledger import derive, tags_now
from router.langfuse.scenarios import DELETED_VERSIONS, SCENARIOS, TAGGED_VERSIONS
from router.langfuse.simulator import Step, Webhook, steps
from router.langfuse.wire import decode

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def play(name: str, seed: str = "seed", **options: Any) -> list[Step]:
    return list(steps(SCENARIOS[name], seed=seed, now=lambda: NOW, **options))


def webhooks(played: Sequence[Step]) -> list[Webhook]:
    return [webhook for step in played for webhook in step.webhooks]


def said_of_a_prompt(webhook: Webhook) -> object:
    """Return what a webhook says of a prompt, whichever automation sends it and whenever; None: it is about none."""
    event = decode(webhook.body, "prod", NOW)
    if event.snapshot is None:
        return None
    return event.action, event.snapshot.version_id, event.snapshot.labels, event.snapshot.tags


def events(played: Sequence[Step]) -> list[Event]:
    return [decode(webhook.body, "prod", NOW) for webhook in webhooks(played)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_plays_the_same_story_and_another_one_another(name: str) -> None:
    assert play(name, duplicates=True, shuffle=True) == play(name, duplicates=True, shuffle=True)
    ids = {webhook.id for webhook in webhooks(play(name))}
    assert not ids & {webhook.id for webhook in webhooks(play(name, seed="another"))}
    (project,) = {event.project_id for event in events(play(name))}
    assert {event.project_id for event in events(play(name, seed="another"))} != {project}


@pytest.mark.parametrize("name", SCENARIOS)
def test_shuffling_changes_only_the_order_within_a_step(name: str) -> None:
    plain, shuffled = play(name), play(name, shuffle=True)
    assert [step.title for step in shuffled] == [step.title for step in plain]
    for one, other in zip(plain, shuffled, strict=True):
        assert sorted(other.webhooks, key=str) == sorted(one.webhooks, key=str)
    assert webhooks(plain) != webhooks(shuffled)


@pytest.mark.parametrize("name", SCENARIOS)
def test_duplicates_are_a_second_automations_and_the_very_same_again(name: str) -> None:
    played = webhooks(play(name, duplicates=True))
    once = {webhook.id: webhook for webhook in played}
    assert set(once.values()) == set(played), "the same id has the same bytes"
    assert len(played) > len(once), "some come twice"

    twice = Counter(map(said_of_a_prompt, once.values()))
    plain = Counter(map(said_of_a_prompt, webhooks(play(name))))
    assert {said: 2 * times for said, times in plain.items() if said} == {said: n for said, n in twice.items() if said}
    assert twice[None] == plain[None], "what is about no prompt has one automation"


def test_a_late_double_tells_of_the_step_it_belongs_to() -> None:
    played = play("working-day", duplicates=True)
    late = [(step.number, webhook.step) for step in played for webhook in step.webhooks if webhook.step != step.number]
    assert late
    assert all(0 < sent - of <= 3 or sent == len(played) - 1 for sent, of in late)


def test_the_working_day_has_every_kind_of_thing_in_it() -> None:
    played = events(play("working-day"))
    assert {event.action for event in played} == {"created", "updated", "deleted", None}
    assert {event.type for event in played} == {"prompt-version", "monitor-alert", "project-notification"}
    assert any(event.user is None for event in played if event.action), "somebody used the API"


def test_a_tag_storm_is_one_change() -> None:
    setup, storm = play("tag-storm")
    assert len(storm.webhooks) == TAGGED_VERSIONS
    (first, *_) = told = events([setup])
    assert first.prompt
    known = derive(Ledger(prompt=first.prompt), told).ledger
    derived = derive(known, events([storm]))
    (change,) = [change for change in derived.changes if not change.quiet]
    assert change.tags_gained == ("reviewed",)
    assert tags_now(derived.ledger) == frozenset({"reviewed"})
    assert Counter(status for status, _ in derived.statuses.values()) == {"routed": 1, "quiet": TAGGED_VERSIONS - 1}


def test_a_delete_storm_deletes_every_version() -> None:
    _, storm = play("delete-storm")
    assert [event.action for event in events([storm])] == ["deleted"] * DELETED_VERSIONS


@pytest.mark.parametrize(("prompts", "copies"), [(None, 500), (3, 3)])
def test_a_folder_copy_creates_as_many_prompts_as_are_asked_for(prompts: int | None, copies: int) -> None:
    (step,) = play("folder-copy", prompts=prompts)
    created = events([step])
    assert len({event.prompt for event in created}) == len(created) == copies
    assert {event.action for event in created} == {"created"}


def test_churn_ends() -> None:
    assert len(play("churn", prompts=4)) <= 4 * 20
    assert {event.prompt and event.prompt.name for event in events(play("churn", prompts=1))} == {"team-0/prompt-000"}
