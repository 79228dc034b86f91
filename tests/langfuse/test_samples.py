"""Samples are what Langfuse sends, and with their history they are what they say."""

from datetime import UTC, datetime

import msgspec
import pytest

from router.domain.change import Change, Move
from router.domain.event import Content
from router.domain.ledger import Ledger
from router.engine.content import variables_of
from router.engine.ledger import derive
from router.langfuse.bodies import Body
from router.langfuse.samples import KINDS, history, sample
from router.langfuse.wire import decode

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def change_by(kind: str) -> Change:
    """Return what the sample changes after its history."""
    first, *others = [decode(msgspec.json.encode(body), "prod", NOW) for body in (*history(kind), sample(kind))]
    assert first.prompt
    ledger = Ledger(prompt=first.prompt)
    for event in (first, *others):
        derived = derive(ledger, [event])
        ledger = derived.ledger
    return derived.changes[0]


def content_of(body: Body) -> Content:
    event = decode(msgspec.json.encode(body), "prod", NOW)
    assert event.snapshot
    return event.snapshot.content


@pytest.mark.parametrize("kind", KINDS)
def test_every_sample_can_be_understood_and_is_always_the_same(kind: str) -> None:
    body: Body = sample(kind)
    event = decode(msgspec.json.encode(body), "prod", NOW)
    assert event.project_id
    assert list(body)[:4] == ["id", "timestamp", "type", "apiVersion"]
    ids = [body["id"] for body in (*history(kind), sample(kind))]
    assert len(set(ids)) == len(ids)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(LookupError):
        sample("nothing")


def test_the_promotion_moves_production_and_brings_a_variable() -> None:
    change = change_by("promoted")
    assert change.moved == (Move("production", 3, 4),)
    assert not change.assumed
    had, has = ({*(variables_of(content_of(body)) or ())} for body in (history("promoted")[3], sample("promoted")))
    assert has - had == {"customer_tier"}


def test_the_roll_back_goes_back() -> None:
    assert change_by("rolled-back").moved == (Move("production", 4, 3),)


def test_the_deletion_leaves_nobody_in_production() -> None:
    change = change_by("deleted")
    assert (change.action, change.labels_removed, change.versions_left) == ("deleted", ("production",), 3)


def test_the_tags_are_gained() -> None:
    change = change_by("tags")
    assert change.tags_gained == ("catalogue", "checkout")
    assert change.version
    assert change.version.number == 4


def test_the_creation_is_the_fourth() -> None:
    change = change_by("created")
    assert change.action == "created"
    assert change.version
    assert change.version.number == 4
