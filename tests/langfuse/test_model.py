"""The model does what Langfuse does, silence included."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import given

from router.engine.ledger import LATEST
from router.langfuse.bodies import Person, prompt_version
from router.langfuse.model import Langfuse, Queued, ticking
from router.langfuse.wire import decode
from tests.sessions import Session, sessions

ANN = Person("u1", "Ann", "ann@example.com")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CART = "checkout/cart"


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


@pytest.fixture
def langfuse() -> Langfuse:
    """A project with two versions of a prompt, the first in production."""
    made = Langfuse("p1", ticking(lambda: NOON), numbered())
    made.create(CART, "one", by=ANN, labels=["production"])
    made.create(CART, "two", by=ANN)
    return made


def seen(queued: Iterable[Queued]) -> list[tuple[str, int, set[str]]]:
    return [(one.action, one.row.version, {*one.row.labels}) for one in queued]


def labels(langfuse: Langfuse, name: str = CART) -> dict[str, int]:
    return {label: row.version for label, row in langfuse.holders(name).items()}


# ---- laws


@given(sessions(silence=True))
def test_a_label_is_on_one_version_and_latest_on_the_highest(session: Session) -> None:
    for moment in session.moments:
        held = [label for row in moment.rows.values() for label in row.labels]
        assert len(held) == len(set(held))
        if moment.rows:
            highest = max(moment.rows.values(), key=lambda row: row.version)
            assert LATEST in highest.labels
        assert len({frozenset(row.tags) for row in moment.rows.values()}) <= 1, "tags are the same on all versions"
        assert len({row.version for row in moment.rows.values()}) == len(moment.rows)


@given(sessions(silence=True))
def test_what_was_not_deleted_in_silence_is_deleted_by_a_webhook(session: Session) -> None:
    once_there = {id for moment in session.moments for id in moment.rows}
    told = {e.snapshot.version_id for e in session.events if e.snapshot and e.action == "deleted"}
    assert once_there - session.end.rows.keys() == told | session.silently_deleted
    assert not told & session.silently_deleted


@given(sessions())
def test_no_row_is_told_with_a_time_it_never_had(session: Session) -> None:
    had = {(row.id, row.updated_at) for moment in session.moments for row in moment.rows.values()}
    for event in session.events:
        assert event.snapshot
        assert (event.snapshot.version_id, event.snapshot.updated_at) in had


# ---- what is queued


def test_a_new_version_takes_latest_and_its_labels_from_the_others(langfuse: Langfuse) -> None:
    queued = langfuse.create(CART, "three", by=ANN, labels=["production"])
    assert seen(queued) == [
        ("created", 3, {"production", LATEST}),
        ("updated", 1, set()),
        ("updated", 2, set()),
    ]


def test_a_new_version_with_other_tags_changes_all_of_them(langfuse: Langfuse) -> None:
    queued = langfuse.create(CART, "three", by=ANN, tags=["a"])
    assert [(one.action, one.row.tags) for one in queued] == [("created", ("a",)), *[("updated", ("a",))] * 2]
    kept = langfuse.create(CART, "four", by=ANN)
    assert [(one.action, one.row.version, one.row.tags) for one in kept] == [
        ("created", 4, ("a",)),
        ("updated", 3, ("a",)),
    ]


def test_the_ui_replaces_labels_and_the_api_adds_them(langfuse: Langfuse) -> None:
    assert seen(langfuse.set_labels(CART, 2, ["staging", "canary"], by=ANN)) == [
        ("updated", 2, {"staging", "canary", LATEST})
    ]
    assert seen(langfuse.set_labels(CART, 2, ["staging"], by=ANN)) == [("updated", 2, {"staging", LATEST})]
    queued = langfuse.add_labels(CART, 2, ["production"])
    assert seen(queued) == [("updated", 1, set()), ("updated", 2, {"production", "staging", LATEST})]
    assert all(one.by is None for one in queued)


def test_editing_tags_queues_a_webhook_for_every_version(langfuse: Langfuse) -> None:
    queued = langfuse.set_tags(CART, ["a"], by=ANN)
    assert [one.row.version for one in queued] == [1, 2]
    assert len({one.row.updated_at for one in queued}) == 1


def test_deleting_in_the_ui_passes_latest_on_in_silence(langfuse: Langfuse) -> None:
    before = langfuse.find(CART, 1)
    deleted = langfuse.find(CART, 2)
    assert langfuse.delete_version(CART, 2, by=ANN) == [Queued(action="deleted", row=deleted, by=ANN)]
    assert labels(langfuse) == {"production": 1, LATEST: 1}
    assert langfuse.find(CART, 1).updated_at > before.updated_at


def test_deleting_through_the_api_queues_nothing(langfuse: Langfuse) -> None:
    assert [row.version for row in langfuse.delete_in_silence(CART, label=LATEST)] == [2]
    assert labels(langfuse) == {"production": 1, LATEST: 1}
    langfuse.delete_in_silence(CART)
    assert langfuse.names() == []


def test_a_deleted_top_version_gives_its_number_to_the_next_one(langfuse: Langfuse) -> None:
    old = langfuse.find(CART, 2)
    langfuse.delete_version(CART, 2, by=ANN)
    langfuse.create(CART, "two again", by=ANN)
    new = langfuse.find(CART, 2)
    assert new.id != old.id


def test_deleting_a_prompt_or_a_folder_queues_every_version(langfuse: Langfuse) -> None:
    langfuse.create("checkout/pay", "one", by=ANN)
    langfuse.create("checkout-old/pay", "one", by=ANN)
    queued = langfuse.delete_folder("checkout", by=ANN)
    assert [(one.action, one.row.name, one.row.version) for one in queued] == [
        ("deleted", CART, 1),
        ("deleted", CART, 2),
        ("deleted", "checkout/pay", 1),
    ]
    assert langfuse.names() == ["checkout-old/pay"]


def test_a_copy_has_every_version_with_its_labels_or_only_the_latest(langfuse: Langfuse) -> None:
    queued = langfuse.duplicate_folder("checkout", "shop", by=ANN)
    assert seen(queued) == [("created", 1, {"production"}), ("created", 2, {LATEST})]
    assert langfuse.names() == [CART, "shop/cart"]
    assert seen(langfuse.duplicate(CART, "one", by=ANN, single=True)) == [("created", 1, {LATEST})]
    with pytest.raises(ValueError, match="already"):
        langfuse.duplicate(CART, "one", by=ANN)


# ---- what is read


def test_an_updated_webhook_shows_what_is_there_when_it_is_read(langfuse: Langfuse) -> None:
    promotion = langfuse.set_labels(CART, 2, ["production"], by=ANN)
    langfuse.set_labels(CART, 1, ["production"], by=ANN)
    shown = [langfuse.read(queued) for queued in promotion]
    assert [(row.version, {*row.labels}) for row in shown if row] == [(2, {LATEST}), (1, {"production"})]


def test_created_and_deleted_webhooks_show_the_row_of_that_moment(langfuse: Langfuse) -> None:
    created = langfuse.create(CART, "three", by=ANN)[0]
    langfuse.set_labels(CART, 3, ["production"], by=ANN)
    assert langfuse.read(created) == created.row
    deleted = langfuse.delete_version(CART, 3, by=ANN)[0]
    assert langfuse.read(deleted) == deleted.row


def test_a_row_that_is_gone_when_it_is_read_sends_no_webhook(langfuse: Langfuse) -> None:
    queued = langfuse.set_labels(CART, 1, ["staging"], by=ANN)
    langfuse.delete_version(CART, 1, by=ANN)
    assert langfuse.read(queued[0]) is None


# ---- on the wire


def test_a_body_is_langfuses_own_key_for_key(langfuse: Langfuse) -> None:
    row = langfuse.find(CART, 2)
    body = prompt_version("updated", row, ANN, id="e1", sent_at=NOON)
    assert list(body) == ["id", "timestamp", "type", "apiVersion", "action", "user", "prompt"]
    assert body["timestamp"] == "2026-11-24T12:00:00.000Z"
    assert body["user"] == {"name": "Ann", "email": "ann@example.com"}
    event = decode(msgspec.json.encode(body), "prod", NOON)
    assert event.snapshot
    assert event.snapshot.version_id == row.id
    assert event.snapshot.updated_at == row.updated_at
    assert event.snapshot.content.prompt == "two"
    assert "user" not in prompt_version("updated", row, None, id="e1", sent_at=NOON)


# ---- the public API


def test_the_api_lists_prompts_by_page(langfuse: Langfuse) -> None:
    for name in ("b", "c"):
        langfuse.create(name, "text", by=ANN, tags=["t"])
    listed = langfuse.list_prompts(page=2, limit=2)
    assert [prompt["name"] for prompt in items(listed)] == ["checkout/cart"]
    assert listed["meta"] == {"page": 2, "limit": 2, "totalItems": 3, "totalPages": 2}
    (cart,) = items(langfuse.list_prompts(name=CART))
    assert (cart["versions"], cart["labels"], cart["tags"]) == ([1, 2], [LATEST, "production"], [])


def test_the_api_filters_rows_before_it_groups_them(langfuse: Langfuse) -> None:
    (cart,) = items(langfuse.list_prompts(label="production"))
    assert (cart["versions"], cart["labels"]) == ([1], ["production"])
    since = langfuse.find(CART, 2).updated_at + timedelta(milliseconds=5)
    assert items(langfuse.list_prompts(from_updated_at=since)) == []


def test_the_api_shows_production_unless_asked_for_another(langfuse: Langfuse) -> None:
    assert (langfuse.get_prompt(CART) or {})["version"] == 1
    assert (langfuse.get_prompt(CART, label=LATEST) or {})["version"] == 2
    assert (langfuse.get_prompt(CART, version=2) or {})["labels"] == [LATEST]
    assert langfuse.get_prompt(CART, version=3) is None
    assert langfuse.get_prompt("nothing") is None


def items(listed: Mapping[str, object]) -> list[dict[str, object]]:
    found = listed["data"]
    assert isinstance(found, list)
    return found
