"""What each clause answers, and why."""

from typing import Any

import msgspec
import pytest

from router.domain.event import Content
from router.engine.match import CLAUSES
from router.engine.pair import is_rollback, previous
from tests.build import prompt_event
from tests.match.cases import (
    ALERT,
    DELETED,
    HALF,
    HISTORY,
    MOVED,
    QUIET,
    ROLLED_BACK,
    SETTING,
    answer,
    changes,
    compiled,
    judged,
    verdict,
)


@pytest.mark.parametrize(
    ("clause", "yes", "no"),
    [
        ("type", "prompt-*", "monitor-alert"),
        ("source", "prod", "staging"),
        ("action", ["created", "updated"], "deleted"),
        ("project", "project", "other"),
        ("origin", "webhook", "reconcile"),
        ("prompt_type", "text", "chat"),
        ("prompt", "checkout/**", "search/**"),
        ("prompt", ["**", "!search/**"], ["**", "!checkout/*"]),
        ("prompt", {"regex": "checkout/[a-z]+"}, {"regex": "checkout"}),
        ("prompt", {"prefix": "CHECKOUT", "ignore_case": True}, {"prefix": "CHECKOUT"}),
        ("author", "ANN@example.com", "bob"),
        ("author", "ann", "!ann"),
        ("commit_message", {"contains": "short"}, ""),
        ("labels", "production", "staging"),
        ("labels", {"all": ["production", "latest"]}, {"none": ["production"]}),
        ("labels_gained", "production", "latest"),
        ("labels_gained", "prod*", "staging"),
        ("tags", "shop", "billing"),
        ("version", 4, 3),
        ("version", {"gte": 4, "lt": 5}, {"gt": 4}),
        ("moved_from", 3, 4),
        ("rollback", False, True),
        ("assumed", False, True),
        ("quiet", False, True),
        ("text", {"contains": "version 4"}, "text of version 3"),
        ("variables_gained", {"none": ["x"]}, "x"),
        ("content_changed", True, False),
        ("config_changed", False, True),
        ("when", "change.moved_from == 3", "label == 'staging'"),
    ],
)
def test_a_clause_says_yes_and_no(clause: str, yes: Any, no: Any) -> None:
    assert answer(MOVED, **{clause: yes}) == "yes"
    assert answer(MOVED, **{clause: no}) == "no"


def test_every_clause_is_known_by_name() -> None:
    assert set(CLAUSES) == {
        *"type source action prompt project origin prompt_type author commit_message version".split(),
        *"labels labels_gained labels_lost labels_removed tags tags_gained tags_lost".split(),
        *"moved_from rollback assumed quiet text variables_gained variables_lost versions_left".split(),
        *"content_changed config_changed during where when any all none".split(),
    }


def test_the_losing_half_is_told_only_to_rules_that_name_lost_labels() -> None:
    assert answer(HALF) == "no"
    assert answer(HALF, labels_lost="production") == "yes"
    assert answer(HALF, labels_removed="production") == "no"
    assert answer(MOVED, labels_lost="production") == "no"


def test_a_quiet_change_is_told_only_on_request() -> None:
    assert answer(QUIET) == "no"
    assert answer(QUIET, quiet=True) == "yes"
    assert answer(QUIET, labels_lost="latest") == "yes"
    assert answer(QUIET, labels_lost="*") == "no", "a glob never means latest"


def test_a_rollback_is_a_gain_from_a_higher_version() -> None:
    assert answer(ROLLED_BACK, labels_gained="production", rollback=True) == "yes"
    assert answer(ROLLED_BACK, moved_from=4) == "yes"
    assert is_rollback(ROLLED_BACK, "production")
    assert not is_rollback(MOVED, "production")


def test_what_an_event_does_not_say_answers_no() -> None:
    (silent,) = changes([prompt_event("created", 1, None, updated=0, tags=None)])
    said = judged(silent, {"labels": "x", "tags": {"none": ["x"]}})
    assert [(one.verdict, one.got) for one in said.clauses] == [("no", "not in the event")] * 2


def test_other_types_match_only_rules_that_name_a_type() -> None:
    assert answer(ALERT) == "no"
    assert answer(ALERT, type="*") == "yes"
    assert answer(ALERT, type="monitor-alert", labels={"none": ["x"]}) == "no"


def test_the_label_meant_is_the_first_that_the_match_names() -> None:
    (change,) = changes([prompt_event("created", 1, ["a", "b", "production", "latest"], updated=0)])
    assert compiled({"labels_gained": ["b", "a"]}).label(change, SETTING) == "b"
    assert compiled({"labels_gained": "*"}).label(change, SETTING) == "production"
    assert compiled({}).label(change, SETTING) == "production"


def test_a_plain_creation_replaces_the_highest_lower_version() -> None:
    (change,) = (
        c for c in changes(HISTORY, [prompt_event("created", 5, ["latest"], updated=30)]) if c.action == "created"
    )
    before = previous(change, None)
    assert before is not None
    assert before.number == 4
    assert answer(change, moved_from={"gte": 0}) == "no"


def test_an_exploding_regex_is_an_error_in_time_and_never_a_silent_no() -> None:
    (change,) = changes([prompt_event("created", 1, updated=0, message="a" * 60)])
    slow = verdict(change, commit_message={"regex": "(a|aa)+[^a]"})
    assert slow.verdict == "error"
    assert "took longer" in str(slow.got)
    assert answer(change, commit_message={"regex": "(a|aa)+[^a]"}, version=2) == "no"


# ---- against the version replaced


