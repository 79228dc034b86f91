"""Warnings: what `check` tells of rules that are valid and yet not what somebody meant."""

import re
from pathlib import Path

import pytest

from router.engine.lint import lint
from router.service.outside import Disk
from router.service.rulebook import Loaded, load

ROOT = Path(__file__).parent.parent
HEAD = """[server]
public_url = "https://router.example.com"
[sources.prod]
secret = "${SECRET}"
project_url = "https://langfuse.example.com"
[destinations.team]
type = "slack"
webhook_url = "${SLACK_WEBHOOK_URL}"
[destinations.log]
type = "log"
[[rules]]
name = "uses-both"
match = { prompt = "used-by-no-test" }
actions = [{ to = ["team", "log"] }]
"""
BELOW = HEAD.count("\n")
ENVIRONMENT = {
    "SECRET": "lf-whsec_1",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/abcdefgh",
    "INSIDE": "http://127.0.0.1/x",
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str) -> Loaded:
    Path("rules.toml").write_text(HEAD + text, encoding="utf-8")
    return load("rules.toml", Disk(ENVIRONMENT), missing="error")


def warnings(text: str) -> list[str]:
    """Return every warning, with lines counted from the test's own text on."""
    found = loaded(text)
    return [f"{one.place.line - BELOW}: {one.path}: {one.what}" for one in lint(found.file, found.ruleset)]


def rule(actions: str, name: str = "r", more: str = "") -> str:
    return f'[[rules]]\nname = "{name}"\nactions = [{actions}]\n{more}\n'


def http(url: str, more: str = "", name: str = "api") -> str:
    return f'[destinations.{name}]\ntype = "http"\nurl = "{url}"\n{more}\n' + rule(f'{{ to = "{name}" }}')


@pytest.mark.parametrize("file", ["rules.example.toml", "tests/golden/rules.toml"])
def test_rules_that_are_meant_to_be_copied_have_no_warnings(file: str) -> None:
    names = re.findall(r"\$\{(\w+)", (ROOT / file).read_text())
    environment = {name: "https://example.com/x" if name.endswith("_URL") else "x" for name in names}
    found = load(str(ROOT / file), Disk(environment), missing="error")
    assert lint(found.file, found.ruleset) == ()


# ---- nobody uses it, or it is there twice


def test_a_destination_that_nobody_reaches() -> None:
    text = """[destinations.base]
extends = "team"
[destinations.heir]
extends = "base"
[destinations.idle]
extends = "heir"
[destinations.team-a]
extends = "team"
"""
    assert warnings(text + rule('{ to = "heir" }, { to = "{{ prompt.folder }}-a" }')) == [
        "5: destinations.idle: nobody sends there: name it in the `to` of a rule, or remove it"
    ]


def test_a_rule_that_is_switched_off_still_uses_what_it_names() -> None:
    assert warnings('[destinations.more]\ntype = "log"\n' + rule('{ to = "more" }', more="enabled = false")) == []


def test_an_action_that_nobody_uses() -> None:
    text = '[actions.a]\nto = "log"\n[actions.b]\nuse = "a"\n[actions.c]\nuse = "a"\n'
    assert warnings(text + rule('{ use = "b" }')) == [
        "5: actions.c: nobody uses it: say `use` in an action, or remove it"
    ]


def test_a_rule_that_does_what_another_does() -> None:
    one = rule('{ to = "log", text = "a" }, { to = "team" }', "one", 'match = { author = "a", version = 1 }')
    same = rule('{ to = "team" }, { text = "a", to = "log" }', "same", 'match = { version = 1, author = "a" }')
    assert warnings(one + same) == [
        '5: rules[2]: does the same as rules[1] "one" (rules.toml:15:1): all is told twice; remove one of them'
    ]
    assert warnings(one + same + 'mode = "shadow"\n') == [], "a trial beside the rule in force is no double"
    assert warnings(one + same + "enabled = false\n") == []
    assert warnings(one + same.replace("version = 1", "version = 2")) == []


# ---- addresses


