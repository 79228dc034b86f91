"""`any`, `all` and `none`: the algebra of yes, no and error, names, labels, and how deep and large it may get."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.engine.match import Vocabulary, compile_matches
from tests.build import prompt_event
from tests.match.cases import (
    ALERT,
    BACK,
    HALF,
    HISTORY,
    MOVE,
    MOVED,
    QUIET,
    SETTING,
    answer,
    changes,
    compiled,
    faults,
    judged,
)

LEAVES: dict[str, dict[str, Any]] = {
    "yes": {"prompt": "checkout/cart"},
    "no": {"prompt": "search"},
    "error": {"where": [{"path": "$.action", "gt": 1}]},
}

trees = st.recursive(
    st.sampled_from(list(LEAVES)),
    lambda inner: st.tuples(st.sampled_from(["any", "all", "none"]), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=15,
)


def written(tree: Any) -> dict[str, Any]:
    if isinstance(tree, str):
        return LEAVES[tree]
    group, members = tree
    return {group: [written(member) for member in members]}


def expected(tree: Any) -> str:
    """Return what the design says, word for word."""
    if isinstance(tree, str):
        return tree
    group, members = tree
    answers = [expected(member) for member in members]
    decisive, otherwise = {"any": ("yes", "no"), "all": ("no", "yes"), "none": ("yes", "yes")}[group]
    if decisive in answers:
        return "no" if group != "any" else "yes"
    return "error" if "error" in answers else otherwise


@given(trees)
def test_answers_combine_as_promised_at_any_depth(tree: Any) -> None:
    assert answer(MOVED, **written(tree)) == expected(tree)


def test_verdicts_of_groups_are_trees() -> None:
    said = judged(MOVED, {"any": [{"author": "bob"}, {"labels_gained": "production", "none": [{"author": "ann"}]}]})
    (group,) = said.clauses
    assert (group.clause, group.got, group.verdict) == ("any", "0 of 2 hold", "no")
    first, second = group.inner
    assert (first.clause, first.got, first.verdict) == ("any[0]", "0 of 1 hold", "no")
    assert [one.clause for one in first.inner] == ["author"]
    assert (second.clause, second.got, second.verdict) == ("any[1]", "1 of 2 hold", "no")
    assert [(one.clause, one.verdict) for one in second.inner] == [("labels_gained", "yes"), ("none", "no")]
    assert second.inner[1].inner[0].inner[0].got == ["Ann", "ann@example.com"]


def test_a_or_b_and_not_c_or_d() -> None:
    match = {
        "any": [{"author": "ann"}, {"author": "bob"}],
        "none": [{"labels": "canary"}, {"tags": "draft"}],
    }
    assert answer(MOVED, **match) == "yes"
    (draft,) = changes([prompt_event("created", 1, ["latest"], updated=0, tags=["draft"])])
    assert answer(draft, **match) == "no"


# ---- defaults


def test_defaults_belong_to_the_outermost_match() -> None:
    assert answer(ALERT, any=[{"type": "monitor-alert"}]) == "no"
    assert answer(ALERT, type="*", any=[{"type": "monitor-alert"}]) == "yes"
    assert answer(ALERT, type="*", none=[{"action": "deleted"}]) == "yes"
    assert answer(QUIET, any=[{"quiet": True}]) == "no"
    assert answer(QUIET, quiet=True, all=[{"action": "updated"}]) == "yes"


def test_a_match_in_a_match_can_name_latest_and_losses_unless_it_is_unwanted() -> None:
    assert answer(QUIET, any=[{"labels_lost": "latest"}, {"labels_gained": "production"}]) == "yes"
    assert answer(QUIET, none=[{"labels_gained": "latest"}]) == "no"
    assert answer(HALF, any=[{"labels_lost": "production"}, {"action": "deleted"}]) == "yes"
    assert answer(HALF, none=[{"labels_lost": "staging"}]) == "no"


# ---- labels

(_, BOTH, _) = changes(
    [
        *HISTORY,
        prompt_event("created", 5, ["staging", "latest"], updated=15, tags=["shop"]),
        prompt_event("updated", 4, [], updated=15, tags=["shop"]),
    ],
    [
        prompt_event("updated", 4, ["production", "staging"], updated=20, tags=["shop"]),
        prompt_event("updated", 3, [], updated=20, tags=["shop"]),
        prompt_event("updated", 5, ["latest"], updated=20, tags=["shop"]),
    ],
)
"""v4 took production from v3, and staging back from v5."""


@pytest.mark.parametrize(
    ("match", "label"),
    [
        ({}, "production"),
        ({"any": [{"labels_gained": "staging"}]}, "staging"),
        ({"any": [{"labels_gained": "canary"}, {"labels_gained": "staging"}]}, "staging"),
        ({"labels_gained": "production", "any": [{"labels_gained": "staging"}]}, "production"),
        ({"all": [{"any": [{"labels_gained": "staging"}]}]}, "staging"),
        ({"any": [{"labels_gained": "staging", "author": "bob"}, {"labels_gained": "production"}]}, "production"),
        ({"none": [{"labels_gained": "staging", "author": "bob"}]}, "production"),
    ],
)
def test_the_label_meant_may_be_named_by_a_match_in_it_that_holds(match: dict[str, Any], label: str) -> None:
    assert compiled(match).label(BOTH, SETTING) == label


def test_each_match_compares_by_the_label_that_it_names_itself() -> None:
    assert answer(BOTH, any=[{"labels_gained": "production", "rollback": True}]) == "no"
    assert answer(BOTH, any=[{"labels_gained": "staging", "rollback": True}]) == "yes"
    assert answer(BOTH, labels_gained="staging", any=[{"rollback": True}]) == "yes", "else that of the one around"
    rolled_back = {"any": [{"labels_gained": label, "rollback": True} for label in ("production", "staging")]}
    assert compiled(rolled_back).label(BOTH, SETTING) == "staging"
    assert answer(BOTH, rollback=True, any=[{"labels_gained": "staging"}]) == "yes"
    (_, back) = changes(HISTORY, MOVE, BACK)
    assert answer(back, **rolled_back) == "yes"


# ---- names


def vocabulary(**matches: Any) -> Vocabulary:
    known, found = compile_matches(matches, {}, {})
    assert not found
    return known


def name_faults(**matches: Any) -> list[str]:
    return [f"{'.'.join(map(str, path))}: {what}" for path, what in compile_matches(matches, {}, {})[1]]


def test_a_match_can_be_named_also_by_another_named_one() -> None:
    known = vocabulary(outsiders={"none": ["managers"]}, managers={"author": ["ann@example.com", "bob@example.com"]})
    assert judged(MOVED, {"any": ["managers"]}, known).answer == "yes"
    assert judged(MOVED, {"all": ["outsiders"]}, known).answer == "no"
    (group,) = judged(MOVED, {"all": ["outsiders", {"action": "updated"}]}, known).clauses
    assert [one.clause for one in group.inner] == ["matches.outsiders", "all[1]"]


def test_an_unknown_name_is_a_fault_with_a_suggestion() -> None:
    known = vocabulary(managers={"author": "ann"})
    assert faults({"none": [{"any": ["mangers"]}]}, known) == [
        'none.0.any.0: there is no [matches.mangers]; did you mean "managers"?'
    ]
    assert name_faults(a={"any": ["b"]}) == ["matches.a.any.0: there is no [matches.b]"]


def test_faults_of_a_named_match_are_told_once_where_they_stand() -> None:
    broken, found = compile_matches({"a": {"any": [{"where": [{"path": "x", "equals": 1}]}]}}, {}, {})
    assert [path for path, _ in found] == [("matches", "a", "any", 0, "where", 0, "path")]
    assert faults({"all": ["a"]}, broken) == []


def test_names_that_go_round_in_a_circle_are_refused() -> None:
    assert name_faults(a={"any": ["b"]}, b={"none": [{"action": "created", "all": ["c"]}]}, c={"all": ["a"]}) == [
        "matches.a.any.0: goes round in a circle: a → b → c → a",
        "matches.b.none.0.all.0: goes round in a circle: b → c → a → b",
        "matches.c.all.0: goes round in a circle: c → a → b → c",
    ]
    assert name_faults(a={"any": ["a"]}) == ["matches.a.any.0: goes round in a circle: a → a"]
    known, _ = compile_matches({"a": {"any": ["a"]}}, {}, {})
    assert faults({"any": ["a"]}, known) == [], "it is told where it stands"


def chain(length: int, group: str = "all") -> dict[str, Any]:
    return {f"m{n}": {group: [f"m{n - 1}"]} if n else {"action": "updated"} for n in range(length)}


def test_matches_nest_a_hundred_deep_and_no_deeper() -> None:
    known = vocabulary(**chain(99))
    assert judged(MOVED, {"all": ["m98"]}, known).answer == "yes"
    assert name_faults(**chain(101)) == ["matches.m100: matches are nested deeper than 100"]
    assert len(name_faults(**chain(5_000))) == 4_900


def test_names_that_double_at_every_step_are_refused() -> None:
    doubling = {f"m{n}": {"all": [f"m{n - 1}"] * 2} if n else {"action": "updated"} for n in range(60)}
    found = name_faults(**doubling)
    assert "more than 10,000 clauses" in found[0]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ([], "any: expected a list of matches"),
        ({"action": "created"}, "any: expected a list of matches"),
        ([{}], "any.0: an empty match holds for everything"),
        ([4], "any.0: expected a match or the name of one, got the number 4"),
        ([{"labels_gaind": "x"}], 'any.0.labels_gaind: unknown clause; did you mean "labels_gained"?'),
        ([{"none": [{"action": ["created", "x"]}]}], "any.0.none.0.action.1: "),
    ],
)
def test_a_wrong_group_is_a_fault_with_its_place(wrong: Any, fault: str) -> None:
    (found,) = faults({"any": wrong})
    assert found.startswith(fault)