def test_variables_are_compared_with_the_version_replaced() -> None:
    before = prompt_event("created", 1, ["production"], updated=0, text="Dear {{name}}, {{old}}")
    after = prompt_event("created", 2, ["production"], updated=9, text="Dear {{name}}, {{ new }} and {{newer}}")
    (change, *_) = changes([before], [after])
    assert verdict(change, variables_gained="new*").got == ["new", "newer"]
    assert answer(change, variables_gained={"all": ["new", "newer"]}, variables_lost="old") == "yes"
    assert answer(change, variables_gained="name") == "no"
    assert answer(change, variables_lost={"none": ["old"]}) == "no"


def test_a_variable_may_be_called_latest() -> None:
    before = prompt_event("created", 1, ["production"], updated=0, text="x")
    after = prompt_event("created", 2, ["production"], updated=9, text="{{latest}}")
    assert answer(changes([before], [after])[0], variables_gained="*") == "yes"


@pytest.mark.parametrize(
    ("one", "other", "content", "config"),
    [
        ({"text": "a", "config": {"t": 1}}, {"text": "a", "config": {"t": 1.0}}, False, False),
        ({"text": "a", "config": {"t": 1}}, {"text": "b", "config": {"t": True}}, True, True),
        ({"text": "a"}, {"text": [{"role": "user", "content": "a"}]}, True, False),
        ({"config": None, "text": "a"}, {"config": {}, "text": "a"}, False, True),
    ],
)
def test_content_and_config_change_when_their_json_differs(
    one: dict[str, Any], other: dict[str, Any], content: bool, config: bool
) -> None:
    before = prompt_event("created", 1, ["production"], updated=0, **one)
    after = prompt_event("created", 2, ["production"], updated=9, **other)
    (change, *_) = changes([before], [after])
    for clause, changed in (("content_changed", content), ("config_changed", config)):
        assert answer(change, **{clause: changed}) == "yes"
        assert answer(change, **{clause: not changed}) == "no"


def test_where_nothing_was_replaced_bools_are_false_and_sets_unknown() -> None:
    (change,) = changes([prompt_event("created", 1, ["production"], updated=0, text="{{a}}")])
    for clause in ("rollback", "content_changed", "config_changed"):
        assert answer(change, **{clause: False}) == "yes"
        assert answer(change, **{clause: True}) == "no"
    assert verdict(change, variables_gained={"none": ["b"]}).got == "no version was replaced"
    assert answer(change, variables_gained={"none": ["b"]}) == "no"
    assert answer(change, moved_from={"ne": 3}) == "no"


def test_a_text_or_config_that_an_event_does_not_say_is_unknown() -> None:
    before = prompt_event("created", 1, ["production"], updated=0)
    after = prompt_event("created", 2, ["production"], updated=9)
    assert after.snapshot is not None
    silent = msgspec.structs.replace(after.snapshot, content=Content())
    (change, *_) = changes([before], [msgspec.structs.replace(after, snapshot=silent)])
    for clause in ("content_changed", "config_changed"):
        assert answer(change, **{clause: False}) == "no"
        assert verdict(change, **{clause: True}).got == "not in the event"
    assert answer(change, text={"contains": ""}) == "no"
    assert answer(change, variables_gained={"none": ["b"]}) == "no"


def test_versions_left_is_known_after_a_deletion_of_a_prompt_seen_whole() -> None:
    assert answer(DELETED, versions_left=0) == "yes"
    assert answer(DELETED, versions_left={"gt": 0}) == "no"
    assert answer(MOVED, versions_left={"gte": 0}) == "no", "nothing was deleted"


def test_a_chat_is_one_text() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"type": "placeholder", "name": "history"}]
    (change,) = changes([prompt_event("created", 1, ["latest"], updated=0, text=messages)])
    assert answer(change, text="system: Be kind.*[[]placeholder: history]") == "yes"
    assert answer(change, text={"regex": "(?s).*kind.*"}) == "yes"


def test_a_verdict_keeps_no_more_than_a_glimpse_of_a_long_prompt() -> None:
    (change,) = changes([prompt_event("created", 1, ["latest"], updated=0, text="x" * 10_000)])
    assert len(str(verdict(change, text={"contains": "y"}).got)) == 200
    assert len(str(verdict(change, where=[{"path": "$.prompt", "equals": 1}]).inner[0].got)) == 200


# ---- when


def test_when_sees_what_templates_see_with_the_label_that_the_match_names() -> None:
    said = "label == 'production' and change.moved[0].from == 3"
    assert answer(MOVED, labels_gained="production", when=said) == "yes"
    assert answer(MOVED, when="rule.name == 'rule' and prompt.folder == 'checkout' and author == 'Ann'") == "yes"


@pytest.mark.parametrize("expression", ["prompt.config.temperature > 1", "range(99999999) | list", "1 / 0"])
def test_an_expression_that_fails_is_an_error_with_its_reason(expression: str) -> None:
    said = verdict(MOVED, when=expression)
    assert said.verdict == "error"
    assert said.got
    assert answer(MOVED, when=expression, version=3) == "no", "no beats error"


# ---- what an inferred change says


def test_an_inferred_change_has_the_body_of_its_own_version() -> None:
    three = prompt_event("created", 3, ["production"], updated=0, config={"model": "old"})
    four = prompt_event("created", 4, ["production"], updated=9, config={"model": "new"})
    (_, half) = changes([three], [four])
    assert half.origin == "inferred"
    assert answer(half, labels_lost="production", where=[{"path": "$.prompt.config.model", "equals": "old"}]) == "yes"
    assert answer(half, labels_lost="production", where=[{"path": "$.prompt.version", "equals": 3}]) == "yes"
    assert answer(half, labels_lost="production", when="body.prompt.config.model == 'old'") == "yes"