@pytest.mark.parametrize(
    ("destination", "key", "host"),
    [
        ('type = "http"\nurl = "http://10.1.2.3/x"', "url", "10.1.2.3"),
        ('type = "http"\nurl = "http://[::ffff:127.0.0.1]/x"', "url", "::ffff:127.0.0.1"),
        ('type = "http"\nurl = "http://LOCALHOST:9000/x"', "url", "localhost"),
        ('type = "http"\nurl = "${INSIDE}"', "url", "its host"),
        ('type = "slack"\nwebhook_url = "${INSIDE}"', "webhook_url", "its host"),
        ('type = "github"\nrepository = "a/b"\ntoken = "${SECRET}"\nbase_url = "http://192.168.0.1"', "base_url", ""),
        ('type = "email"\nsmtp = "smtp://169.254.169.254"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]', "smtp", "169."),
    ],
)
def test_a_private_address_that_is_not_allowed(destination: str, key: str, host: str) -> None:
    text = "[destinations.inside]\n" + destination + "\n" + rule('{ to = "inside" }')
    (warning,) = warnings(text)
    assert f": destinations.inside.{key}: {host}" in warning
    assert warning.endswith("is private, so nothing will be sent there: say `allow_private = true` if that is meant")
    for pardon in ("allow_private = true", 'proxy = "http://proxy.example.com"'):
        assert warnings(text.replace("[destinations.inside]\n", f"[destinations.inside]\n{pardon}\n")) == []


def test_a_destination_that_is_where_events_come_from() -> None:
    ours = "this is the router itself: what is sent there may come back as an event; send it elsewhere"
    assert warnings(http("https://ROUTER.example.com:443/webhooks/prod")) == [f"3: destinations.api.url: {ours}"]
    assert warnings(http("http://127.0.0.1:8787/", "allow_private = true")) == [f"3: destinations.api.url: {ours}"]
    assert warnings(http("https://langfuse.example.com/api/public/v2/prompts")) == [
        '3: destinations.api.url: this is the Langfuse of source "prod": a request that changes a prompt there comes '
        "back as an event, again and again"
    ]
    assert warnings(http("https://router.example.com:8443/")) == []
    assert warnings(http("http://127.0.0.1:80", "allow_private = true")) == []


# ---- secrets


def test_a_secret_that_is_written_in_a_destination_is_masked_as_well() -> None:
    text = http("https://example.com", 'headers = { Private-Token = "t0ken" }\njson = { a = [{ api_key = "k3y" }] }')
    what = "a secret written in the file; take it from outside with ${NAME} or ${file:PATH}"
    assert warnings(text) == [
        f"4: destinations.api.headers.Private-Token: {what}",
        f"5: destinations.api.json.a[0].api_key: {what}",
    ]
    seen = repr(loaded(text).ruleset)
    assert "t0ken" not in seen
    assert "k3y" not in seen


@pytest.mark.parametrize(
    "text",
    [
        '[vars]\nx = "ghp_0123456789abcdefghij"\n',
        '[vars]\nx = { a = ["https://hooks.slack.com/services/T0/B0/abcdefgh"] }\n',
        rule('{ to = "log", text = "lf-whsec_0123456789abcdef0123" }'),
        http("https://example.com") + rule('{ to = "api", headers = { Authorization = "x" } }', "s"),
        http("https://example.com") + rule('{ to = "api", json = { routing_key = "x" } }', "s"),
    ],
)
def test_a_secret_that_would_be_stored_with_the_rules(text: str) -> None:
    (warning,) = warnings(text)
    assert "looks like a secret, and what stands here is stored with the rules" in warning


@pytest.mark.parametrize(
    "json",
    [
        '{ token = "{{ prompt.name }}" }',
        '{ token = "" }',
        '{ issue_key = "LLM", dedup_key = "x", max_tokens = 5, keyboard = "k" }',
        '{ text = "the bearer of bad news" }',
    ],
)
def test_what_is_no_secret(json: str) -> None:
    text = http("https://example.com", f"form = {json}") + rule(f'{{ to = "api", form = {json} }}', "s")
    assert not [warning for warning in warnings(text) if "secret" in warning]


# ---- what templates show


