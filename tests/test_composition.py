"""Rules made of parts: named actions, destinations that extend others, and files."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.event import PromptKey
from router.domain.json import Json
from router.domain.problem import RulesError
from router.engine.preview import preview
from router.engine.ruleset import Ruleset
from router.engine.rulesfile.inserted import tree_of
from router.engine.writers import Writer
from router.engine.writers.http import HttpWriter
from router.engine.writers.log import LogWriter
from router.engine.writers.slack import SlackWriter
from router.service.outside import Disk
from router.service.rulebook import load
from tests.build import prompt_event

HEAD = """[sources.prod]
secret = "${SECRET}"
[destinations.team]
type = "slack"
webhook_url = "${HOOK}"
[destinations.api]
type = "http"
url = "https://api.example.com"
[destinations.log]
type = "log"
"""
OUTSIDE = {"SECRET": "lf-whsec_1", "HOOK": "https://hooks.slack.com/services/T/B/x"}
BELOW = HEAD.count("\n")
"""The line after which a test's own text begins."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ruleset(text: str) -> Ruleset:
    write("rules.toml", HEAD + text)
    return load("rules.toml", Disk(OUTSIDE), missing="error").ruleset


def writers(text: str) -> list[Writer]:
    """Return the writers of all actions of all rules, in order."""
    return [target.writer for rule in ruleset(text).rules for action in rule.actions for target in action.targets]


def keys(text: str) -> list[str]:
    return [action.key for rule in ruleset(text).rules for action in rule.actions]


def problems(text: str) -> list[str]:
    """Return every problem, with lines counted from the test's own text on."""
    write("rules.toml", HEAD + text)
    with pytest.raises(RulesError) as caught:
        load("rules.toml", Disk(OUTSIDE), missing="error")
    found = []
    for problem in caught.value.problems:
        file, line = problem.place.file, problem.place.line
        found.append(f"{file}:{line - BELOW if file == 'rules.toml' else line}: {problem.path}: {problem.what}")
    return found


def rule(actions: str, name: str = "r") -> str:
    return f'[[rules]]\nname = "{name}"\nactions = [{actions}]\n'


# ---- named actions


def test_an_action_uses_another_and_its_own_keys_win() -> None:
    named = """
[actions.tell]
to = "api"
method = "PUT"
json = { a = 1, deep = { b = 2, list = [1, 2] } }
[actions.tell-more]
use = "tell"
json = { deep = { c = "{{ prompt.name }}", list = [3] } }
"""
    whole = '{ to = "api", method = "PATCH", json = { a = 1, deep = { b = 2, c = "{{ prompt.name }}", list = [3] } } }'
    assert keys(named + rule('{ use = "tell-more", method = "PATCH" }')) == keys(rule(whole))


def test_an_action_is_known_by_what_it_says_wherever_it_is_written() -> None:
    named = '[actions.tell]\nto = "log"\ntext = "hello"\n'
    assert keys(named + rule('{ use = "tell" }')) == keys(rule('{ text = "hello", to = "log" }'))
    assert keys(named + rule('{ use = "tell", text = "bye" }')) != keys(named + rule('{ use = "tell" }'))
    assert keys(rule('{ to = "log" }, { to = "log", id = "again" }'))[1] == "again"


def test_two_equal_actions_of_a_rule_need_an_id() -> None:
    named = '[actions.tell]\nto = "log"\n'
    assert problems(named + rule('{ use = "tell" }, { to = "log" }')) == [
        "rules.toml:5: rules[0].actions[1]: the same as actions[0]; give one of them an `id`"
    ]


@pytest.mark.parametrize("id", ["5", '""', "{ a = 1 }"])
def test_an_id_is_a_string(id: str) -> None:
    assert problems(rule(f'{{ to = "log", id = {id} }}'))[0].startswith(
        "rules.toml:3: rules[0].actions[0].id: expected a string"
    )


