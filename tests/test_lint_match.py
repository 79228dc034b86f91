"""Warnings about matches: rules that can never match, and names that nothing has."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from router.domain.change import Change
from router.domain.ledger import Occurred
from router.engine.lint import lint
from router.engine.lint.never import contradiction
from router.engine.lint.terms import alternatives
from router.engine.pair import is_rollback
from router.service.outside import Disk
from router.service.rulebook import load
from tests.match.cases import SETTING, compiled
from tests.match.test_index import KNOWN, TYPICAL, matches, some_changes

HEAD = """[sources.prod]
secret = "${SECRET}"
[destinations.log]
type = "log"
[destinations.api]
type = "http"
url = "https://api.example.com"
[[rules]]
name = "uses-both"
match = { prompt = "checkout/cart" }
actions = [{ to = ["log", "api"] }]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def warnings(text: str, occurred: Occurred | None = None) -> list[str]:
    Path("rules.toml").write_text(HEAD + text, encoding="utf-8")
    found = load("rules.toml", Disk({"SECRET": "lf-whsec_1"}), missing="error")
    return [f"{one.path}: {one.what}" for one in lint(found.file, found.ruleset, occurred)]


def of_match(match: str, more: str = "", to: str = "log") -> list[str]:
    return warnings(f'[[rules]]\nname = "r"\nmatch = {match}\nactions = [{{ to = "{to}" }}]\n{more}')


# ---- rules that can never match


@pytest.mark.parametrize(
    ("match", "where", "why"),
    [
        ('{ action = "deleted", labels_gained = "production" }', "labels_gained", "a deletion has no `labels_gained`"),
        ('{ action = "deleted", content_changed = true }', "content_changed", "a deletion has no `content_changed`"),
        ('{ action = "created", rollback = true }', "rollback", "only an updated version can be rolled back to"),
        ('{ action = "created", versions_left = 0 }', "versions_left", "only a deletion has `versions_left`"),
        ('{ action = "created", labels_lost = "*" }', "labels_lost", "a version just created has lost no label"),
        ('{ versions_left = 0, labels_gained = "a" }', "labels_gained", "a deletion has no `labels_gained`"),
        ('{ action = ["!created", "!updated", "!deleted"] }', "action", "no value of `action` satisfies"),
        ('{ prompt = "a/b", all = [{ prompt = "c/*" }] }', "all[0].prompt", "no value of `prompt` satisfies"),
        ('{ prompt = ["a/b", "!a/**"] }', "prompt", "no value of `prompt` satisfies"),
        ("{ version = { gt = 5, lt = 6 } }", "version", "no number satisfies"),
        ("{ version = { gte = 5, lte = 5, ne = 5 } }", "version", "no number satisfies"),
        ("{ version = 0 }", "version", "no number satisfies"),
        ('{ labels = { all = ["a"], none = ["a*"] } }', "labels", '`labels` wants "a" and excludes it'),
        ('{ tags = { any = ["a", "b"], none = ["*"] } }', "tags", '`tags` wants "a" or "b" and excludes it'),
        ("{ rollback = true, all = [{ rollback = false }] }", "all[0].rollback", "is wanted both true and false"),
        ('{ type = "monitor-alert", prompt = "a" }', "prompt", "only those have `prompt`"),
        ('{ type = "router.*", quiet = true }', "quiet", "only those have `quiet`"),
        ('{ any = [{ type = "monitor-alert" }] }', "any[0].type", "no value of `type` satisfies"),
        ('{ labels_gained = "a", labels_lost = "a" }', "labels_lost", 'cannot gain and lose "a"'),
        ('{ labels_gained = "a", labels = { none = ["a"] } }', "labels", '"a", which the version has just gained'),
        ('{ action = "updated", labels_lost = "a", labels = "a" }', "labels_lost", "which the version has just lost"),
        ('{ quiet = true, tags_gained = "*" }', "tags_gained", 'no `tags_gained` but "latest"'),
        ('{ quiet = true, labels_gained = "production" }', "labels_gained", 'no `labels_gained` but "latest"'),
        ('{ quiet = true, action = "created" }', "action", "`action` says created"),
        ("{ rollback = true, moved_from = { lt = 4 }, version = { gte = 4 } }", "rollback", "comes from a higher"),
        ('{ source = "prd" }', "source", "no value of `source` satisfies"),
        ('{ action = "deleted", any = [{ labels_gained = "a" }, { rollback = true }] }', "any[0].labels_gained", ""),
    ],
)
def test_a_rule_that_can_never_match(match: str, where: str, why: str) -> None:
    found = [one for one in of_match(match) if "can never match" in one]
    assert len(found) == 1
    assert found[0].startswith(f"rules[1].match.{where}: the rule can never match: ")
    assert why in found[0]
    assert found[0].endswith("; change one of them")


