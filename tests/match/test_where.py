"""`where`: what each operator says to what is there, missing, a list or of another kind; and what it can never do."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.change import Change
from router.domain.json import Json
from tests.build import prompt_event
from tests.match.cases import ALERT, answer, changes, faults, verdict

CONFIG: Json = {
    "model": "gpt-5",
    "temperature": 1,
    "stream": True,
    "nothing": None,
    "stop": ["a", "b"],
    "tools": [{"name": "search", "cost": 1}, {"name": "pay", "cost": 20}],
}
(CHANGE,) = changes([prompt_event("created", 1, ["latest"], updated=0, config=CONFIG)])


def at(path: str, **operators: Any) -> str:
    return answer(CHANGE, where=[{"path": f"$.prompt.config.{path}", **operators}])


@pytest.mark.parametrize(
    ("path", "operator", "yes", "no"),
    [
        ("model", "equals", "gpt-5", "gpt-4"),
        ("temperature", "equals", 1.0, True),
        ("stream", "equals", True, 1),
        ("stop", "equals", ["a", "b"], "a"),
        ("model", "not_equals", "gpt-4", "gpt-5"),
        ("stop[*]", "not_equals", "a", ...),
        ("model", "in", ["gpt-4", "gpt-5"], ["gpt-4"]),
        ("stop[*]", "in", ["b"], ["c"]),
        ("model", "not_in", ["gpt-4"], ["gpt-5"]),
        ("temperature", "gt", 0.5, 1),
        ("temperature", "gte", 1, 2),
        ("temperature", "lt", 2, 1),
        ("temperature", "lte", 1, 0),
        ("model", "gt", "gpt-4", "gpt-6"),
        ("tools[*].cost", "gt", 19, 20),
        ("model", "contains", "gpt", "claude"),
        ("stop", "contains", "a", "c"),
        ("tools[0]", "contains", "cost", "price"),
        ("temperature", "contains", ..., 1),
        ("model", "regex", "gpt-[0-9]", "gpt"),
        ("temperature", "regex", ..., "1"),
        ("model", "exists", True, False),
        ("nothing", "exists", True, False),
        ("seed", "exists", False, True),
        ("tools[?(@.cost > 10)].name", "equals", "pay", "search"),
    ],
)
def test_an_operator_says_yes_and_no(path: str, operator: str, yes: Any, no: Any) -> None:
    if yes is not ...:
        assert at(path, **{operator: yes}) == "yes"
    if no is not ...:
        assert at(path, **{operator: no}) == "no"


@pytest.mark.parametrize("operator", ["equals", "not_equals", "gt", "contains", "regex"])
def test_where_there_is_no_node_every_operator_says_no(operator: str) -> None:
    assert at("seed", **{operator: "1"}) == "no"
    assert answer(ALERT, where=[{"path": "$.prompt.name", operator: "1"}]) == "no"


@pytest.mark.parametrize(("path", "bound"), [("model", 1), ("temperature", "1"), ("stream", 0), ("nothing", 0)])
def test_values_without_an_order_are_an_error(path: str, bound: Any) -> None:
    assert at(path, gt=bound) == "error"


def test_one_node_that_satisfies_is_enough_even_if_another_cannot_be_ordered() -> None:
    assert at("tools[*].*", gt=10) == "yes"
    assert at("tools[*].*", gt=100) == "error"
    assert "a string and the number 100 have no order" in str(
        verdict(CHANGE, where=[{"path": "$.prompt.config.tools[0].*", "gt": 100}]).inner[0].got
    )


def test_several_operators_speak_of_the_same_node() -> None:
    assert at("tools[*].cost", gt=0, lt=10) == "yes"
    assert at("tools[*].cost", gt=10, lt=20) == "no"


def test_all_entries_must_hold_and_each_has_its_verdict() -> None:
    said = verdict(
        CHANGE,
        where=[{"path": "$.prompt.config.model", "equals": "gpt-5"}, {"path": "$.prompt.config.temperature", "gt": 1}],
    )
    assert said.verdict == "no"
    assert said.got == "1 of 2 hold"
    assert [(one.clause, one.wanted, one.got, one.verdict) for one in said.inner] == [
        ("where[0]", {"path": "$.prompt.config.model", "equals": "gpt-5"}, ["gpt-5"], "yes"),
        ("where[1]", {"path": "$.prompt.config.temperature", "gt": 1}, [1], "no"),
    ]


def test_where_looks_at_bodies_of_every_type() -> None:
    assert answer(ALERT, type="*", where=[{"path": "$.payload.severity", "equals": "high"}]) == "yes"


# ---- changed


def moved(before: Json, after: Json) -> Change:
    """Return the change in which production moves from a version with the one config to one with the other."""
    first = prompt_event("created", 1, ["production"], updated=0, config=before)
    second = prompt_event("created", 2, ["production"], updated=9, config=after)
    return changes([first], [second])[0]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"model": "a"}, {"model": "b"}, True),
        ({"model": "a"}, {"model": "a"}, False),
        ({"model": 1}, {"model": 1.0}, False),
        ({"model": 1}, {"model": True}, True),
        ({}, {"model": "a"}, True),
        ({"model": "a"}, {}, True),
        ({"other": 1}, {"other": 2}, False),
        (None, {"model": "a"}, True),
    ],
)
def test_a_node_that_differs_appeared_or_vanished_has_changed(before: Json, after: Json, changed: bool) -> None:
    wanted = {"path": "$.prompt.config.model", "changed": True}
    assert answer(moved(before, after), where=[wanted]) == ("yes" if changed else "no")


def test_changed_speaks_of_the_version_replaced_alone() -> None:
    wanted = [{"path": "$.prompt.config.model", "changed": True}]
    assert answer(CHANGE, where=wanted) == "no"
    assert verdict(CHANGE, where=wanted).inner[0].got == "no version was replaced"
    assert answer(moved({"model": "a"}, {"model": "b"}), where=[{"path": "$.action", "changed": True}]) == "no"


def test_changed_and_another_operator_speak_of_the_same_node() -> None:
    to_b = [{"path": "$.prompt.config.model", "changed": True, "equals": "b"}]
    assert answer(moved({"model": "a"}, {"model": "b"}), where=to_b) == "yes"
    assert answer(moved({"model": "b"}, {"model": "b"}), where=to_b) == "no"
    assert answer(moved({"model": "b"}, {}), where=to_b) == "no"


def test_not_changed_wants_a_node_that_is_as_before() -> None:
    same = [{"path": "$.prompt.config.model", "changed": False}]
    assert answer(moved({"model": "a"}, {"model": "a"}), where=same) == "yes"
    assert answer(moved({"model": "a"}, {"model": "b"}), where=same) == "no"
    assert answer(moved({}, {}), where=same) == "no"


def test_what_one_of_the_two_events_does_not_say_has_not_changed() -> None:
    change = moved({"model": "a"}, {"model": "b"})
    silent = msgspec.structs.replace(change.event, body={"prompt": {"name": "checkout/cart"}})
    change = msgspec.structs.replace(change, event=silent)
    assert answer(change, where=[{"path": "$.prompt.config", "changed": True}]) == "no"


# ---- what it can never do


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"path": "$.a["}, "path: not a JSONPath: Parse error"),
        ({"path": "prompt.name"}, 'path: a path begins with "$"'),
        ({"path": "$.a[?(@.b =~ '(x+)+y')]"}, "path: `=~` in a filter knows no time limit"),
        ({"path": "$.a.`sub(/(x+)+y/, z)`"}, "path: `sub` is not supported"),
        ({"path": "$.a * 1000000000"}, "path: `operation` is not supported"),
        ({"path": "$.a.`parent`"}, "path: `parent` is not supported"),
        ({"path": "$" + ".a" * 600}, "path: a path of 1,201 characters"),
        ({"path": "$" + ".a" * 200}, "path: a path of more than 100 steps"),
        ({"path": 4}, "path: expected a string, got the number 4"),
        ({}, "`path` is missing"),
        ({"path": "$.a"}, "an operator is missing"),
        ({"path": "$.a", "eqals": 1}, 'eqals: unknown operator; did you mean "equals"?'),
        ({"path": "$.a", "in": "x"}, "in: expected a list of values, got a string"),
        ({"path": "$.a", "in": []}, "in: expected a list of values, got a list"),
        ({"path": "$.a", "gt": True}, "gt: expected a number or a string, got true"),
        ({"path": "$.a", "regex": "("}, "regex: not a regular expression"),
        ({"path": "$.a", "exists": "yes"}, "exists: expected true or false, got a string"),
        ({"path": "$.a", "exists": False, "equals": 1}, "exists: `exists = false` stands alone"),
        ("$.a", "expected a table with `path` and an operator"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(entry: Any, fault: str) -> None:
    good: Json = {"path": "$.a", "equals": 1}
    if isinstance(entry, dict) and not entry.keys() - {"path"} and "an operator" not in fault:
        entry["equals"] = 1
    (found,) = faults({"where": [good, entry]})
    assert found.startswith(f"where.1.{fault}" if ": " in fault[:8] else f"where.1: {fault}"), found


@pytest.mark.parametrize("wrong", [[], {"path": "$.a"}, "x"])
def test_where_is_a_list(wrong: Any) -> None:
    (found,) = faults({"where": wrong})
    assert found.startswith("where: expected a list of tables")


def test_an_exploding_regex_is_an_error_in_time() -> None:
    (change,) = changes([prompt_event("created", 1, updated=0, text="a" * 60)])
    assert answer(change, where=[{"path": "$..prompt", "regex": "(a|aa)+[^a]"}]) == "error"


def test_a_search_through_a_huge_body_is_given_up_with_an_error() -> None:
    (change,) = changes([prompt_event("created", 1, updated=0, config={"rows": [[0] * 300] * 300})])
    said = verdict(change, where=[{"path": "$..*..*", "equals": 1}])
    assert said.verdict == "error"
    assert "given up" in str(said.inner[0].got)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
        max_leaves=10,
    ),
    st.sampled_from(["$..a", "$.prompt.config.a", "$.prompt.config[0]", "$.prompt.config[?(@.a > 1)].b", "$..*"]),
    st.sampled_from(["equals", "gt", "contains", "changed"]),
)
def test_no_value_makes_the_search_stumble(config: Json, path: str, operator: str) -> None:
    wanted = True if operator == "changed" else 1
    assert answer(moved(1, config), where=[{"path": path, operator: wanted}]) in ("yes", "no", "error")