def test_a_use_that_leads_nowhere_is_told_where_it_is_written() -> None:
    text = """[actions.a]
use = "b"
[actions.b]
use = "a"
[actions.tell]
to = "log"
[actions.lost]
use = "tel"
[actions.odd]
use = 5
[actions.own]
use = "own"
[actions]
wrong = 1
"""
    assert problems(text + rule('{ use = "tll" }, { use = "a" }, { use = "lost" }')) == [
        "rules.toml:2: actions.a.use: goes round in a circle: a → b → a",
        "rules.toml:4: actions.b.use: goes round in a circle: b → a → b",
        'rules.toml:8: actions.lost.use: no action "tel"; did you mean "tell"?',
        "rules.toml:10: actions.odd.use: expected an action's name, got 5",
        "rules.toml:12: actions.own.use: goes round in a circle: own → own",
        "rules.toml:14: actions.wrong: expected a table, got 1",
        'rules.toml:17: rules[0].actions[0].use: no action "tll"; did you mean "tell"?',
    ]


def test_a_fault_in_a_named_action_is_told_once_where_it_is_written() -> None:
    text = """[actions.tell]
to = "team"
text = "{{ promt.name }}"
color = "{{ prompt.nme }}"
txt = "a"
"""
    assert problems(text + rule('{ use = "tell" }') + rule('{ use = "tell", color = "{{ x }}" }', "s")) == [
        'rules.toml:3: actions.tell.text: `promt`: unknown name; did you mean "prompt"?',
        'rules.toml:4: actions.tell.color: line 1: `prompt.nme`: unknown name; did you mean "name"?',
        'rules.toml:5: actions.tell.txt: unknown key; did you mean "text"?',
        "rules.toml:11: rules[1].actions[0].color: `x`: unknown name",
    ]


def test_a_chain_of_a_hundred_is_fine_and_no_longer() -> None:
    chain = '[actions.a0]\nto = "log"\n' + "".join(f'[actions.a{n}]\nuse = "a{n - 1}"\n' for n in range(1, 102))
    assert writers(chain.split("[actions.a100]")[0] + rule('{ use = "a98" }'))
    found = problems(chain + rule('{ use = "a101" }'))
    assert found[-1] == "rules.toml:207: rules[0].actions[0].use: goes on through more than 100 actions"


def test_one_change_of_a_named_action_changes_the_digest() -> None:
    text = '[actions.tell]\nto = "log"\ntext = "a"\n' + rule('{ use = "tell" }')
    assert ruleset(text).digest != ruleset(text.replace('"a"', '"b"')).digest
    assert ruleset(text).digest == ruleset(rule('{ to = "log", text = "a" }')).digest


# ---- destinations that extend others


def test_a_file_of_a_destination_is_no_table_to_merge_into() -> None:
    write("body.json", '{"a": 1, "b": {"c": 2}}')
    text = """[destinations.base]
type = "http"
url = "https://example.com"
json = { file = "body.json" }
[destinations.heir]
extends = "base"
json = { b = { d = 3 } }
"""
    (writer,) = writers(text + rule('{ to = "heir", json = { e = 4 } }'))
    assert isinstance(writer, HttpWriter)
    assert writer.body is not None
    assert writer.body[1].render({}) == {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}


def test_a_destination_cannot_inherit_the_keys_of_another_type() -> None:
    text = '[destinations.heir]\nextends = "team"\ntype = "http"\nurl = "https://example.com"\n'
    assert problems(text + rule('{ to = "heir" }')) == [
        'rules.toml:3: destinations.heir.type: http has no `webhook_url`, which "team" gives it: '
        "that one has another type"
    ]


def test_extending_goes_on_for_a_hundred_destinations_and_no_longer() -> None:
    chain = '[destinations.d0]\ntype = "log"\n' + "".join(
        f'[destinations.d{n}]\nextends = "d{n - 1}"\n' for n in range(1, 101)
    )
    assert problems(chain + rule('{ to = "log" }')) == [
        "rules.toml:202: destinations.d100.extends: goes on through more than 100 destinations"
    ]


# ---- files


