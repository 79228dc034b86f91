"""A source that says nothing for longer than it should is told; so is the rest of what a look finds."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from router.domain.source import Source
from router.domain.text import Text
from router.service.reconcile import Look, tell_missed
from router.service.silence import Silence
from router.service.troubles import Troubles
from router.storage.records import EventFilter
from router.storage.store import Store
from tests.build import NOON, at, prompt_event
from tests.past import route
from tests.storage.make import change

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/router.db", serve=True) as store:
        yield store


def source(expect_every: timedelta | None) -> dict[str, Source]:
    return {"prod": Source(name="prod", secrets=(Text("s"),), expect_every=expect_every)}


async def said(store: Store, expect_every: timedelta | None, *hours: float) -> list[str]:
    """Listen after each of these hours; return what was said."""
    words: list[str] = []
    silence = Silence(store, lambda name, why: words.append(f"{name}: {why}"))
    for hour in hours:
        await silence.listen(source(expect_every), NOON + hour * HOUR)
    return words


async def test_a_source_that_was_heard_lately_is_fine(store: Store) -> None:
    route(store, [prompt_event("created", 1, ["latest"], updated=0)])
    assert await said(store, 2 * HOUR, 1.9) == []
    (why,) = await said(store, 2 * HOUR, 2.1)
    assert why == "prod: no webhook has come since 2026-11-24 12:00 UTC, and one is expected every 2h."


async def test_a_source_that_was_never_heard_gets_its_time_from_the_start(store: Store) -> None:
    assert await said(store, 2 * HOUR, 0, 1.9) == []
    assert len(await said(store, 2 * HOUR, 0, 2.1)) == 1


async def test_a_source_may_be_silent_for_ever(store: Store) -> None:
    assert await said(store, None, 0, 10_000) == []


async def told(store: Store, look: Look) -> dict[str, str]:
    """Return the troubles by kind, with their messages."""
    troubles = Troubles(store, lambda: None)
    tell_missed(look, troubles)
    await troubles.close()
    found = {}
    for event in store.events(EventFilter(source="router")).items:
        detail = store.event(event.id)
        assert detail is not None
        found[event.type] = msgspec.json.decode(detail.body)["message"]
    return found


MISSED = Look(source="prod", imported=0, prompts=1, read=2, waiting=0, missed=(change(),), heard_at=None)


async def test_what_was_missed_is_named_in_one_trouble(store: Store) -> None:
    many = msgspec.structs.replace(
        MISSED, missed=tuple(change(f"c-{number}") for number in range(25)), heard_at=at(9e9)
    )
    troubles = await told(store, many)
    assert list(troubles) == ["router.missed"]
    assert "25 changes" in troubles["router.missed"]
    assert troubles["router.missed"].count("checkout/cart: production set on v4") == 20
    assert "and 5 more" in troubles["router.missed"]


async def test_changes_without_a_webhook_since_mean_that_the_automation_is_off(store: Store) -> None:
    troubles = await told(store, MISSED)
    assert troubles.keys() == {"router.missed", "router.source_silent"}
    assert "no webhook has come yet" in troubles["router.source_silent"]
    assert "switch it on again" in troubles["router.source_silent"]


async def test_deletions_that_no_webhook_could_tell_mean_nothing_of_the_kind(store: Store) -> None:
    deleted = msgspec.structs.replace(change(), action="deleted")
    assert list(await told(store, msgspec.structs.replace(MISSED, missed=(deleted,)))) == ["router.missed"]


async def test_a_look_that_missed_nothing_says_nothing(store: Store) -> None:
    assert await told(store, msgspec.structs.replace(MISSED, missed=())) == {}
    await asyncio.sleep(0)