@pytest.mark.parametrize(
    "match",
    [
        '{ action = "deleted", labels_lost = "production", labels = "production" }',
        '{ action = ["created", "deleted"], labels_gained = "production" }',
        '{ action = "deleted", any = [{ labels_gained = "a" }, { prompt = "a" }] }',
        '{ action = "deleted", none = [{ labels_gained = "a" }] }',
        '{ prompt = { prefix = "a", suffix = "b" }, all = [{ prompt = { regex = ".*" } }] }',
        '{ author = "Ann", all = [{ author = "ann@example.com" }] }',
        "{ version = { ne = 1 } }",
        '{ labels_gained = ["production", "staging"], labels_lost = ["production", "staging"] }',
        '{ labels = { any = ["latest"], none = ["*"] } }',
        '{ quiet = true, labels_gained = "latest" }',
        '{ type = "*", prompt = "a" }',
        '{ type = "monitor-alert", rollback = false, any = [{ type = "monitor-*" }] }',
        "{ rollback = true, moved_from = { gte = 4 }, version = { lt = 4 } }",
        '{ source = "router", type = "router.*" }',
        '{ action = "created", variables_gained = "*" }',
    ],
)
def test_a_rule_that_can_match(match: str) -> None:
    assert of_match(match) == []


def told_by_langfuse(change: Change) -> bool:
    """A version just created is the highest one and lost nothing; other stories can only be made up."""
    return change.action != "created" or not (change.labels_lost or is_rollback(change, None))


@settings(max_examples=200, deadline=None)
@given(matches, some_changes())
def test_no_change_matches_what_is_said_never_to_match(match: dict[str, Any], found: list[Change]) -> None:
    rule = compiled(match, KNOWN)
    if all(contradiction(one, ("prod", "dev", "router")) for one in alternatives(rule, ())):
        for change in (*TYPICAL, *filter(told_by_langfuse, found)):
            assert rule.decide(change, SETTING).answer != "yes"


# ---- names that nothing has


def test_a_source_that_does_not_exist_and_a_type_that_is_nearly_known() -> None:
    assert of_match('{ source = ["prod", "prd"] }') == [
        'rules[1].match.source: there is no source "prd"; did you mean "prod"?'
    ]
    assert of_match('{ type = ["monitor-alrt", "something-new"] }') == [
        'rules[1].match.type: no type of event is known as "monitor-alrt"; did you mean "monitor-alert"?'
    ]


def test_named_matches_and_times_that_no_rule_names() -> None:
    text = """[matches.a]
prompt = "a"
[matches.b]
any = ["a"]
[matches.c]
prompt = "c"
[times.office]
hours = ["09:00-18:00"]
[times.night]
hours = ["22:00-06:00"]
"""
    assert of_match('{ none = ["b"], during = "office" }', text) == [
        "matches.c: no rule names it: put it into `any`, `all` or `none` of a match, or remove it",
        "times.night: no rule names it: say `during` in a match, or remove it",
    ]


def test_what_a_store_has_never_seen() -> None:
    seen = Occurred(prompts=frozenset({"checkout/cart", "search/rank"}), labels=frozenset({"production", "latest"}))
    text = """[[rules]]
name = "r"
actions = [{ to = "log" }]
match = { prompt = ["checkout/**", "payments/**", "!serch/rank"], labels_gained = ["prodction", "prod*"], any = ["n"] }
[matches.n]
labels = { none = ["canary"] }
tags = "anything"
"""
    assert warnings(text, seen) == [
        'rules[1].match.prompt: no prompt in the store fits "payments/**"',
        'rules[1].match.prompt: no prompt in the store fits "serch/rank"; did you mean "search/rank"?',
        'rules[1].match.labels_gained: no label in the store fits "prodction"; did you mean "production"?',
        'matches.n.labels: no label in the store fits "canary"',
    ]
    assert warnings(text, Occurred(frozenset(), frozenset())) == [], "a new store has seen nothing yet"


# ---- actions on assumed changes


ASSUMED = "rules[1].actions[0]: is taken for labels whose gain is only assumed, too"


@pytest.mark.parametrize(
    "match",
    [
        '{ labels_gained = "production" }',
        '{ labels_gained = "production", rollback = false }',
        '{ action = "updated", any = [{ labels_gained = "a" }, { prompt = "b" }] }',
    ],
)
def test_a_machine_that_acts_on_gains_that_are_only_assumed(match: str) -> None:
    (warning,) = of_match(match, to="api")
    assert warning.startswith(ASSUMED)
    assert of_match(match, to="log") == []
    assert of_match(match[:-1] + ', when = "not change.assumed" }', to="api") == []
    guarded = f"""[[rules]]\nname = "r"\nmatch = {match}\nactions = [{{ to = "api", if = "not change.assumed" }}]\n"""
    assert warnings(guarded) == []


@pytest.mark.parametrize(
    "match",
    [
        '{ labels_gained = "production", assumed = false }',
        '{ labels_gained = "production", assumed = true }',
        '{ labels_gained = "production", rollback = true }',
        '{ labels_gained = "production", moved_from = { gte = 1 } }',
        '{ labels_gained = "production", action = "created" }',
        '{ labels_gained = { none = ["a"] } }',
        '{ tags_gained = "*" }',
    ],
)
def test_a_machine_that_acts_on_what_was_seen_or_knows_what_it_does(match: str) -> None:
    assert of_match(match, to="api") == []