def test_faults_in_a_file_are_told_in_that_file() -> None:
    write("t.txt", "fine\n\n{{ prompt.nme }}\n")
    write("b.json", '[\n  {"type": "section", "text": ["{{ a }}", {"x}\\"]": "{{ prompt.nme }}"}]}\n]')
    write("j.toml", 'a = 1\n[deep]\nb = [1, "{{ y }}"]\n')
    text = """[actions.tell]
to = "team"
text = { file = "t.txt" }
blocks = { file = "b.json" }
"""
    assert problems(text + rule('{ use = "tell" }, { to = "api", json = { file = "j.toml" } }')) == [
        't.txt:3: actions.tell.text: line 3: `prompt.nme`: unknown name; did you mean "name"?',
        "b.json:2: actions.tell.blocks[0].text[0]: `a`: unknown name",
        'b.json:2: actions.tell.blocks[0].text[1].x}"]: line 1: `prompt.nme`: unknown name; did you mean "name"?',
        "j.toml:3: rules[0].actions[1].json.deep.b[1]: `y`: unknown name",
    ]


def test_what_is_no_tree_or_text_is_told_with_its_place() -> None:
    write("a.json", '{"a": 1,\n "b" 2}')
    write("b.toml", "a = 1\nb = = 2\n")
    write("c.json", "[" * 102 + "]" * 102)
    write("d.json", "[" * 100_000)
    write("f.txt", "x" * 2**21)
    Path("e.txt").write_bytes(b"\x89PNG\xff")
    names = ["a.json", "b.toml", "c.json", "d.json", "e.txt", "f.txt", "gone.txt", "."]
    actions = [f'{{ to = "api", id = "{n}", {"body" if "txt" in n else "json"} = {{ file = "{n}" }} }}' for n in names]
    assert sorted(problems(rule(",\n".join(actions)))) == [
        "a.json:2: rules[0].actions[0].json: not JSON: JSON is malformed: expected ':'",
        "b.toml:2: rules[0].actions[1].json: not TOML: Invalid value",
        "rules.toml:10: rules[0].actions[7].json.file: . cannot be read: Is a directory",
        "rules.toml:5: rules[0].actions[2].json.file: c.json: nested too deeply",
        "rules.toml:6: rules[0].actions[3].json.file: d.json: nested too deeply",
        "rules.toml:7: rules[0].actions[4].body.file: e.txt cannot be read: it is not UTF-8 text",
        "rules.toml:8: rules[0].actions[5].body.file: f.txt: larger than 1 MiB, which no message may be",
        "rules.toml:9: rules[0].actions[6].body.file: gone.txt cannot be read: No such file or directory",
    ]


def test_an_action_may_change_a_part_of_a_file() -> None:
    write("j.json", '{"a": "{{ prompt.name }}", "b": {"c": 2}}')
    text = '[actions.put]\nto = "api"\njson = { file = "j.json" }\n'
    (writer,) = writers(text + rule('{ use = "put", json = { b = { d = "{{ prompt.version }}" } } }'))
    assert isinstance(writer, HttpWriter)
    assert writer.body is not None
    context = {"prompt": {"name": "n", "version": 4}}
    assert writer.body[1].render(context) == {"a": "n", "b": {"c": 2, "d": 4}}
    assert problems(text + rule('{ use = "put", json = { b = { c = "{{ z }}" } } }')) == [
        "rules.toml:6: rules[0].actions[0].json.b.c: `z`: unknown name"
    ]


def test_a_byte_order_mark_is_no_part_of_a_text() -> None:
    write("t.txt", "\ufeffhello")
    write("j.json", '\ufeff{"a": 1}')
    log, api = writers(rule('{ to = "log", text = { file = "t.txt" } }, { to = "api", json = { file = "j.json" } }'))
    assert isinstance(log, LogWriter)
    assert log.text is not None
    assert (log.text.source, isinstance(api, HttpWriter)) == ("hello", True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50)
@given(JSON, st.sampled_from([None, 1]))
def test_everything_in_a_json_file_has_its_place(tree: Json, indent: int | None) -> None:
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    inserted = tree_of("f.json", text)
    for path in _paths(tree):
        place = inserted.place(path)
        here = lines[place.line - 1][place.column - 1 :]
        last = path[-1]
        assert here.startswith(
            json.dumps(last, ensure_ascii=False) if isinstance(last, str) else tuple('"{[-0123456789tfn')
        )


def _paths(tree: Json, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Json]] = []
    if isinstance(tree, Mapping):
        inner = list(tree.items())
    elif isinstance(tree, list):
        inner = list(enumerate(tree))
    return [path for key, value in inner for path in ((*above, key), *_paths(value, (*above, key)))]


