"""Stored changes come back as they were derived, with their contents."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from router.domain.change import Change
from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.domain.routing import Routing, SettledEvent
from router.engine.ledger import change_of, contents_needed, derive, with_contents
from router.storage import changes as changes_module
from router.storage.changes import ChangeFilter
from router.storage.events import NewEvent, decoded
from router.storage.store import Store

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)


def body(
    id: str, action: str, version: int, labels: list[str], minute: int, name: str = "cart", **more: Any
) -> dict[str, Any]:
    time = (TEN + timedelta(minutes=minute)).isoformat()
    prompt = {
        "id": f"{name}-{version}",
        "name": name,
        "version": version,
        "projectId": "p1",
        "labels": labels,
        "tags": more.pop("tags", ["shop"]),
        "type": "text",
        "prompt": f"Text {version} of {name}: \0 {{{{tier}}}}",
        "config": {"temperature": version / 10},
        "commitMessage": f"message {version}",
        "updatedAt": time,
        "createdAt": (TEN + timedelta(minutes=version)).isoformat(),
    }
    user = {"name": "Ann", "email": "ann@example.com"}
    return {"id": id, "timestamp": time, "type": "prompt-version", "action": action, "user": user, "prompt": prompt}


def route(store: Store, at: datetime, *bodies: dict[str, Any]) -> tuple[Change, ...]:
    """Store the events, then what they change, as the service does; return the changes as derived."""
    for one in bodies:
        prompt = one.get("prompt") or {}
        event = NewEvent(
            source="prod",
            id=one["id"],
            type=one["type"],
            action=one.get("action"),
            project_id=prompt.get("projectId"),
            prompt=prompt.get("name"),
            received_at=TEN,
            body=msgspec.json.encode(one),
        )
        store.receive(event).result()
    found: list[Change] = []
    for batch in store.waiting():
        stored = store.batch(batch.key or batch.seq)
        events = {row.id: decoded(row) for row in stored}
        settled = tuple(SettledEvent(row.seq, "routed") for row in stored)
        ledger: Ledger | None = None
        if batch.key is None:
            derived = tuple(map(change_of, events.values()))
        else:
            derivation = derive(store.ledger(batch.key), events.values())
            ledger = derivation.ledger
            contents = ledger.contents | store.contents(batch.key, contents_needed(derivation.changes))
            derived = tuple(with_contents(change, contents) for change in derivation.changes)
        routing = Routing(
            ledger=ledger, events=settled, changes=derived, verdicts={}, firings=(), deliveries=(), ruleset="r"
        )
        assert store.commit([routing], at).result().routings == [routing]
        found += derived
    return tuple(found)


@pytest.fixture
def told(store: Store) -> tuple[Change, ...]:
    """What a history of two prompts and an alert changed."""
    first = route(
        store,
        TEN,
        body("e-1", "created", 3, ["production", "latest"], 3),
        body("e-2", "created", 4, ["latest"], 4),
        body("e-3", "created", 1, ["latest"], 3, "search"),
        {"id": "alert", "timestamp": TEN.isoformat(), "type": "monitor-alert", "payload": {"message": {"title": "!"}}},
    )
    second = route(
        store,
        TEN + timedelta(hours=1),
        body("e-4", "updated", 4, ["production", "latest"], 10),  # version 3 lost it, and no event says so
        body("e-5", "updated", 4, ["production", "latest"], 11, tags=["shop", "new"]),
        body("e-6", "deleted", 3, ["production"], 3),
    )
    return (*first, *second)


def test_changes_come_back_as_they_were_derived(store: Store, told: tuple[Change, ...]) -> None:
    assert {change.origin for change in told} >= {"webhook", "inferred"}
    assert any(version.content is not None for change in told for version in change.replaced.values())
    assert store.changes([change.id for change in reversed(told)]) == list(told)
    assert store.changes([]) == []
    assert store.changes(["unknown"]) == []


def test_they_can_be_gone_through_by_time_source_and_prompt(
    store: Store, told: tuple[Change, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "PORTION", 2)  # so that there are several
    assert list(store.changes_matching(ChangeFilter())) == list(told)
    assert list(store.changes_matching(ChangeFilter(source="dev"))) == []
    later = list(store.changes_matching(ChangeFilter(since=TEN + timedelta(minutes=1))))
    assert later == list(told[-len(later) :])
    assert {change.event.id for change in later} == {"e-4", "e-5", "e-6"}
    assert list(store.changes_matching(ChangeFilter(until=TEN + timedelta(minutes=1)))) == list(told[: -len(later)])
    search = list(store.changes_matching(ChangeFilter(source="prod", prompt="search")))
    assert [change.prompt for change in search] == [PromptKey("prod", "p1", "search")]
