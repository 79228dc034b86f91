"""What a batch of events changes in the ledger: design, section 4, case by case."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from router.domain.change import Change, Move
from router.domain.event import Event
from router.domain.ledger import Ledger
from router.engine.ledger import Derivation, derive, labels_held, tags_now
from tests.build import KEY, at, prompt_event

EMPTY = Ledger(prompt=KEY)


def after(*batches: Sequence[Event]) -> Ledger:
    ledger = EMPTY
    for batch in batches:
        ledger = derive(ledger, batch).ledger
    return ledger


def acted_on(derived: Derivation) -> list[Change]:
    return [change for change in derived.changes if not change.half and not change.quiet]


def holders(ledger: Ledger) -> dict[str, int]:
    return {label: version.number for label, version in labels_held(ledger).items()}


V3_IN_PRODUCTION = [
    prompt_event("created", 3, ["production", "latest"], updated=0),
    prompt_event("created", 4, ["latest"], updated=10),
    prompt_event("updated", 3, ["production"], updated=10),
]
GAIN = prompt_event("updated", 4, ["production", "latest"], updated=20)
LOSS = prompt_event("updated", 3, [], updated=20)


def test_a_created_version_gains_its_labels_and_tags() -> None:
    (change,) = derive(EMPTY, [prompt_event("created", 1, ["latest", "staging"], updated=0, tags=["a"])]).changes
    assert change.action == "created"
    assert change.labels_gained == ("latest", "staging")
    assert change.tags_gained == ("a",)
    assert not change.assumed
    assert not change.quiet


@pytest.mark.parametrize("order", list(permutations([GAIN, LOSS])))
def test_a_move_is_one_change_whatever_half_comes_first(order: Sequence[Event]) -> None:
    derived = derive(after(V3_IN_PRODUCTION), order)
    (change,) = acted_on(derived)
    assert change.moved == (Move("production", 3, 4),)
    assert change.labels_gained == ("production",)
    assert change.replaced["production"].number == 3
    (half,) = [change for change in derived.changes if change.half]
    assert half.version is not None
    assert (half.version.number, half.labels_lost, half.labels_removed) == (3, ("production",), ())
    assert half.origin == "webhook"
    assert holders(derived.ledger) == {"production": 4, "latest": 4}


def test_a_gain_alone_tells_the_loss_as_inferred_and_the_losers_own_event_is_quiet_later() -> None:
    first = derive(after(V3_IN_PRODUCTION), [GAIN])
    assert [change.moved for change in acted_on(first)] == [(Move("production", 3, 4),)]
    (half,) = [change for change in first.changes if change.half]
    assert (half.origin, half.labels_lost) == ("inferred", ("production",))
    second = derive(first.ledger, [LOSS])
    assert second.statuses[LOSS.id][0] == "quiet"
    assert acted_on(second) == []


def test_a_lost_label_waits_for_its_other_half_and_only_then_is_removed() -> None:
    known = after(V3_IN_PRODUCTION)
    pair = timedelta(seconds=10)
    waiting = derive(known, [LOSS], now=at(25), pair=pair)
    assert waiting.changes == ()
    assert waiting.held == (LOSS.id,)
    assert waiting.until == at(30)
    paired = derive(known, [LOSS, GAIN], now=at(26), pair=pair)
    assert [change.moved for change in acted_on(paired)] == [(Move("production", 3, 4),)]
    over = derive(known, [LOSS], now=at(30), pair=pair)
    (change,) = over.changes
    assert change.labels_removed == change.labels_lost == ("production",)
    assert not change.half


def test_what_happened_before_a_waiting_loss_does_not_wait_with_it() -> None:
    known = after(V3_IN_PRODUCTION)
    earlier = prompt_event("updated", 4, ["latest", "staging"], updated=15)
    waiting = derive(known, [LOSS, earlier], now=at(21), pair=timedelta(seconds=10))
    assert [change.labels_gained for change in waiting.changes] == [("staging",)]
    assert waiting.held == (LOSS.id,)


def test_a_gain_after_the_wait_still_says_who_held_the_label_last() -> None:
    removed = after(V3_IN_PRODUCTION, [LOSS])
    (change,) = acted_on(derive(removed, [GAIN]))
    assert change.moved == (Move("production", 3, 4),)


def test_a_late_snapshot_does_not_move_production_back() -> None:
    moved = after(V3_IN_PRODUCTION, [GAIN, LOSS])
    late = prompt_event("updated", 3, ["production", "staging"], updated=12, sent=90)
    derived = derive(moved, [late])
    assert holders(derived.ledger)["production"] == 4
    assert all("production" not in change.labels_gained for change in derived.changes)


def test_a_snapshot_older_than_all_that_is_known_is_stale() -> None:
    moved = after(V3_IN_PRODUCTION, [GAIN, LOSS])
    late = prompt_event("updated", 3, ["production"], updated=12, sent=90)
    derived = derive(moved, [late])
    assert derived.statuses[late.id][0] == "stale"
    assert derived.changes == ()


def test_a_double_from_another_automation_is_a_duplicate_in_the_same_batch_and_later() -> None:
    double = prompt_event("updated", 4, ["production", "latest"], updated=20, sent=21, by="Bob")
    together = derive(after(V3_IN_PRODUCTION), [GAIN, LOSS, double])
    (change,) = acted_on(together)
    assert change.event.user is not None
    assert change.event.user.name == "Bob", "of equal states the one sent last names the author"
    assert together.statuses[GAIN.id][0] == "duplicate"
    later = derive(after(V3_IN_PRODUCTION, [GAIN, LOSS]), [double])
    assert later.statuses[double.id][0] == "duplicate"
    assert later.changes == ()


def test_the_same_facts_have_the_same_change_id_whoever_reports_them() -> None:
    double = prompt_event("updated", 4, ["production", "latest"], updated=20, sent=500)
    first, second = (derive(after(V3_IN_PRODUCTION), [event]).changes[0] for event in (GAIN, double))
    assert first.id == second.id


def test_two_moves_in_one_batch_are_both_told_with_their_authors() -> None:
    back = [
        prompt_event("updated", 3, ["production"], updated=30, by="Bob"),
        prompt_event("updated", 4, ["latest"], updated=30, by="Bob"),
    ]
    changes = acted_on(derive(after(V3_IN_PRODUCTION), [*back, LOSS, GAIN]))
    assert [change.moved for change in changes] == [(Move("production", 3, 4),), (Move("production", 4, 3),)]
    assert [change.event.user.name for change in changes if change.event.user] == ["Ann", "Bob"]


def test_first_sight_by_an_update_is_assumed_and_claims_no_move() -> None:
    (change,) = derive(EMPTY, [prompt_event("updated", 4, ["production", "latest"], updated=0, tags=["a"])]).changes
    assert change.assumed
    assert change.labels_gained == ("latest", "production")
    assert change.tags_gained == ("a",)
    assert change.moved == ()
    assert change.labels_lost == ()


def test_an_update_that_only_moves_latest_is_quiet() -> None:
    known = after([prompt_event("created", 1, ["latest"], updated=0)])
    event = prompt_event("updated", 1, [], updated=10)
    created = prompt_event("created", 2, ["latest"], updated=10)
    derived = derive(known, [event, created])
    assert derived.statuses[event.id][0] == "quiet"
    assert [change.action for change in acted_on(derived)] == ["created"]


def test_editing_tags_on_many_versions_is_one_change_told_with_the_newest_version() -> None:
    known = after([prompt_event("created", n, ["latest"], updated=n) for n in range(1, 51)])
    storm = [prompt_event("updated", n, ["latest"] if n == 50 else [], updated=100, tags=["new"]) for n in range(1, 51)]
    derived = derive(known, storm)
    (change,) = acted_on(derived)
    assert change.version is not None
    assert (change.version.number, change.tags_gained) == (50, ("new",))
    assert sum(status == "quiet" for status, _ in derived.statuses.values()) == 49
    assert tags_now(derived.ledger) == frozenset({"new"})


def test_a_deleted_version_loses_what_it_held_at_once_and_for_good() -> None:
    known = after(V3_IN_PRODUCTION)
    deleted = prompt_event("deleted", 3, ["production"], updated=10, sent=40)
    derived = derive(known, [deleted], now=at(40), pair=timedelta(seconds=10))
    (change,) = acted_on(derived)
    assert change.action == "deleted"
    assert change.labels_lost == change.labels_removed == ("production",)
    late = prompt_event("updated", 3, ["production", "x"], updated=35)
    after_it = derive(derived.ledger, [late])
    assert after_it.statuses[late.id][0] == "stale"
    assert holders(after_it.ledger) == {"latest": 4}


def test_latest_goes_to_the_highest_remaining_version_when_all_are_known() -> None:
    versions = [prompt_event("created", n, ["latest"], updated=n) for n in (1, 2, 3)]
    known = after(versions)
    deletions = [prompt_event("deleted", n, ["latest"], updated=n, sent=50) for n in (3, 2)]
    derived = derive(known, deletions)
    inferred = [change for change in derived.changes if change.origin == "inferred" and change.labels_gained]
    assert [(change.version.number, change.labels_gained, change.quiet) for change in inferred if change.version] == [
        (1, ("latest",), True)
    ]
    assert holders(derived.ledger) == {"latest": 1}
    assert sorted(change.versions_left for change in acted_on(derived) if change.versions_left is not None) == [1, 2]


def left(derived: Derivation) -> list[int | None]:
    return [change.versions_left for change in acted_on(derived) if change.action == "deleted"]


@pytest.mark.parametrize("order", [1, -1])
def test_deletions_of_one_batch_are_counted_down(order: int) -> None:
    versions = [prompt_event("created", n, ["latest"], updated=n) for n in (1, 2, 3)]
    deletions = [prompt_event("deleted", n, ["latest"] * (n == 3), updated=n, sent=50) for n in (1, 2, 3)]
    assert left(derive(after(versions), deletions[::order])) == [2, 1, 0]


def test_how_many_are_left_is_not_said_of_a_prompt_that_is_not_known_whole() -> None:
    unknown = [prompt_event("deleted", n, ["latest"] * (n == 3), updated=n, sent=50) for n in (1, 2, 3)]
    assert left(derive(after(), unknown[:1])) == [None], "a second version may have been there before"
    assert left(derive(after(), unknown)) == [None, None, 0], "none was above the one that held latest"
    seen = after([prompt_event("updated", 1, ["staging"], updated=1)])
    assert left(derive(seen, unknown[:1])) == [None]


def test_a_reused_number_is_another_version() -> None:
    known = after(
        [prompt_event("created", 1, ["latest"], updated=0, version_id="old")],
        [prompt_event("deleted", 1, ["latest"], updated=0, sent=5, version_id="old")],
    )
    derived = derive(known, [prompt_event("created", 1, ["latest"], updated=9, version_id="new", tags=["t"])])
    (change,) = acted_on(derived)
    assert change.action == "created"
    assert change.tags_gained == ("t",)
    assert holders(derived.ledger) == {"latest": 1}


def test_absent_is_not_empty() -> None:
    known = after([prompt_event("created", 1, ["latest", "production"], updated=0, tags=["a"])])
    silent = prompt_event("updated", 1, None, updated=10, tags=None)
    derived = derive(known, [silent])
    assert derived.statuses[silent.id][0] == "quiet"
    assert holders(derived.ledger) == {"latest": 1, "production": 1}
    assert tags_now(derived.ledger) == frozenset({"a"})


def test_a_creation_that_arrives_after_an_update_of_its_version_is_still_told() -> None:
    known = after([prompt_event("updated", 5, ["staging", "latest"], updated=10)])
    derived = derive(known, [prompt_event("created", 5, ["staging", "latest"], updated=10)])
    (change,) = acted_on(derived)
    assert change.action == "created"
    assert change.labels_gained == ()


def test_an_unknown_version_that_is_deleted_lost_what_its_body_says() -> None:
    known = after(V3_IN_PRODUCTION)
    derived = derive(known, [prompt_event("deleted", 7, ["production"], updated=30, sent=40)])
    (change,) = acted_on(derived)
    assert change.labels_lost == change.labels_removed == ("production",)
    assert "production" not in holders(derived.ledger)


# ---- found by the property tests against the model Langfuse (tests/test_ledger_model.py)


def told_by(*batches: Sequence[Event]) -> list[Change]:
    """Return what is told, batch by batch."""
    ledger = EMPTY
    told: list[Change] = []
    for batch in batches:
        derived = derive(ledger, batch)
        ledger = derived.ledger
        told += derived.changes
    return told


def test_a_creation_that_arrives_after_a_deletion_may_tell_who_has_latest() -> None:
    deleted = prompt_event("deleted", 2, ["latest"], updated=1, sent=5)
    derived = derive(after([deleted]), [prompt_event("created", 1, ["latest"], updated=0)])
    assert holders(derived.ledger) == {"latest": 1}
    assert [change.labels_gained for change in derived.changes if change.origin == "inferred"] == [("latest",)]


def test_the_ledger_of_a_deleted_version_is_the_same_in_any_order() -> None:
    created = prompt_event("created", 1, ["latest"], updated=0, tags=["a"])
    tagged = prompt_event("updated", 1, ["latest"], updated=4, sent=9, tags=["b"])
    deleted = prompt_event("deleted", 1, ["latest"], updated=4, sent=5, tags=["b"])
    first, *others = [after(*([event] for event in order)) for order in permutations([created, tagged, deleted])]
    assert all(other == first for other in others)
    assert tags_now(first) == frozenset()


def test_a_tag_edit_is_told_even_if_only_a_deleted_version_shows_it_yet() -> None:
    known = after([prompt_event("created", n, ["latest"], updated=n) for n in (1, 2)])
    tagged = [prompt_event("updated", n, ["latest"] if n == 2 else [], updated=5, tags=["new"]) for n in (1, 2)]
    deleted = prompt_event("deleted", 2, ["latest"], updated=5, sent=8, tags=["new"])
    known = derive(known, [deleted]).ledger
    late, other = derive(known, [tagged[1]]), derive(known, tagged)
    assert [change.tags_gained for change in acted_on(late)] == [("new",)]
    assert [change.tags_gained for change in acted_on(other)] == [("new",)]


def test_tags_that_only_a_deleted_version_showed_are_told_with_the_next_version() -> None:
    known = after(
        [prompt_event("created", 1, ["latest"], updated=1)],
        [prompt_event("deleted", 1, ["latest"], updated=1, sent=3)],
        [prompt_event("updated", 1, ["latest"], tags=["a"], updated=2, sent=4)],
    )
    (created,) = derive(known, [prompt_event("created", 3, ["latest"], tags=["a"], updated=2, sent=4)]).changes
    assert created.tags_gained == ("a",)


def test_who_inherits_latest_is_told_once() -> None:
    versions = [prompt_event("created", n, ["latest"], updated=n) for n in (1, 2)]
    deleted = prompt_event("deleted", 2, ["latest"], updated=2, sent=5)
    shown = prompt_event("updated", 1, ["latest", "staging"], updated=9)
    gains = [change.labels_gained for change in told_by(versions, [deleted], [shown])]
    assert sum("latest" in gained for gained in gains) == 3, "two creations and the heir"
    (change,) = acted_on(derive(after(versions, [deleted]), [shown]))
    assert change.labels_gained == ("staging",)


def test_a_version_created_after_the_deletion_takes_latest_from_the_heir() -> None:
    versions = [prompt_event("created", n, ["latest"], updated=n) for n in (1, 2)]
    deleted = prompt_event("deleted", 2, ["latest"], updated=2, sent=5)
    again = prompt_event("created", 2, ["latest"], updated=9, version_id="new-2")
    derived = derive(after(versions, [deleted]), [again])
    (change,) = acted_on(derived)
    assert change.moved == (Move("latest", 1, 2),)


def test_a_deletion_may_be_the_first_to_show_that_a_label_had_moved() -> None:
    known = after(V3_IN_PRODUCTION)
    derived = derive(known, [prompt_event("deleted", 4, ["production", "latest"], updated=20, sent=40)])
    (change,) = acted_on(derived)
    assert (change.action, change.labels_removed) == ("deleted", ("production",))
    (half,) = [change for change in derived.changes if change.half]
    assert half.version is not None
    assert (half.version.number, half.labels_lost, half.origin) == (3, ("production",), "inferred")


def test_a_late_claim_of_a_deleted_version_tells_the_loss_of_the_one_thought_to_hold_the_label() -> None:
    known = after(V3_IN_PRODUCTION, [prompt_event("deleted", 4, ["latest"], updated=30, sent=40)])
    derived = derive(known, [GAIN])
    (half,) = derived.changes
    assert half.version is not None
    assert (half.version.number, half.labels_lost, half.labels_removed) == (3, ("production",), ())
    assert holders(derived.ledger) == {}


def test_a_version_that_lost_its_label_and_was_deleted_tells_the_loss_with_the_deletion() -> None:
    deletions = [
        prompt_event("deleted", 4, ["production", "latest"], updated=20, sent=30),
        prompt_event("deleted", 3, [], updated=20, sent=30),
    ]
    third = [change for change in told_by(V3_IN_PRODUCTION, deletions) if change.version and change.version.number == 3]
    assert [change.labels_lost for change in third if change.action == "deleted"] == [("production",)]
    assert all(change.labels_removed == () for change in third)


def test_a_label_that_moved_and_then_went_is_removed_once() -> None:
    gone = prompt_event("updated", 4, ["latest"], updated=22)
    derived = derive(after(V3_IN_PRODUCTION), [GAIN, LOSS, gone])
    removed = [change.version.number for change in derived.changes if change.labels_removed and change.version]
    assert removed == [4]


def test_a_label_that_moved_before_its_new_version_was_deleted_is_removed_once() -> None:
    """The gain has no webhook: Langfuse read the row after it was gone."""
    known = after(
        [
            prompt_event("created", 1, ["production"], updated=1),
            prompt_event("created", 3, ["latest"], updated=2),
            prompt_event("created", 4, ["latest"], updated=3),
        ]
    )
    found = derive(
        known,
        [
            prompt_event("updated", 1, [], updated=6, sent=8),
            prompt_event("deleted", 3, ["production"], updated=7, sent=8),
        ],
    )
    (deleted,) = acted_on(found)
    assert (deleted.action, deleted.labels_removed) == ("deleted", ("production",))


def test_latest_is_not_removed_while_a_version_may_be_left() -> None:
    deleted = prompt_event("deleted", 4, ["latest"], updated=10, sent=40)
    (change,) = acted_on(derive(after(V3_IN_PRODUCTION), [deleted]))
    assert (change.labels_lost, change.labels_removed) == (("latest",), ())
    only = [prompt_event("created", 1, ["latest"], updated=0)]
    (change,) = acted_on(derive(after(only), [prompt_event("deleted", 1, ["latest"], updated=0, sent=9)]))
    assert change.labels_removed == ("latest",)


def test_latest_is_removed_once_when_all_versions_are_deleted_together() -> None:
    known = after([prompt_event("created", n, ["latest"], updated=n) for n in (1, 2, 3)])
    inherited = prompt_event("updated", 1, ["latest"], updated=7)
    deletions = [
        prompt_event("deleted", 3, ["latest"], updated=3, sent=6),
        prompt_event("deleted", 2, [], updated=4, sent=6),
        prompt_event("deleted", 1, ["latest"], updated=7, sent=9),
    ]
    derived = derive(known, [*deletions, inherited])
    removed = [change.version.number for change in derived.changes if change.labels_removed and change.version]
    assert removed == [1]


def test_a_loss_that_no_event_showed_is_told_before_the_label_comes_back() -> None:
    taken = prompt_event("created", 5, ["production", "latest"], updated=20)
    back = [
        prompt_event("updated", 3, ["production"], updated=30),
        prompt_event("updated", 5, ["latest"], updated=30),
    ]
    told = derive(after(V3_IN_PRODUCTION), [taken, *back]).changes
    third = [change for change in told if change.version and change.version.number == 3]
    assert [(change.labels_lost, change.labels_gained) for change in third] == [
        (("production",), ()),
        ((), ("production",)),
    ]


def test_losing_latest_waits_for_nothing() -> None:
    known = after([prompt_event("created", 1, ["latest"], updated=0)])
    lost = prompt_event("updated", 1, [], updated=10)
    derived = derive(known, [lost], now=at(10), pair=timedelta(seconds=10))
    assert derived.held == ()
    assert derived.statuses[lost.id][0] == "quiet"


def test_latest_that_went_to_a_version_not_seen_yet_is_removed_only_with_that_version() -> None:
    told = told_by(
        [
            prompt_event("created", 1, ["latest"], updated=1),
            prompt_event("updated", 1, [], updated=2),
            prompt_event("deleted", 1, [], updated=2, sent=3),
        ],
        [prompt_event("deleted", 2, ["latest"], updated=2, sent=4)],
    )
    assert [change.version.number for change in told if change.version and change.labels_removed] == [2]