def test_a_slack_message_may_be_a_file_of_blocks() -> None:
    write("b.toml", "x = 1\n")
    assert problems(rule('{ to = "team", blocks = { file = "b.toml" } }')) == [
        "b.toml:1: rules[0].actions[0].blocks: expected a list"
    ]
    write(
        "b.json",
        '[{"type": "divider"}, {"$for": "m in change.moved", "$do": '
        '{"type": "header", "text": {"type": "plain_text", "text": "{{ m.label }}"}}}]',
    )
    (writer,) = writers(rule('{ to = "team", blocks = { file = "b.json" } }'))
    assert isinstance(writer, SlackWriter)
    assert writer.blocks is not None


# ---- a templated `to`

TEAMS = """[destinations.search-team]
extends = "team"
[destinations.checkout-team]
extends = "team"
[destinations.oncall]
type = "email"
smtp = "smtp://mail.example.com"
from = "a@example.com"
[vars]
teams = { search = "search-team", checkout = "checkout-team" }
folders = { search = { to = "search-team", color = "blue" }, api = { to = "api" } }
"""


def reached(to: str, rest: str = "") -> list[str]:
    """Return the destinations that an action with this `to` can reach."""
    (only,) = ruleset(TEAMS + rule(f"{{ to = {to}{rest} }}")).rules
    return [target.destination for target in only.actions[0].targets]


@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("'{{ vars.teams[prompt.folder] }}'", ["search-team", "checkout-team"]),
        ("'{{ vars.teams[prompt.folder] | default(\"log\") }}'", ["log", "search-team", "checkout-team"]),
        ("'{{ vars.teams[label] or \"log\" }}'", ["log", "search-team", "checkout-team"]),
        ("'{{ vars.folders[prompt.folder].to }}'", ["api", "search-team"]),
        ('\'{{ vars["folders"][label]["to"] }}\'', ["api", "search-team"]),
        ("'{{ prompt.folder }}-team'", ["search-team", "checkout-team"]),
        ("'{{ prompt.folder ~ \"-team\" }}'", ["search-team", "checkout-team"]),
        ('\'{{ "log" if label else "team" }}\'', ["team", "log"]),
        ("'{% if label %}log{% elif prompt.version > 3 %} team {% else %}api{% endif %}'", ["team", "api", "log"]),
        ("'{% set f = prompt.folder %}{{ vars.teams[f] }}'", ["search-team", "checkout-team"]),
        ("['log', '{{ vars.teams.search }}']", ["log", "search-team"]),
    ],
)
def test_what_a_template_of_a_name_can_come_to_is_known_at_load(to: str, names: list[str]) -> None:
    assert reached(to) == names


def test_where_nothing_can_be_seen_every_destination_may_be_meant() -> None:
    assert reached("'{{ prompt.folder }}'", ', recipients = ["b@example.com"]') == [
        "team",
        "api",
        "log",
        "search-team",
        "checkout-team",
        "oncall",
    ]
    assert problems(TEAMS + rule("{ to = '{{ prompt.folder | lower }}' }")) == [
        'rules.toml:14: rules[0].actions[0]: nobody to write to: give `recipients` here or in destination "oncall"'
    ]


def test_what_is_no_destination_is_told_where_it_is_written() -> None:
    text = TEAMS.replace('"checkout-team" }', '"chekout-team" }')
    assert problems(text + rule("{ to = '{{ vars.teams[prompt.folder] }}' }")) == [
        'rules.toml:10: vars.teams.checkout: no destination "chekout-team"; did you mean "checkout-team"?'
    ]
    assert problems(TEAMS + rule("{ to = ['{{ label }}-crew', '{{ author }}', '{{ vars.team }}', 'x'] }")) == [
        'rules.toml:14: rules[0].actions[0].to[0]: no destination is named like "*-crew"',
        "rules.toml:14: rules[0].actions[0].to[1]: `author`: `to` may depend on vars, prompt, label only",
        'rules.toml:14: rules[0].actions[0].to[2]: line 1: `vars.team`: unknown name; did you mean "teams"?',
        'rules.toml:14: rules[0].actions[0].to[3]: no destination "x"',
    ]


