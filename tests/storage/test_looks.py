"""What is remembered of Langfuse's API: the import, looks, differences, and the right to look."""

from datetime import timedelta

from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.storage.looks import Progress
from router.storage.store import Store
from tests.storage.make import KEY, NOW, full_ledger, new_event, single_event

MINUTE = timedelta(minutes=1)


def test_an_import_is_stored_prompt_by_prompt(store: Store) -> None:
    store.take_look("prod", MINUTE).result()
    assert store.look_progress("prod") == Progress()
    assert store.save_import("prod", KEY.name, full_ledger()).result()
    assert store.save_import("prod", "gone", None).result()
    assert store.imported("prod", [KEY.name, "gone", "other"]) == {KEY.name, "gone"}
    assert store.imported("dev", [KEY.name]) == set()
    assert store.whole_ledger(KEY).contents.keys() == {"v-4"}
    store.finish_import("prod", NOW, NOW - MINUTE).result()
    assert store.look_progress("prod") == Progress(project_id=KEY.project_id, imported_at=NOW, looked_at=NOW - MINUTE)


def test_an_import_onto_an_outdated_ledger_is_not_stored(store: Store) -> None:
    store.save_import("prod", KEY.name, full_ledger()).result()
    other = PromptKey("prod", KEY.project_id, "other")
    assert not store.save_import("prod", "other", full_ledger(revision=3, key=other)).result()
    assert store.imported("prod", ["other"]) == set()
    assert store.save_import("prod", KEY.name, full_ledger(revision=1)).result()
    assert store.ledger(KEY).revision == 2


def test_ledgers_are_read_many_at_a_time_and_only_of_that_project(store: Store) -> None:
    keys = [PromptKey("prod", "p-1", f"p/{number}") for number in range(7)]
    for key in (*keys, PromptKey("prod", "p-2", "p/1"), PromptKey("dev", "p-1", "p/1")):
        store.save_import(key.source, key.name, full_ledger(key=key)).result()
    found = store.ledgers("prod", "p-1", [key.name for key in keys[:5]] + ["unknown"])
    assert found == {key.name: store.ledger(key) for key in keys[:5]}
    assert store.alive("prod", "p-1") == {key.name for key in keys}


def test_a_prompt_of_which_nothing_is_left_is_not_alive(store: Store) -> None:
    buried = full_ledger()
    del buried.versions["v-4"]
    store.save_import("prod", KEY.name, buried).result()
    assert store.alive("prod", KEY.project_id) == set()


def test_differences_are_those_of_the_last_look(store: Store) -> None:
    store.take_look("prod", MINUTE).result()
    store.save_import("prod", "a", None).result()
    store.finish_look("prod", "p-1", NOW, {"a": {"v-1": NOW}, "b": {"v-2": NOW, "v-3": NOW - MINUTE}, "c": {}}).result()
    assert store.differing("prod") == {"a": {"v-1": NOW}, "b": {"v-2": NOW, "v-3": NOW - MINUTE}}
    assert store.differing("dev") == {}
    store.finish_look("prod", "p-1", NOW + MINUTE, {"b": {"v-3": NOW - MINUTE}}).result()
    assert store.differing("prod") == {"b": {"v-3": NOW - MINUTE}}
    assert store.imported("prod", ["a"]) == {"a"}
    assert store.look_progress("prod").looked_at == NOW + MINUTE


def test_one_at_a_time_has_the_right_to_look(store: Store) -> None:
    assert store.take_look("prod", MINUTE).result()
    assert not store.take_look("prod", MINUTE).result()
    assert store.take_look("dev", MINUTE).result()
    store.let_go_look("prod").result()
    assert store.take_look("prod", timedelta()).result()
    assert store.take_look("prod", MINUTE).result(), "the right ran out"
    store.keep_look("prod", timedelta()).result()
    assert store.take_look("prod", MINUTE).result()


def test_a_server_that_is_alone_need_not_wait_for_a_right_of_somebody_who_ended(sqlite: str) -> None:
    with Store.open(sqlite, serve=True) as store:
        store.take_look("prod", MINUTE).result()
    with Store.open(sqlite, serve=True) as store:
        assert store.take_look("prod", MINUTE).result()


def test_a_source_was_heard_when_its_last_webhook_came(store: Store) -> None:
    assert store.heard_at("prod") is None
    store.receive(new_event("e-1", received_at=NOW)).result()
    store.receive(single_event("e-2", received_at=NOW + MINUTE)).result()
    store.receive(new_event("e-3", key=PromptKey("dev", "p", "x"), received_at=NOW + 2 * MINUTE)).result()
    assert store.heard_at("prod") == NOW + MINUTE


def test_an_empty_ledger_is_what_nobody_knows(store: Store) -> None:
    assert store.ledgers("prod", "p-1", ["x"]) == {}
    assert store.ledger(KEY) == Ledger(prompt=KEY)
