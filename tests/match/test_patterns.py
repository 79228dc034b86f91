"""Literals, globs and regular expressions: what they fit, and that none of them can run away."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.engine.match.pattern import PatternError, SlowPattern, compile_pattern, compile_regex
from tests.build import prompt_event
from tests.match.cases import MOVED, answer, changes, faults


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a/**", ["a/b", "a/b/c", "a/b c"], ["a", "ab", "b/a/c"]),
        ("**/x", ["x", "a/x", "a/b/x"], ["ax", "x/a"]),
        ("*", ["a", ".a"], ["a/b", ""]),
        ("**", ["a", "a/b", "a/.b"], []),
        ("a?", ["ab"], ["a", "a/"]),
        ("[ab]c", ["ac", "bc"], ["cc"]),
        ("a{b}", ["a{b}"], ["ab"]),
    ],
)
def test_globs_know_folders(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [text for text in yes if not compiled.matches(text)] == []
    assert [text for text in no if compiled.matches(text)] == []


NAMES = st.text(st.sampled_from("ab/.*[]!"), max_size=6)


@given(NAMES, NAMES)
def test_every_text_that_fits_begins_with_the_prefix(pattern: str, text: str) -> None:
    compiled = compile_pattern(pattern)
    assert not compiled.matches(text) or text.startswith(compiled.prefix or "")
    assert compiled.literal == (not set(pattern) & set("*["))
    if compiled.literal:
        assert compiled.matches(text) == (text == pattern)


def test_equal_patterns_are_compiled_once() -> None:
    assert compile_pattern("team-*/x") is compile_pattern("team-*/x")


@pytest.mark.parametrize(
    ("clause", "yes", "no"),
    [
        ("prompt", "!search/**", "!checkout/**"),
        ("prompt", ["checkout/*", "!checkout/cart"], None),
        ("prompt", {"prefix": "checkout/", "suffix": "cart"}, {"prefix": "checkout/", "suffix": "basket"}),
        ("prompt", {"contains": "OUT", "ignore_case": True}, {"contains": "OUT"}),
        ("prompt", {"regex": "CHECKOUT/.*", "ignore_case": True}, {"regex": "CHECKOUT/.*"}),
        ("author", {"suffix": "@EXAMPLE.com"}, {"suffix": "@EXAMPLE.com", "ignore_case": False}),
        ("author", "*@Example.com", "*@example.org"),
        ("author", ["!bob"], ["!ANN@example.com"]),
        ("labels", {"any": ["production", "x"], "none": ["canary"]}, {"any": ["production"], "none": ["prod*"]}),
        ("labels", {"all": ["lat*"]}, {"all": ["production", "canary"]}),
        ("labels", {"all": ["latest", "prod*"]}, {"none": ["latest"]}),
        ("version", {"ne": 3}, {"ne": 4}),
        ("version", {"gt": 3.5, "lte": 4}, {"lt": 4}),
    ],
)
def test_a_form_says_yes_and_no(clause: str, yes: Any, no: Any) -> None:
    if clause == "labels" and yes == {"all": ["lat*"]}:
        assert answer(MOVED, labels=yes) == "no", "a glob never means latest"
    elif no is None:
        assert answer(MOVED, **{clause: yes}) == "no", "excluded"
    else:
        assert answer(MOVED, **{clause: yes}) == "yes"
    if no is not None:
        assert answer(MOVED, **{clause: no}) == "no"


def test_an_absent_author_and_message_are_empty() -> None:
    (change,) = changes([prompt_event("created", 1, ["latest"], updated=0, by=None)])
    assert answer(change, author="", commit_message="") == "yes"
    assert answer(change, author="*") == "no"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a" * 1_001, "a pattern of 1,001 characters; at most 1,000"),
        ("{a,b}" * 1_000, "a pattern of 5,000 characters"),
        ("{a,b}" * 100, "braces stand for themselves: write a list"),
        ("checkout/{cart,pay}", "braces stand for themselves: write a list"),
    ],
)
def test_what_no_glob_can_be_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        compile_pattern(pattern)


def test_braces_can_be_meant() -> None:
    assert compile_pattern("[{]a,b}").matches("{a,b}")


@pytest.mark.parametrize(
    "source",
    [
        "a{1000000}",
        "(?:" * 20 + "x" + "){2}" * 20,
        "((a{99}){99}){99}",
        "[ab]{999999}",
        "(" * 450 + "a" + ")" * 450,
        "(",
    ],
)
def test_a_regex_that_explodes_when_it_is_compiled_is_refused_at_once(source: str) -> None:
    started = time.monotonic()
    with pytest.raises(PatternError):
        compile_regex(source)
    assert time.monotonic() - started < 5, "generous: the machine may be busy"


@pytest.mark.parametrize("source", ["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"\(\d{3,5}\)", "[(]{2}x{0}", r"\{5}"])
def test_ordinary_repeats_are_fine(source: str) -> None:
    compile_regex(source)


SLOW_GLOB = "**/a" * 20 + "/**/c"
SLOW_TEXT = "a/" * 3_000 + "c/d"


def test_a_glob_that_explodes_is_an_error_in_time() -> None:
    slow = compile_pattern(SLOW_GLOB)
    with pytest.raises(SlowPattern, match="the glob took longer than 50 ms"):
        slow.matches(SLOW_TEXT)


def test_a_pattern_that_fits_counts_even_if_another_did_not_finish() -> None:
    (change,) = changes([prompt_event("created", 1, ["latest"], updated=0, message=SLOW_TEXT)])
    assert answer(change, commit_message=SLOW_GLOB) == "error"
    assert answer(change, commit_message=[SLOW_GLOB, "a/**"]) == "yes"
    assert answer(change, commit_message=[SLOW_GLOB, "!a/a/**"]) == "no"
    assert answer(change, commit_message=["other", f"!{SLOW_GLOB}"]) == "no"


@pytest.mark.parametrize(
    ("match", "fault"),
    [
        ({"action": "createdd"}, 'action: "createdd" is none of created, updated, deleted; did you mean "created"?'),
        ({"action": ["created", "x"]}, 'action.1: "x" is none of'),
        ({"origin": {"prefix": "rec", "suffix": "x"}}, 'origin: "prefix rec, suffix x" is none of'),
        ({"labels": "!x"}, 'labels: sets have no "!": write { none = ["x"] }'),
        ({"labels": ["a", "!x"]}, "labels.1: sets have no"),
        ({"labels": {"some": ["x"]}}, "labels.some: unknown key; a set takes any, all, none"),
        ({"labels": {"any": ["x", 4]}}, "labels.any.1: expected a string, got the number 4"),
        ({"labels": {}}, "labels: an empty table"),
        ({"labels": []}, "labels: an empty list"),
        ({"prompt": {"regex": "("}}, "prompt.regex: not a regular expression"),
        ({"prompt": {"regex": 4}}, "prompt.regex: expected a string"),
        ({"prompt": {"prefx": "a"}}, 'prompt.prefx: unknown key; did you mean "prefix"?'),
        ({"prompt": {"ignore_case": True}}, "prompt: nothing to compare with"),
        ({"prompt": {"prefix": "a", "ignore_case": 1}}, "prompt.ignore_case: expected true or false"),
        ({"prompt": 4}, "prompt: expected a string or a list of strings, got the number 4"),
        ({"version": "4"}, "version: expected a number or a table such as { gte = 3 }, got a string"),
        ({"version": True}, "version: expected a number"),
        ({"version": {"over": 4}}, "version.over: unknown key"),
        ({"version": {"gt": True}}, "version.gt: expected a number"),
        ({"rollback": "yes"}, "rollback: expected true or false, got a string"),
        ({"when": 4}, "when: expected a Jinja expression"),
        ({"when": "prompt.nme == 1"}, 'when: line 1: `prompt.nme`: unknown name; did you mean "name"?'),
        ({"when": "delivery.key"}, "when: `delivery`: unknown name"),
        ({"when": "a +"}, "when: line 1"),
        ({"during": ["office"]}, "during.0: there is no [times.office]"),
        ({"labels_gaind": "x"}, 'labels_gaind: unknown clause; did you mean "labels_gained"?'),
    ],
)
def test_a_wrong_clause_is_a_fault_with_its_place_and_remedy(match: Any, fault: str) -> None:
    found = faults(match)
    assert found
    assert found[0].startswith(fault), found
    assert len(found) == 1 or match["prompt"] == {"prefx": "a"}


def test_all_faults_are_told_at_once() -> None:
    assert len(faults({"action": ["x", "y"], "labels": {"any": [1], "nan": []}, "any": [{"where": [{}, {}]}]})) == 8
