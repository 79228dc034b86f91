"""A rules file with matches: every fault of every match at once, in its place; and what its rules then say."""

from pathlib import Path

import pytest

from router.domain.problem import RulesError
from router.domain.routing import RuleVerdict
from router.engine.compile import compile_ruleset
from router.engine.plan import plan
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import read_rules
from router.service.outside import Disk
from tests.build import NOON
from tests.match.cases import ALERT, HALF, MOVED, QUIET

HEAD = '[sources.prod]\nsecret = "${SECRET}"\n[destinations.log]\ntype = "log"\n'
RULE = '[[rules]]\nname = "{}"\nactions = [{{ to = "log" }}]\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str) -> Ruleset:
    Path("rules.toml").write_text(HEAD + text)
    return compile_ruleset(read_rules("rules.toml", Disk({"SECRET": "s"}), missing="error"))


def problems(text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        load(text)
    return [str(problem) for problem in caught.value.problems]


def test_what_cannot_be_read_hides_no_fault_of_what_can() -> None:
    text = """[destinations.team]
type = "slak"
[[rules]]
name = "a"
match = { labels_gaind = "x" }
actions = [
  { to = "log", txt = "x" },
  { to = "lgo" },
  { to = "log", text = "{{ prompt.nmae }}" },
]
[[rules]]
match = { tgas = "x" }
"""
    assert problems(text) == [
        "rules.toml:6:1: destinations.team.type: expected one of slack, http, github, email, log, apprise, "
        'got "slak"; did you mean "slack"?',
        'rules.toml:9:11: rules[0].match.labels_gaind: unknown clause; did you mean "labels_gained"?',
        'rules.toml:11:17: rules[0].actions[0].txt: unknown key for log; did you mean "text"?',
        'rules.toml:13:17: rules[0].actions[2].text: line 1: `prompt.nmae`: unknown name; did you mean "name"?',
        "rules.toml:15:1: rules[1]: `actions` is missing: what to do; `to` alone sends the built-in message",
        "rules.toml:15:1: rules[1]: `name` is missing: what verdicts, counts and deliveries go by; unique over all "
        "files",
        'rules.toml:16:11: rules[1].match.tgas: unknown clause; did you mean "tags"?',
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[destinations.team]\ntype = "slak"\n' + RULE.format("a").replace('"log"', '"team", json = { a = 1 }'),
        RULE.format("a").replace("to =", "use ="),
        RULE.format("a").replace("{ to", "5, { to"),
        RULE.format("a").replace('"log"', '"log", text = { file = "gone" }'),
        RULE.format("a") + "match = { author = 1979-05-27 }\n",
        RULE.format("a") + "match = 5\n",
    ],
)
def test_a_fault_is_told_and_not_what_follows_from_it(text: str) -> None:
    assert len(problems(text)) == 1


