"""What Langfuse's API shows against what is known, case by case: the import, the comparison, when it is believed."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
import pytest

from router.domain.change import Move
from router.domain.event import Event
from router.domain.ledger import Ledger
from router.domain.listing import Ask, Listed
from router.engine.ledger import derive, labels_held
from router.engine.reconcile import Difference, absorb, compare, due
from router.langfuse.api import as_created, as_known, event_for, has_references, read_list, read_version, version_query
from router.langfuse.bodies import Row, prompt_json
from router.langfuse.wire import Unintelligible
from tests.build import KEY, at, prompt_event

EMPTY = Ledger(prompt=KEY)
LONG_AGO = -1_000_000
NOT_FRESH = at(1_000)


def row(
    version: int, labels: Iterable[str] = (), *, updated: float, id: str | None = None, made: float = LONG_AGO
) -> Row:
    return Row(
        id=id or f"id-{version}",
        name=KEY.name,
        version=version,
        project_id=KEY.project_id,
        created_by="u1",
        labels=tuple(labels),
        prompt=f"text of version {version}",
        type="text",
        config={},
        commit_message=None,
        tags=(),
        created_at=at(made),
        updated_at=at(updated),
    )


def shown(*rows: Row) -> list[Event]:
    return [read_version(msgspec.json.encode(prompt_json(row)), KEY.source, at(0)) for row in rows]


def listed(*rows: Row) -> Listed:
    return Listed(
        name=KEY.name,
        versions=frozenset(row.version for row in rows),
        labels=frozenset(label for row in rows for label in row.labels),
        tags=frozenset(),
        updated_at=max(row.updated_at for row in rows),
    )


def imported(*rows: Row, before: datetime | None = None, fresh: datetime = NOT_FRESH) -> Ledger:
    return absorb(EMPTY, shown(*rows), before=before, fresh=fresh)


def found(
    known: Ledger, *rows: Row, updated: Listed | None = None, seen: Collection[str] = ()
) -> tuple[tuple[Difference, ...], list[Ask]]:
    """Return what differs from these rows, and what was asked."""
    reading = compare(known, listed(*rows) if rows else None, updated, seen)
    asked: list[Ask] = []
    try:
        asks = next(reading)
        while True:
            asked += asks
            answers = [
                next((row for row in rows if ask.version == row.version or ask.label in row.labels), None)
                for ask in asks
            ]
            asks = reading.send([None if row is None else shown(row)[0] for row in answers])
    except StopIteration as end:
        return end.value, asked


V3 = row(3, ["production"], updated=0)
V4 = row(4, ["latest"], updated=10)
MOVED = (row(3, [], updated=20), row(4, ["latest", "production"], updated=20))


# ---- the import


def test_what_the_import_knows_is_moved_by_a_later_webhook() -> None:
    derived = derive(imported(V3, V4), [prompt_event("updated", 4, ["production", "latest"], updated=20)])
    (change,) = [change for change in derived.changes if not change.half]
    assert change.moved == (Move("production", 3, 4),)
    assert not change.assumed
    assert change.replaced["production"].number == 3


def test_a_created_version_that_was_imported_is_not_told_again() -> None:
    created = prompt_event("created", 4, ["latest"], updated=10, sent=11)
    assert derive(imported(V3, V4), [created]).statuses[created.id][0] == "duplicate"


def test_a_waiting_change_that_langfuse_already_shows_is_assumed_and_has_no_move() -> None:
    waiting = prompt_event("updated", 4, ["production", "latest"], updated=20)
    derived = derive(imported(*MOVED, before=waiting.stamp.updated_at), [waiting])
    (change,) = derived.changes
    assert change.labels_gained == ("latest", "production")
    assert change.assumed
    assert change.moved == ()
    assert change.labels_lost == ()


def test_what_is_older_than_the_waiting_event_counts_as_known_before_it() -> None:
    staging = row(2, ["staging"], updated=5)
    waiting = prompt_event("updated", 4, ["staging", "latest"], updated=20)
    ledger = imported(staging, V3, row(4, ["staging", "latest"], updated=20), before=waiting.stamp.updated_at)
    (change,) = [change for change in derive(ledger, [waiting]).changes if not change.half]
    assert change.moved == (Move("staging", 2, 4),)


def test_the_versions_and_texts_behind_a_waiting_event_are_known() -> None:
    waiting = prompt_event("created", 5, ["latest"], updated=20)
    ledger = imported(V3, row(4, [], updated=20), before=waiting.stamp.updated_at)
    (change,) = [change for change in derive(ledger, [waiting]).changes if change.action == "created"]
    assert change.replaced[""].number == 4
    assert ledger.contents["id-4"].prompt == "text of version 4"


def test_an_event_that_comes_after_the_import_but_whose_change_it_shows_is_told_once_and_assumed() -> None:
    ledger = imported(*MOVED, fresh=at(15))
    gain = prompt_event("updated", 4, ["production", "latest"], updated=20, sent=25)
    first = derive(ledger, [gain])
    (change,) = first.changes
    assert (change.assumed, change.moved, change.labels_gained) == (True, (), ("latest", "production"))
    loss = prompt_event("updated", 3, [], updated=20, sent=25)
    second = derive(first.ledger, [loss])
    assert second.statuses[loss.id][0] == "quiet"
    double = prompt_event("updated", 4, ["production", "latest"], updated=20, sent=26)
    assert derive(second.ledger, [double]).statuses[double.id][0] == "duplicate"


def test_a_creation_that_the_import_shows_is_told_when_its_event_comes() -> None:
    ledger = imported(V3, row(4, ["latest"], updated=20, made=20), fresh=at(15))
    created = prompt_event("created", 4, ["latest"], updated=20, sent=25)
    (change,) = derive(ledger, [created]).changes
    assert change.action == "created"
    assert not change.assumed


def test_what_was_already_known_from_webhooks_stays() -> None:
    known = derive(EMPTY, [prompt_event("created", 5, ["production"], updated=50)]).ledger
    ledger = absorb(known, shown(V3, V4, row(5, [], updated=40)), before=None, fresh=at(1_000))
    assert {label: version.number for label, version in labels_held(ledger).items()} == {"production": 5, "latest": 4}


# ---- the comparison


def test_what_agrees_with_the_list_is_not_read() -> None:
    assert found(imported(V3, V4), V3, V4) == ((), [])


def test_a_version_that_is_not_known_was_created() -> None:
    differences, asked = found(imported(V3), V3, V4)
    assert [(one.action, one.version_id) for one in differences] == [("created", "id-4")]
    assert asked == [Ask(version=4), Ask(label="latest")]


def test_a_missed_move_is_found_by_what_was_updated_lately() -> None:
    differences, asked = found(imported(V3, V4), *MOVED, updated=listed(*MOVED))
    assert [(one.action, one.version_id) for one in differences] == [("updated", "id-3"), ("updated", "id-4")]
    assert asked == [Ask(version=3), Ask(version=4)]


def test_a_version_that_is_as_new_as_the_newest_is_not_read() -> None:
    known = imported(*MOVED)
    assert found(known, *MOVED, updated=listed(*MOVED)) == ((), [])


def test_an_absence_is_believed_only_after_a_direct_read() -> None:
    """The list may have been made between two pages, or of versions that passed a filter."""
    reading = compare(imported(V3, V4), listed(V4))
    assert next(reading) == [Ask(version=3)]
    with pytest.raises(StopIteration) as end:
        reading.send(shown(V3))
    assert end.value.value == ()


def test_a_prompt_that_is_not_listed_is_read_version_by_version() -> None:
    differences, asked = found(imported(V3, V4))
    assert {(one.action, one.version_id) for one in differences} == {("deleted", "id-3"), ("deleted", "id-4")}
    assert asked[:2] == [Ask(version=3), Ask(version=4)]


def test_a_label_that_is_gone_is_looked_for_before_its_loss_is_believed() -> None:
    """Two reads around a move can show the label on none of the versions."""
    known = imported(V3, V4)
    reading = compare(known, listed(row(3, [], updated=20), V4))
    assert next(reading) == [Ask(version=3)]
    assert reading.send(shown(row(3, [], updated=20))) == [Ask(label="production")]
    with pytest.raises(StopIteration) as end:
        reading.send(shown(MOVED[1]))
    assert {one.version_id for one in end.value.value} == {"id-3", "id-4"}


def test_a_number_that_is_used_again_is_a_deletion_and_a_creation() -> None:
    differences, _ = found(imported(V3, V4), V3, row(4, ["latest"], updated=40, id="other"))
    assert [(one.action, one.version_id) for one in differences] == [("deleted", "id-4"), ("created", "other")]


def test_what_differed_before_is_read_again_when_it_is_not_updated_lately_any_more() -> None:
    known = imported(row(3, updated=0), row(4, ["latest"], updated=30))
    again = (row(3, updated=10, id="new"), row(4, ["latest"], updated=30))
    once, _ = found(known, *again, updated=listed(*again))
    assert [(one.action, one.version_id) for one in once] == [("deleted", "id-3"), ("created", "new")]
    assert found(known, *again, seen=[one.version_id for one in once])[0] == once


def test_a_version_known_only_by_an_update_was_created_unseen() -> None:
    known = derive(EMPTY, [prompt_event("updated", 3, ["production"], updated=0)]).ledger
    differences, _ = found(known, V3)
    assert [(one.action, one.version_id) for one in differences] == [("created", "id-3")]


# ---- believing


def look(
    known: Ledger, seen: Mapping[str, datetime], now: datetime, *rows: Row
) -> tuple[list[str], dict[str, datetime]]:
    differences, _ = found(known, *rows, updated=listed(*rows))
    told, left = due(differences, seen, known, now=now, there=now)
    return [one.version_id for one in told], left


def test_a_difference_is_told_when_two_looks_a_minute_apart_see_it() -> None:
    known = imported(V3, V4)
    told, seen = look(known, {}, at(100), *MOVED)
    assert (told, seen) == ([], {"id-3": at(100), "id-4": at(100)})
    told, seen = look(known, seen, at(159), *MOVED)
    assert told == []
    told, seen = look(known, seen, at(160), *MOVED)
    assert (told, seen) == (["id-3", "id-4"], {})


def test_a_difference_that_went_by_itself_is_forgotten() -> None:
    _, seen = look(imported(V3, V4), {}, at(100), *MOVED)
    told, seen = look(imported(*MOVED), seen, at(200), *MOVED)
    assert (told, seen) == ([], {})


def test_what_was_written_a_moment_ago_is_left_to_its_webhook_even_if_the_version_differed_before() -> None:
    known = imported(V3, V4)
    _, seen = look(known, {}, at(100), *MOVED)
    again = (MOVED[0], row(4, ["latest", "production", "staging"], updated=150))
    differences, _ = found(known, *again, updated=listed(*again))
    told, _ = due(differences, seen, known, now=at(170), there=at(170))
    assert [one.version_id for one in told] == ["id-3", "id-4"], "a loss is told with its gain"
    alone = (V3, row(4, ["latest", "staging"], updated=150))
    differences, _ = found(known, *alone, updated=listed(*alone))
    told, _ = due(differences, {"id-4": at(100)}, known, now=at(170), there=at(170))
    assert told == ()


def test_the_event_of_a_missed_move_is_told_like_any_other_and_its_webhook_is_a_duplicate_later() -> None:
    known = imported(V3, V4)
    differences, _ = found(known, *MOVED, updated=listed(*MOVED))
    derived = derive(known, [event_for(one, known, at(100)) for one in differences])
    (change,) = [change for change in derived.changes if not change.half]
    assert (change.origin, change.moved) == ("reconcile", (Move("production", 3, 4),))
    late = prompt_event("updated", 4, ["production", "latest"], updated=20, sent=500)
    assert derive(derived.ledger, [late]).statuses[late.id][0] == "duplicate"
    by_webhook = derive(known, [late, prompt_event("updated", 3, [], updated=20, sent=500)])
    assert change.id in {change.id for change in by_webhook.changes}


def test_a_missed_deletion_shows_the_version_as_it_was_known() -> None:
    known = imported(V3, V4)
    differences, _ = found(known, V4)
    (event,) = [event_for(one, known, at(100)) for one in differences]
    assert (event.action, event.timestamp, event.origin) == ("deleted", at(100), "reconcile")
    (change,) = derive(known, [event]).changes
    assert change.labels_lost == change.labels_removed == ("production",)
    assert event.snapshot is not None
    assert event.snapshot.content.prompt == "text of version 3"
    late = prompt_event("deleted", 3, ["production"], updated=0, sent=500)
    assert derive(derive(known, [event]).ledger, [late]).statuses[late.id][0] == "duplicate"


def test_whoever_finds_the_same_makes_the_same_event() -> None:
    one, other = shown(MOVED[1])[0], shown(MOVED[1])[0]
    assert (one.id, one.body) == (other.id, other.body)
    assert as_created(one).id != one.id


# ---- what the answers mean


def test_the_list_is_read_as_old_and_new_servers_write_it() -> None:
    raw = {
        "data": [{"name": "a", "versions": [1, 2], "labels": ["x"], "tags": []}],
        "meta": {"totalPages": 3, "page": 1},
    }
    page = read_list(msgspec.json.encode(raw))
    assert page.pages == 3
    assert page.prompts == (
        Listed(name="a", versions=frozenset({1, 2}), labels=frozenset({"x"}), tags=frozenset(), updated_at=None),
    )


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"data": 5}', b"<html>", b"\xff"])
def test_an_answer_of_another_form_is_said_to_be_one(raw: bytes) -> None:
    with pytest.raises(Unintelligible):
        read_list(raw)
    with pytest.raises(Unintelligible):
        read_version(raw, "prod", at(0))


def test_the_text_is_taken_from_the_resolved_version_and_nothing_else() -> None:
    reference = "@@@langfusePrompt:name=greeting|label=production@@@ and more"
    raw = {**prompt_json(MOVED[1]), "prompt": reference, "resolutionGraph": None}
    cached = {**prompt_json(V4), "prompt": "Hello and more"}
    assert has_references(msgspec.json.encode(raw))
    event = read_version(msgspec.json.encode(raw), "prod", at(0), resolved=msgspec.json.encode(cached))
    assert event.snapshot is not None
    assert event.snapshot.content.prompt == "Hello and more"
    assert event.snapshot.labels == frozenset({"latest", "production"})
    assert "resolutionGraph" not in str(event.body)


def test_a_version_is_asked_for_by_number_or_label_and_never_from_the_cache() -> None:
    assert version_query(Ask(version=3)) == {"version": "3", "resolve": "false"}
    assert version_query(Ask(label="a b")) == {"label": "a b", "resolve": "false"}
    assert version_query(Ask(version=3), resolved=True)["resolve"] == "true"


def test_a_version_can_be_meant_by_the_number_under_which_a_webhook_told_it() -> None:
    event = as_known(shown(V3)[0], "project/checkout/cart/3")
    assert event.snapshot is not None
    assert event.snapshot.version_id == "project/checkout/cart/3"
    assert event.snapshot.updated_at - at(0) == timedelta()
