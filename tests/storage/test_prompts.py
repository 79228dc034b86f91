"""Prompts as history: what the store tells about who held which label."""

import pytest

from router.domain.event import PromptKey
from router.domain.problem import RouterError
from router.engine.ledger import labels_held
from router.storage.records import PromptFilter
from router.storage.store import Store
from tests.build import KEY, at, prompt_event
from tests.past import promoted_and_rolled_back, route

SEARCH = PromptKey("prod", "project", "search")


def test_a_prompt_tells_who_holds_each_label_and_who_did_since_when_and_by_whom(store: Store) -> None:
    promoted_and_rolled_back(store)
    found = store.prompt(KEY)
    assert found is not None
    production = [holding for holding in found.holdings if holding.label == "production"]
    assert [(one.version, one.since, one.until, one.by, one.now) for one in production] == [
        (3, at(30), None, "Cy", True),
        (4, at(20), at(30), "Bob", False),
        (3, at(0), at(20), "Ann", False),
    ]
    latest = [holding for holding in found.holdings if holding.label == "latest"]
    assert [(one.version, one.since, one.now) for one in latest] == [(4, at(10), True), (3, at(0), False)]


def test_the_timeline_tells_a_move_once_and_nothing_quiet(store: Store) -> None:
    promoted_and_rolled_back(store)
    found = store.prompt(KEY, limit=3)
    assert found is not None
    assert [(one.happened_at, one.action, one.author) for one in found.changes] == [
        (at(30), "updated", "Cy"),
        (at(20), "updated", "Bob"),
        (at(10), "created", "Bob"),
    ]
    assert found.more
    assert found.ledger.contents["id-3"].commit_message == "be brief"


def test_a_label_that_was_there_before_the_router_has_no_beginning(store: Store) -> None:
    route(store, [prompt_event("created", 5, ["staging", "latest"], updated=0)])
    known = store.ledger(KEY)
    assert labels_held(known)["staging"].number == 5
    route(store, [prompt_event("updated", 5, ["latest"], updated=10, by="Ann")])
    found = store.prompt(KEY)
    assert found is not None
    (staging,) = [holding for holding in found.holdings if holding.label == "staging"]
    assert (staging.version, staging.since, staging.until, staging.now) == (5, at(0), at(10), False)


def test_a_deletion_ends_what_the_version_held_when_it_was_told(store: Store) -> None:
    route(store, [prompt_event("created", 1, ["production", "latest"], updated=0)])
    route(store, [prompt_event("deleted", 1, ["production", "latest"], updated=0, sent=50)])
    found = store.prompt(KEY)
    assert found is not None
    assert {(one.label, one.until) for one in found.holdings} == {("latest", at(50)), ("production", at(50))}


def test_prompts_are_listed_by_name_page_by_page(store: Store) -> None:
    names = ["b", "a/x", "a/y", "ab", "c"]
    for name in names:
        route(store, [prompt_event("created", 1, ["latest"], updated=0, key=PromptKey("prod", "project", name))])
    seen: list[str] = []
    cursor = None
    while True:
        page = store.prompts(PromptFilter(), limit=2, cursor=cursor)
        seen += [ledger.prompt.name for ledger in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(names)
    assert seen.index("a/x") < seen.index("a/y") < seen.index("b") < seen.index("c")
    assert [ledger.prompt.name for ledger in store.prompts(PromptFilter(folder="a")).items] == ["a/x", "a/y"]
    assert store.prompts(PromptFilter(source="other")).items == ()
    with pytest.raises(RouterError, match="cursor"):
        store.prompts(PromptFilter(), cursor="nonsense")


def test_nothing_is_known_of_a_prompt_that_never_came(store: Store) -> None:
    assert store.prompt(SEARCH) is None