def test_where_a_file_is_missing_no_name_is_called_unknown(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text("[destinations.team\n")
    (tmp_path / "rules.toml").write_text(
        f'include = ["team.toml"]\n{HEAD}[[rules]]\nname = "a"\nactions = [{{ to = "team" }}]\n'
    )
    with pytest.raises(RulesError) as caught:
        compile_ruleset(read_rules("rules.toml", Disk({"SECRET": "s"}), missing="error"))
    (problem,) = caught.value.problems
    assert problem.place.file == "team.toml"


def test_every_fault_of_every_match_is_told_at_once_with_its_place() -> None:
    text = (
        """[matches.managers]
autor = "ann"
[matches.inner]
any = ["manager", { where = [{ path = "$.a", eqals = 1 }] }]
[matches.circle]
none = ["circle"]
"""
        + RULE.format("a")
        + """match = { labels_gaind = "x", any = ["managers", "circle", { during = "offce" }] }
"""
        + RULE.format("b")
        + """[rules.match]
all = [
  { where = [
      { path = "$.a", equals = 1 },
      { path = "$.a[", equals = 1 },
  ] },
  { none = [{ action = ["created", "delted"] }], when = "promt.name" },
]
[times.office]
hours = "09:00-18:00"
"""
    )
    assert problems(text) == [
        'rules.toml:6:1: matches.managers.autor: unknown clause; did you mean "author"?',
        'rules.toml:8:8: matches.inner.any[0]: there is no [matches.manager]; did you mean "managers"?',
        'rules.toml:8:46: matches.inner.any[1].where[0].eqals: unknown operator; did you mean "equals"?',
        "rules.toml:10:9: matches.circle.none[0]: goes round in a circle: circle → circle",
        'rules.toml:14:11: rules[0].match.labels_gaind: unknown clause; did you mean "labels_gained"?',
        'rules.toml:14:62: rules[0].match.any[2].during: there is no [times.offce]; did you mean "office"?',
        "rules.toml:22:9: rules[1].match.all[0].where[1].path: not a JSONPath: Parse error near the end of string!",
        'rules.toml:24:36: rules[1].match.all[1].none[0].action[1]: "delted" is none of created, updated, deleted; '
        'did you mean "deleted"?',
        'rules.toml:24:50: rules[1].match.all[1].when: `promt`: unknown name; did you mean "prompt"?',
    ]


def verdicts(text: str) -> dict[str, RuleVerdict]:
    ruleset = load(text)
    planned = plan(ruleset, [MOVED], now=NOON, every_rule=True)
    return {verdict.rule: verdict for verdict in planned.verdicts[MOVED.id]}


def test_rules_use_the_matches_the_times_and_the_vars_of_their_file() -> None:
    said = verdicts(
        """[vars]
limit = 3
[matches.managers]
author = ["ann@example.com"]
[times.noon]
hours = "12:00-13:00"
[times.night]
hours = "22:00-07:00"
"""
        + RULE.format("yes")
        + 'match = { any = ["managers"], during = ["night", "noon"], when = "prompt.version > vars.limit" }\n'
        + RULE.format("no")
        + 'match = { none = ["managers"], during = "night" }\n'
    )
    assert said["yes"].verdict == "match"
    assert said["no"].verdict == "no"
    assert [(one.clause, one.got) for one in said["no"].clauses] == [
        ("none", "1 of 1 hold"),
        ("during", "Tue 2026-11-24 12:00 UTC"),
    ]


def test_asking_every_rule_changes_nothing_but_the_verdicts() -> None:
    matches = [
        'prompt = "checkout/**"',
        'prompt = "search/**"',
        'labels_gained = "x"',
        'any = [{ action = "updated" }]',
    ]
    ruleset = load("".join(f"{RULE.format(n)}match = {{ {match} }}\n" for n, match in enumerate(matches)))
    found = [MOVED, HALF, QUIET, ALERT]
    candidates = plan(ruleset, found, now=NOON)
    every = plan(ruleset, found, now=NOON, every_rule=True)
    assert (candidates.firings, candidates.deliveries) == (every.firings, every.deliveries)
    assert [verdict.rule for verdict in candidates.verdicts[MOVED.id]] == ["0", "3"]
    assert len(every.verdicts[ALERT.id]) == 4


def test_a_nest_deeper_than_the_file_may_be_is_refused() -> None:
    nest = "{ all = [" * 100 + '{ action = "created" }' + "] }" * 100
    assert problems(RULE.format("a") + f"match = {nest}\n") == ["rules.toml: nested deeper than 100"]


def test_templates_are_tried_with_what_a_match_in_a_match_lets_through() -> None:
    """`payload` is in no prompt version, `prompt` is null for every other type."""
    only_alerts = (
        '[[rules]]\nname = "a"\nmatch = { type = "*", all = [{ any = [{ type = "monitor-alert" }] }] }\n'
        'actions = [{ to = "log", text = "{{ body.payload.severity }}" }]\n'
    )
    load(only_alerts)
    no_prompts = only_alerts.replace("body.payload.severity", "prompt.name")
    (problem,) = problems(no_prompts)
    assert "fails for a monitor-alert event" in problem
    never_alerts = no_prompts.replace(
        'all = [{ any = [{ type = "monitor-alert" }] }]', 'none = [{ type = "!prompt-*" }]'
    )
    load(never_alerts)
    maybe_alerts = no_prompts.replace("all = [{ any = [", "all = [{ any = [{ author = 'ann', type = 'router.*' }, ")
    (problem,) = problems(maybe_alerts)
    assert "fails for a monitor-alert event" in problem