@pytest.mark.parametrize(
    ("match", "text", "name", "only"),
    [
        ('{ action = "created" }', "{{ change.versions_left }}", "change.versions_left", "deleted versions"),
        (
            '{ action = "deleted" }',
            "{{ change.moved_from }}",
            "change.moved_from",
            "created versions and updated versions",
        ),
        ('{ action = "deleted" }', "{% if change.previous %}{{ change.diff }}{% endif %}", "change.diff", ""),
        ('{ type = "monitor-alert" }', "{% if prompt %}{{ prompt.name }}{% endif %}", "prompt", "prompt versions"),
        ('{ type = "monitor-alert" }', "{{ label }}", "label", "prompt versions"),
        ('{ prompt_type = "text" }', "{{ prompt.messages }}", "prompt.messages", "chat prompts"),
    ],
)
def test_a_value_that_no_event_of_the_rule_has(match: str, text: str, name: str, only: str) -> None:
    found = warnings(rule(f"{{ to = 'log', text = '{text}' }}", more=f"match = {match}"))
    assert any(
        f"actions[0].text: `{name}` is never there for what this is told of; only {only}" in one for one in found
    )
    assert warnings(rule(f"{{ to = 'log', text = '{text}' }}")) == []


def test_a_named_action_needs_a_value_for_one_of_its_rules_only() -> None:
    named = "[actions.tell]\nto = 'log'\ntext = '{{ change.versions_left }}'\nif = 'change.diff'\n"
    created = rule('{ use = "tell" }', "c", 'match = { action = "created" }')
    deleted = rule('{ use = "tell" }', "d", 'match = { action = "deleted" }')
    assert warnings(named + created) == [
        "3: actions.tell.text: `change.versions_left` is never there for what this is told of; "
        "only deleted versions have it"
    ]
    assert warnings(named + created + deleted) == []


def test_names_that_a_template_makes_itself_are_not_those_of_the_context() -> None:
    loop = "{% for label in prompt.labels %}{{ label }}{% endfor %}{% set author = 1 %}{{ author }}"
    block = "{ type = 'header', text = { type = 'plain_text', text = '{{ label }}' } }"
    body = f"blocks = [{{ '$for' = 'label in prompt.labels if label', '$do' = {block} }}]"
    more = 'match = { action = "deleted", prompt_type = "chat" }'
    assert warnings(rule(f"{{ to = 'team', text = '{loop}', {body} }}", more=more)) == []


@pytest.mark.parametrize(
    ("type", "name", "hint"),
    [
        ("prompt-version", "body.prompt.nme", '; did you mean "name"?'),
        ("prompt-version", "body.prompt.config.model", None),
        ("monitor-alert", "body.payload.message.tilte", '; did you mean "title"?'),
        ("monitor-alert", "body.prompt.name", ""),
        ("project-notification", "body.event.blockReason", None),
        ("something-new", "body.anything", None),
        ("*", "body.anything", None),
        ("router.missed", "body.message", None),
    ],
)
def test_a_field_that_langfuse_is_not_known_to_send(type: str, name: str, hint: str | None) -> None:
    action = f"{{ to = 'log', text = 'a\\n{{{{ {name} }}}}' }}".replace("\\n", "")
    found = warnings(rule(action, more=f'match = {{ type = "{type}" }}'))
    path = name if name != "body.prompt.name" else "body.prompt"
    expected = f"3: rules[1].actions[0].text: `{path}`: Langfuse is not known to send such a field{hint}"
    assert found == ([] if hint is None else [expected])


def test_a_match_that_asks_for_what_no_event_has() -> None:
    match = """{ type = "monitor-alert", when = "label == 'a'", where = [
  { path = "$.payload.severty", equals = "ALERT" }, { path = "$..severity", exists = true } ], any = ["odd"] }"""
    text = rule("{ to = 'log' }", more=f"match = {match}") + "[matches.odd]\nwhen = 'body.payload.titel'\n"
    assert warnings(text) == [
        "4: rules[1].match.when: `label` is never there for what this is told of; only prompt versions have it",
        "5: rules[1].match.where[0].path: `body.payload.severty`: Langfuse is not known to send such a field; "
        'did you mean "severity"?',
        "7: matches.odd.when: `body.payload.titel`: Langfuse is not known to send such a field",
    ]
    assert warnings(text.replace("monitor-alert", "*").replace("label ==", "label and label ==")) == []


def test_a_warning_about_a_template_file_is_told_there() -> None:
    Path("t.txt").write_text("{{ change.versions_left }}")
    found = loaded(rule('{ to = "log", text = { file = "t.txt" } }', more='match = { action = "created" }'))
    assert [str(one.place) for one in lint(found.file, found.ruleset)] == ["t.txt:1:1"]