def test_the_keys_of_an_action_are_checked_for_every_destination_that_it_may_reach() -> None:
    to = "to = '{{ vars.folders[prompt.folder].to }}'"
    assert problems(TEAMS + rule(f"{{ {to}, subject = 'a' }}")) == [
        "rules.toml:14: rules[0].actions[0].subject: unknown key for http and slack"
    ]
    assert problems(TEAMS + rule(f"{{ {to}, path = '{{{{ x }}}}', text = '{{{{ y }}}}' }}")) == [
        "rules.toml:14: rules[0].actions[0].path: `x`: unknown name",
        "rules.toml:14: rules[0].actions[0].text: `y`: unknown name",
    ]


def test_a_value_that_is_not_set_may_be_any_destination() -> None:
    write("rules.toml", HEAD + '[vars]\nto = "${TO}"\n' + rule("{ to = '{{ vars.to }}' }"))
    assert load("rules.toml", Disk(OUTSIDE), missing="placeholder").ruleset.rules[0].actions[0].targets


def test_a_name_that_cannot_be_had_for_an_event_is_refused_at_load() -> None:
    text = TEAMS + rule("{ to = '{{ vars.teams[prompt.folder] }}' }") + 'match = { type = "monitor-alert" }\n'
    assert problems(text) == [
        "rules.toml:14: rules[0].actions[0]: `{{ vars.teams[prompt.folder] }}` fails for a monitor-alert event: "
        "line 1: 'None' has no attribute 'folder'"
    ]


def deliveries(to: str, name: str, rest: str = "") -> list[tuple[str, str, str]]:
    rules = ruleset(TEAMS + rule(f"{{ to = {to}{rest} }}"))
    key = PromptKey("prod", "project", name)
    result = preview(rules, prompt_event("created", 1, ["production"], updated=0, key=key))
    return [(one.destination, one.status, one.reason) for one in result.plan.deliveries]


def test_a_delivery_goes_where_the_template_says() -> None:
    assert deliveries("'{{ vars.teams[prompt.folder] }}'", "search/a") == [("search-team", "captured", "")]
    assert deliveries("'{{ prompt.folder }}-team'", "checkout/a") == [("checkout-team", "captured", "")]
    twice = "['search-team', '{{ vars.teams[prompt.folder] }}']"
    assert deliveries(twice, "search/a") == [("search-team", "captured", "")]


def test_a_delivery_that_reaches_nobody_is_dead_and_tells_why() -> None:
    lookup = "'{{ vars.teams[prompt.folder] }}'"
    assert deliveries(lookup, "payments/a") == [
        ("{{ vars.teams[prompt.folder] }}", "dead", "`to` cannot be rendered: line 1: there is no `payments` here")
    ]
    assert deliveries("'{{ prompt.folder }}-team'", "payments/a") == [
        ("payments-team", "dead", '`to` came to "payments-team", which is no destination')
    ]
    nothing = "'{{ prompt.tags | join }}'"
    assert deliveries(nothing, "a", ', recipients = ["a@example.com"]') == [
        ("{{ prompt.tags | join }}", "dead", "`to` came to nothing")
    ]
    assert problems(TEAMS + rule("{ to = '{% if label %}log{% endif %}' }")) == [
        "rules.toml:14: rules[0].actions[0].to: it can come to nothing: name a destination for that case as well, "
        "or keep it away with `if`"
    ]


def test_a_prompts_name_leads_nowhere_that_the_rule_does_not_name() -> None:
    assert deliveries("'{{ prompt.folder }}-team'", "api/a")[0][1] == "dead"
    assert deliveries("'{{ prompt.folder }}-team'", "log\n/a")[0][1] == "dead"


def test_an_if_may_keep_a_template_of_a_name_from_failing() -> None:
    guarded = ", if = 'prompt.folder in vars.teams'"
    lookup = "'{{ vars.teams[prompt.folder] }}'"
    assert deliveries(lookup, "payments/a", guarded) == [
        ("{{ vars.teams[prompt.folder] }}", "skipped", "its `if` is false")
    ]
    assert deliveries(lookup, "search/a", guarded) == [("search-team", "captured", "")]
