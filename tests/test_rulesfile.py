"""The rules file: what it says, and every way in which it can be wrong."""

import contextlib
import json
import string
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.destination import (
    EmailDestination,
    GithubDestination,
    HttpDestination,
    LogDestination,
    Rate,
    SlackDestination,
)
from router.domain.problem import Place, RulesError
from router.domain.text import Text
from router.engine.cron import BadCron, Cron, next_time
from router.engine.rulesfile import ACTION_KEYS, RulesFile, read_rules
from router.engine.rulesfile.document import parse
from router.engine.rulesfile.expand import Placeholder, expand
from router.engine.rulesfile.kinds import duration_text
from router.engine.rulesfile.reader import MissingIs
from router.engine.rulesfile.spec import DESTINATION_TYPES
from router.engine.times import Span, Times
from router.service.outside import Disk

HEAD = '[sources.prod]\nsecret = "${SECRET}"\n'
RULE = '[[rules]]\nname = "all"\nactions = [{ to = "log" }]\n'
LOG = '[destinations.log]\ntype = "log"\n'
SECRETS = {"SECRET": "lf-whsec_1"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read(text: str, environment: Mapping[str, str] = SECRETS, *, missing: MissingIs = "error") -> RulesFile:
    write("rules.toml", text)
    file = read_rules("rules.toml", Disk(environment), missing=missing)
    if file.problems:
        raise RulesError(file.problems)
    return file


def problems(text: str, environment: Mapping[str, str] = SECRETS) -> list[str]:
    with pytest.raises(RulesError) as caught:
        read(text, environment)
    return [str(problem) for problem in caught.value.problems]


def with_destination(text: str) -> str:
    """A file that is fine but for what stands in the table [destinations.d], which begins in line 3."""
    return f"{HEAD}[destinations.d]\n{text}\n{LOG}{RULE}"


# ---- what it says


def test_a_source_may_have_the_api_of_its_project() -> None:
    file = read(
        f"""{HEAD}expect_every = "6h"
[sources.prod.api]
host = "https://cloud.langfuse.com"
public_key = "${{PUBLIC}}"
secret_key = "${{PRIVATE}}"
every = "90s"
allow_private = true
proxy = "http://user:pw@proxy.example.com"
{LOG}{RULE}""",
        {**SECRETS, "PUBLIC": "pk-lf-1", "PRIVATE": "sk-lf-1"},
    )
    source = file.sources["prod"]
    assert source.expect_every == timedelta(hours=6)
    assert source.api is not None
    assert (source.api.secret_key.reveal(), str(source.api.secret_key)) == ("sk-lf-1", "***")
    assert (source.api.every, source.api.allow_private) == (timedelta(seconds=90), True)
    assert "sk-lf-1" not in repr(source)
    assert "pw" not in str(source.api.proxy)


def test_an_api_key_that_is_written_out_is_a_warning() -> None:
    api = '[sources.prod.api]\nhost = "https://x.example"\npublic_key = "pk"\nsecret_key = "sk-lf-1"\n'
    (warning,) = map(str, read(f"{HEAD}{api}{LOG}{RULE}").warnings)
    assert warning.startswith("rules.toml:6:1: sources.prod.api.secret_key: ")
    assert "sk-lf-1" not in warning


def test_a_spool_beside_sqlite_is_a_warning() -> None:
    """One file may serve a laptop and, by `serve --store`, the cluster."""
    (warning,) = read(f'[store]\nspool = "/var/lib/spool.db"\n{HEAD}{LOG}{RULE}').warnings
    assert (
        str(warning)
        == "rules.toml:2:1: store.spool: is used with PostgreSQL only: a SQLite store is on this machine anyway"
    )
    assert read(f'[store]\nurl = "postgresql://x"\nspool = "/var/lib/spool.db"\n{HEAD}{LOG}{RULE}').warnings == ()


@pytest.mark.parametrize("text", ["500ms", "5s", "90s", "2m", "6h", "30d", "1500ms"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    source = read(f'{HEAD}expect_every = "{text}"\n{LOG}{RULE}').sources["prod"]
    assert source.expect_every is not None
    assert duration_text(source.expect_every) == text


@pytest.mark.parametrize("api", ["5", '"x"', "[]", "2026-01-01"])
def test_an_api_is_a_table(api: str) -> None:
    (problem,) = problems(f"{HEAD}api = {api}\n{LOG}{RULE}")
    assert problem.startswith("rules.toml:3:1: sources.prod.api: ")


def test_a_full_file_becomes_typed_values() -> None:
    file = read(
        """
[server]
host = "0.0.0.0"
port = "${PORT:-9000}"
admin_port = 9001
admin_token = "${ADMIN}"
public_url = "https://router.example.com"
max_body = "512KiB"
[store]
url = "postgresql://router:${DB_PASSWORD}@db/router"
retention = "30d"
[sources.prod]
secret = ["${SECRET}", "${OLD}"]
tolerance = "off"
settle = "500ms"
pair = "0s"
plain_signature = "${PLAIN}"
project_url = "https://cloud.langfuse.com"
[destinations.team]
type = "slack"
webhook_url = "${HOOK}"
color = "#fff"
retry = ["1s", "2m"]
ordered = true
[destinations.api]
type = "http"
url = "https://user:${API}@api.example.com/v2"
signing_secret = ["${SIGN}"]
json = { routing_key = "${API}", event = "trigger" }
headers = { Authorization = "Bearer ${API}", X-Team = "llm" }
rate = "30/5m"
allow_private = true
proxy = "env"
content = "summary"
[destinations.ci]
type = "github"
repository = "acme/prompts"
token = "${GH}"
[destinations.ci-search]
extends = "ci"
repository = "acme/search"
[destinations.oncall]
type = "email"
smtp = "smtp+starttls://mailer:${MAIL}@mail.example.com:587"
from = "Prompts <prompts@example.com>"
recipients = ["a@example.com"]
allowed_domains = ["Example.com"]
[destinations.log]
type = "log"
level = "debug"
[vars]
channel = { checkout = "#checkout", price = "$$5", home = "${HOMEPAGE}" }
[[rules]]
name = "promoted"
description = "d"
mode = "shadow"
enabled = false
match = { labels_gained = "production" }
[[rules.actions]]
to = "team"
text = "{{ prompt.name }} costs $$"
[[rules]]
name = "everything"
actions = [{ to = "log" }]
""",
        {
            "ADMIN": "adm1n",
            "DB_PASSWORD": "dbpw",
            "SECRET": "s1",
            "OLD": "s2",
            "PLAIN": "True",
            "HOOK": "https://hooks.slack.com/services/T/B/x",
            "API": "k/e@y",
            "SIGN": "whsec_x",
            "GH": "ghp_x",
            "MAIL": "p@ss/w#rd",
            "HOMEPAGE": "https://example.com",
        },
    )
    assert (file.server.host, file.server.port, file.server.admin_port) == ("0.0.0.0", 9000, 9001)
    assert file.server.admin_token == Text("adm1n")
    assert file.server.max_body == 512 * 1024
    assert str(file.store.url) == "postgresql://router:***@db/router"
    assert file.store.url.reveal() == "postgresql://router:dbpw@db/router"
    assert file.store.retention == timedelta(days=30)
    prod = file.sources["prod"]
    assert [secret.reveal() for secret in prod.secrets] == ["s1", "s2"]
    assert (prod.tolerance, prod.settle, prod.pair) == (None, timedelta(milliseconds=500), timedelta())
    assert prod.plain_signature
    team = file.destinations["team"]
    assert isinstance(team, SlackDestination)
    assert str(team.webhook_url) == "***"
    assert team.limits.rate == Rate(1, timedelta(seconds=1))
    assert team.limits.retry == (timedelta(seconds=1), timedelta(minutes=2))
    assert team.limits.ordered
    assert team.defaults == {"color": "#fff"}
    api = file.destinations["api"]
    assert isinstance(api, HttpDestination)
    assert api.url.reveal() == "https://user:k%2Fe%40y@api.example.com/v2"
    assert str(api.url) == "https://user:***@api.example.com/v2"
    assert api.limits.rate == Rate(30, timedelta(minutes=5))
    assert (api.limits.allow_private, api.limits.content, api.limits.proxy) == (True, "summary", Text("env"))
    assert str(api.defaults["json"]) == "{'routing_key': Text('***'), 'event': 'trigger'}"
    assert str(api.defaults["headers"]) == "{'Authorization': Text('Bearer ***'), 'X-Team': 'llm'}"
    search = file.destinations["ci-search"]
    assert isinstance(search, GithubDestination)
    assert (search.repository, search.token) == (Text("acme/search"), Text("ghp_x"))
    oncall = file.destinations["oncall"]
    assert isinstance(oncall, EmailDestination)
    assert oncall.smtp.reveal() == "smtp+starttls://mailer:p%40ss%2Fw%23rd@mail.example.com:587"
    assert oncall.defaults == {"recipients": ["a@example.com"]}
    assert oncall.allowed_domains == ("example.com",)
    log = file.destinations["log"]
    assert isinstance(log, LogDestination)
    assert log.defaults == {"level": "debug"}
    assert file.vars == {"channel": {"checkout": "#checkout", "price": "$5", "home": "https://example.com"}}
    first, second = file.rules
    assert (first.name, first.mode, first.enabled, first.index) == ("promoted", "shadow", False, 0)
    assert first.actions == ({"to": "team", "text": "{{ prompt.name }} costs $$"},)
    assert (second.match, second.mode, second.enabled) == ({}, "live", True)
    assert file.warnings == ()


def test_a_small_file_gets_the_defaults() -> None:
    file = read(HEAD + LOG + RULE)
    assert (file.server.host, file.server.port, file.server.max_body) == ("127.0.0.1", 8787, 20 * 2**20)
    assert (file.store.url, file.store.retention) == (Text("sqlite:///router.db"), timedelta(days=90))
    assert file.sources["prod"].tolerance == timedelta(minutes=5)
    assert file.destinations["log"].limits.rate is None


def test_an_admin_token_that_is_empty_is_none() -> None:
    assert read('[server]\nadmin_token = "${NONE:-}"\n' + HEAD + LOG + RULE).server.admin_token is None


def test_a_destination_extends_others_along_a_chain_and_tables_merge() -> None:
    file = read(
        HEAD
        + """
[destinations.c]
extends = "b"
json = { severity = "low" }
[destinations.b]
extends = "a"
timeout = "1s"
[destinations.a]
type = "http"
url = "https://example.com"
json = { key = "k", severity = "high" }
"""
        + LOG
        + RULE
    )
    assert file.destinations["c"].defaults == {"json": {"key": "k", "severity": "low"}}
    assert file.destinations["c"].limits.timeout == timedelta(seconds=1)
    assert file.place("destinations", "c", "json", "key") == Place("rules.toml", 13, 10)
    assert file.place("destinations", "c", "json", "severity") == Place("rules.toml", 6, 10)


def test_a_file_stands_for_a_text_or_a_tree() -> None:
    write("templates/t.txt", "hello {{ prompt.name }}\n")
    write("templates/b.json", '[{"type": "divider"}]')
    write("templates/j.toml", 'name = "{{ prompt.name }}"')
    file = read(
        HEAD
        + LOG
        + """
[destinations.api]
type = "http"
url = "https://example.com"
json = { file = "templates/j.toml" }
[[rules]]
name = "r"
[[rules.actions]]
to = "log"
text = { file = "templates/t.txt" }
[[rules.actions]]
to = "log"
blocks = { file = "templates/b.json" }
[[rules.actions]]
to = "log"
dispatch = { client_payload = { file = "templates/j.toml" } }
query = { file = "a query parameter" }
"""
    )
    text, blocks, dispatch = file.rules[0].actions
    assert text["text"] == "hello {{ prompt.name }}\n"
    assert blocks["blocks"] == [{"type": "divider"}]
    assert dispatch["dispatch"] == {"client_payload": {"name": "{{ prompt.name }}"}}
    assert dispatch["query"] == {"file": "a query parameter"}
    assert file.destinations["api"].defaults == {"json": {"name": "{{ prompt.name }}"}}
    before = file.canonical()
    assert b"hello {{ prompt.name }}" in before
    write("templates/t.txt", "bye")
    assert read(Path("rules.toml").read_text()).canonical() != before


def test_files_are_included_after_the_main_one_in_order_and_found_again() -> None:
    write("rules.d/b.toml", '[[rules]]\nname = "from-b"\nactions = [{ to = "log" }]\n')
    write(
        "rules.d/a.toml",
        '[destinations.more]\ntype = "log"\n\n[[rules]]\nname = "from-a"\nactions = [{ to = "more" }]\n',
    )
    write("rules.d/.hidden.toml", "broken")
    write("team.toml", '[[rules]]\nname = "from-team"\nactions = [{ to = "log", text = { file = "t.txt" } }]\n')
    write("t.txt", "beside")
    file = read('include = ["rules.d/*.toml", "team.toml", "none.d/*.toml", "*.toml"]\n' + HEAD + LOG + RULE)
    assert [rule.name for rule in file.rules] == ["all", "from-a", "from-b", "from-team"]
    assert file.rules[3].actions[0]["text"] == "beside"
    assert file.place("rules", 1, "actions", 0, "to") == Place("rules.d/a.toml", 6, 14)
    assert file.place("destinations", "more") == Place("rules.d/a.toml", 1, 1)
    assert set(file.destinations) == {"log", "more"}


def test_matches_are_as_written_and_times_are_values() -> None:
    file = read(
        HEAD
        + LOG
        + """
[matches.managers]
author = ["ann@example.com"]
[times.office]
zone = "Europe/Berlin"
days = ["fri-mon", "wed"]
hours = ["09:00-12:00", "22:00-24:00"]
[times.weekend]
days = "sat-sun"
"""
        + RULE
    )
    assert file.matches == {"managers": {"author": ["ann@example.com"]}}
    assert file.times == {
        "office": Times(
            zone="Europe/Berlin",
            days=frozenset({4, 5, 6, 0, 2}),
            hours=(Span(time(9), time(12)), Span(time(22), None)),
        ),
        "weekend": Times(days=frozenset({5, 6})),
    }
    assert b'"matches":{"managers":{"author":["ann@example.com"]}}' in file.canonical()
    assert b'"hours":["09:00-12:00","22:00-24:00"]' in file.canonical()


def test_faults_of_matches_and_times_have_their_places() -> None:
    text = (
        HEAD
        + """
[matches.a]
author = "${X}"
[matches.b]
since = 2026-01-01
[matches]
c = 5
"d e" = { author = "x" }
[times.office]
zone = "Europe/Berln"
days = ["mon-fri", "funday"]
hours = ["9-18"]
hour = 5
[times.none]
[times.night]
hours = "07:00-07:00"
"""
        + LOG
        + RULE
    )
    assert [problem.partition(": ")[2][:69] for problem in problems(text)] == [
        "matches.a.author: `${` has no place here: put the value into [vars], ",
        "matches.b.since: a date or time has no place here; write it as a stri",
        "matches.c: expected a table, got 5",
        "matches.d e: a name has letters, digits, `-`, `_` and `.` only",
        'times.office.zone: there is no time zone "Europe/Berln"; did you mean',
        'times.office.days[1]: expected a day or days such as "mon-fri"',
        'times.office.hours[0]: expected hours such as "09:00-18:00"',
        'times.office.hour: unknown key; did you mean "hours"?',
        "times.none: says nothing; give zone, days, hours",
        "times.night.hours: ends when it starts; leave `hours` out for whole d",
    ]


# ---- from outside


def test_a_secret_comes_from_a_file_without_its_last_newline() -> None:
    write("secret", "lf-whsec_9\n")
    source = read('[sources.prod]\nsecret = "${file:secret}"\n' + LOG + RULE).sources["prod"]
    assert source.secrets[0].reveal() == "lf-whsec_9"


def test_what_is_missing_is_an_error_or_a_placeholder_with_a_warning() -> None:
    text = (
        '[server]\nport = "${PORT}"\n[sources.prod]\nsecret = "${SECRET}"\ntolerance = "${T}"\n'
        '[destinations.s]\ntype = "slack"\nwebhook_url = "${HOOK}"\n'
        '[destinations.h]\ntype = "http"\nurl = "${URL}/x"\nheaders = { A = "Bearer ${file:gone} ${TOK}" }\n'
        + LOG
        + RULE
    )
    assert problems(text, {"TOK": ""}) == [
        "rules.toml:2:1: server.port: environment variable PORT is not set",
        "rules.toml:4:1: sources.prod.secret: environment variable SECRET is not set",
        "rules.toml:5:1: sources.prod.tolerance: environment variable T is not set",
        "rules.toml:8:1: destinations.s.webhook_url: environment variable HOOK is not set",
        "rules.toml:11:1: destinations.h.url: environment variable URL is not set",
        "rules.toml:12:13: destinations.h.headers.A: environment variable TOK is empty",
        "rules.toml:12:13: destinations.h.headers.A: file gone cannot be read: No such file or directory",
    ]
    file = read(text, {"TOK": ""}, missing="placeholder")
    assert [str(warning) for warning in file.warnings] == problems(text, {"TOK": ""})
    assert file.server.port == 8787
    assert str(file.sources["prod"].secrets[0]) == "${SECRET}"
    api = file.destinations["h"]
    assert isinstance(api, HttpDestination)
    assert str(api.url) == "${URL}/x"
    assert str(api.defaults["headers"]) == "{'A': Text('Bearer ${file:gone} ${TOK}')}"


def test_secrets_written_in_the_file_are_masked_and_warned_about() -> None:
    file = read(
        """
[server]
admin_token = "adm1n"
[sources.prod]
secret = ["s3cret", "${SECRET}"]
[destinations.team]
type = "slack"
webhook_url = "https://hooks.slack.com/services/T/B/x"
[destinations.ci]
type = "github"
repository = "a/b"
token = "t0ken"
[destinations.mail]
type = "email"
smtp = "smtp://user:p4ss@localhost"
from = "a@b.c"
[destinations.relay]
type = "email"
smtp = "smtp://localhost:25"
from = "a@b.c"
[destinations.api]
type = "http"
url = "https://example.com"
signing_secret = "s1gn"
headers = { authorization = "Bearer b34rer", X-Team = "llm" }
"""
        + RULE.replace('"log"', '"ci"')
    )
    assert [warning.path for warning in file.warnings] == [
        "server.admin_token",
        "sources.prod.secret",
        "destinations.team.webhook_url",
        "destinations.ci.token",
        "destinations.mail.smtp",
        "destinations.api.signing_secret",
        "destinations.api.headers.authorization",
    ]
    seen = repr(file) + "".join(map(str, file.warnings))
    for secret in ("adm1n", "s3cret", "services/T", "t0ken", "p4ss", "s1gn", "b34rer"):
        assert secret not in seen
    mail = file.destinations["mail"]
    assert isinstance(mail, EmailDestination)
    assert str(mail.smtp) == "smtp://user:***@localhost"


WRONG_VALUES = [
    'type = "slack"\nwebhook_url = "https://hook.example.com/%\\n"',
    'type = "slack"\nwebhook_url = "ftp://%"',
    'type = "slack"\nwebhook_url = ["%"]',
    'type = "http"\nurl = "https://user:%@"',
    'type = "http"\nurl = "https://example.com:%/"',
    'type = "http"\nurl = "https://example.com"\nsigning_secret = { a = "%" }',
    'type = "github"\nrepository = "a/b"\ntoken = "%\\n"',
    'type = "email"\nfrom = "a@b.c"\nsmtp = "imap://user:%@host"',
    'type = "email"\nfrom = "a@b.c"\nsmtp = "smtp://user:%@host:x"',
    'type = "log"\ntimeout = "${TOKEN}"',
    'type = "log"\nrate = "${TOKEN}"',
    'type = "${TOKEN}"',
]


@pytest.mark.parametrize("text", WRONG_VALUES)
def test_no_problem_shows_a_secret(text: str) -> None:
    found = problems(with_destination(text.replace("%", "t0p")), {**SECRETS, "TOKEN": "t0p"})
    assert found
    assert not any("t0p" in problem for problem in found)


@settings(deadline=None)  # files are read and written
@given(st.text(string.printable, min_size=4).filter(str.strip), st.sampled_from(["error", "placeholder"]))
def test_no_value_from_outside_shows_anywhere(secret: str, missing: MissingIs) -> None:
    secret = f"<{secret}>"
    text = with_destination('type = "http"\nurl = "https://example.com/${S}"\ntimeout = "${S}"\njson = ["${S}"]')
    try:
        shown = repr(read(text.replace("${SECRET}", "${S}"), {"S": secret}, missing=missing))
    except RulesError as error:
        shown = str(error)
    assert secret not in shown


@settings(deadline=None)  # files are read and written
@given(st.text())
def test_doubled_dollar_signs_are_the_text_itself(text: str) -> None:
    assert expand(text.replace("$", "$$"), Disk({}), file="rules.toml").value == text


@settings(deadline=None)  # files are read and written
@given(st.lists(st.one_of(st.just("${A}"), st.text(string.ascii_letters + "{}/@ ")), max_size=5), st.text(min_size=1))
def test_only_what_came_in_is_masked(parts: list[str], value: str) -> None:
    if "\ud800" <= max(value) <= "\udfff":
        value = "x"
    found = expand("".join(parts), Disk({"A": value}), file="rules.toml").value
    assert str(found) == "".join(parts).replace("${A}", "***")
    assert (found.reveal() if isinstance(found, Text) else found) == "".join(parts).replace("${A}", value)


@pytest.mark.parametrize("raw", ["${", "a ${NAME", "${}", "${1A}", "${a b}", "${A:default}"])
def test_a_malformed_reference_says_what_is_expected(raw: str) -> None:
    found = expand(raw, Disk({}), file="rules.toml")
    assert isinstance(found.value, Placeholder)
    assert len(found.malformed) == 1


def test_a_variable_may_have_a_default() -> None:
    assert expand("${A:-b:-c}", Disk({"A": ""}), file="r").value == Text("b:-c")
    assert expand("${A:-b}", Disk({"A": "a"}), file="r").value == Text("a")


# ---- what is wrong with it


def test_every_fault_is_told_at_once_with_its_place() -> None:
    write(
        "rules.d/t.toml", '[server]\nport = 1\n[destinations.h]\ntype = "log"\n[[rules]]\nname = "a"\nenable = true\n'
    )
    write("rules.d/u.toml", "a = \n")
    text = """include = ["rules.d/*.toml", "gone.toml", 5]
vars = 5
[server]
prot = 1
port = "x"
admin_port = 65536
max_body = "20Mbit"
[store]
url = "mysql://x"
spool = "x"
retention = "0s"
[sources.router]
secret = []
settle = 5
[sources.prod]
secret = ["a", 7]
api = { host = "x" }
[destinations.a]
extends = "b"
[destinations.b]
extends = "a"
[destinations.slk]
type = "slak"
[destinations.s]
type = "slack"
token = "tok"
rate = "fast"
retry = ["5s", 4]
[destinations.h]
type = "http"
url = "ftp://user:secret@x/"
json = { a = "${SECRET} {{ x }}", d = 2026-01-01 }
expect = { where = [] }
[destinations."bad name"]
type = "log"
[destinations.x]
extends = "slkk"
[destinations.ap]
type = "apprise"
proxy = "env"
[destinations.n]
[[rules]]
nam = "é"
match = {
   "é" = "é", labels = "${X}",   # hm
   q = 2026-01-01,
}
throttle = "0s"
actions = []
[[rules]]
name = "a"
group = "prompts"
mode = "alive"
actions = [{ to = "s", use = "x", thread = "prompt" }, 3, { to = "h", text = { file = "none.txt" } }]
[[rules]]
name = "a"
fallback = "yes"
"""
    hole = (
        "`${` has no place here: put the value into [vars], or into the destination if it is secret "
        "(for the characters themselves write {{ '$' }}{)"
    )
    assert problems(text) == [
        "rules.toml:1:30: include[1]: gone.toml cannot be read: No such file or directory",
        'rules.toml:1:43: include[2]: expected a file or a pattern such as "rules.d/*.toml", got 5',
        "rules.toml:2:1: vars: expected a table [vars], got 5",
        'rules.toml:4:1: server.prot: unknown key; did you mean "port"?',
        'rules.toml:5:1: server.port: expected a port number from 0 to 65535, got "x"',
        "rules.toml:6:1: server.admin_port: expected a port number from 0 to 65535, got 65536",
        'rules.toml:7:1: server.max_body: expected a size such as "20MiB", got "20Mbit"',
        "rules.toml:9:1: store.url: expected sqlite:///FILE or postgresql://user@host/db",
        "rules.toml:11:1: store.retention: expected a duration longer than 0",
        'rules.toml:12:1: sources.router: "router" is the router\'s own source; choose another name',
        "rules.toml:13:1: sources.router.secret: is an empty list",
        'rules.toml:14:1: sources.router.settle: expected a duration such as "5s", got 5',
        "rules.toml:16:16: sources.prod.secret[1]: expected a string",
        "rules.toml:17:1: sources.prod.api: `public_key` is missing: the project's public API key (pk-lf-…)",
        "rules.toml:17:1: sources.prod.api: `secret_key` is missing: the project's secret API key (sk-lf-…)",
        "rules.toml:17:9: sources.prod.api.host: expected a URL with https:// or http:// and a host",
        "rules.toml:19:1: destinations.a.extends: goes round in a circle: a → b → a",
        "rules.toml:21:1: destinations.b.extends: goes round in a circle: b → a → b",
        "rules.toml:23:1: destinations.slk.type: expected one of slack, http, github, email, log, apprise, "
        'got "slak"; did you mean "slack"?',
        'rules.toml:27:1: destinations.s.rate: expected a rate such as "1/s", got "fast"',
        'rules.toml:28:16: destinations.s.retry[1]: expected a duration such as "5s"',
        "rules.toml:31:1: destinations.h.url: expected a URL with https:// or http:// and a host",
        "rules.toml:32:10: destinations.h.json.a: `${…}` and a template cannot stand in one string: "
        "secrets join when a message is sent",
        "rules.toml:32:35: destinations.h.json.d: a date or time has no place here; write it as a string",
        "rules.toml:34:1: destinations.bad name: a name has letters, digits, `-`, `_` and `.` only",
        'rules.toml:37:1: destinations.x.extends: no destination "slkk"; did you mean "slk"?',
        "rules.toml:38:1: destinations.ap: `url` is missing: the service, as Apprise writes it, with the credentials "
        "in it",
        "rules.toml:40:1: destinations.ap.proxy: does nothing here: Apprise makes its own connections",
        "rules.toml:41:1: destinations.n: `type` is missing: one of slack, http, github, email, log, apprise",
        "rules.toml:42:1: rules[0]: `name` is missing: what verdicts, counts and deliveries go by; "
        "unique over all files",
        'rules.toml:43:1: rules[0].nam: unknown key; did you mean "name"?',
        f"rules.toml:45:15: rules[0].match.labels: {hole}",
        "rules.toml:46:4: rules[0].match.q: a date or time has no place here; write it as a string",
        "rules.toml:48:1: rules[0].throttle: expected a duration longer than 0",
        "rules.toml:49:1: rules[0].actions: is an empty list",
        'rules.toml:52:1: rules[1].group: expected "version" or "prompt", got "prompts"',
        'rules.toml:53:1: rules[1].mode: expected "live" or "shadow", got "alive"',
        'rules.toml:54:24: rules[1].actions[0].use: no action "x"',
        "rules.toml:54:56: rules[1].actions[1]: expected a table",
        "rules.toml:54:80: rules[1].actions[2].text.file: none.txt cannot be read: No such file or directory",
        "rules.toml:55:1: rules[2]: `actions` is missing: what to do; `to` alone sends the built-in message",
        'rules.toml:56:1: rules[2].name: "a" is the name of rules[1] too (rules.toml:51:1)',
        'rules.toml:57:1: rules[2].fallback: expected true or false, got "yes"',
        "rules.d/t.toml:1:1: server: only in the main file; an included file holds destinations and rules",
        "rules.d/t.toml:3:1: destinations.h: the name is taken by rules.toml:29:1",
        "rules.d/t.toml:5:1: rules[3]: `actions` is missing: what to do; `to` alone sends the built-in message",
        'rules.d/t.toml:6:1: rules[3].name: "a" is the name of rules[1] too (rules.toml:51:1)',
        'rules.d/t.toml:7:1: rules[3].enable: unknown key; did you mean "enabled"?',
        "rules.d/u.toml:1:5: not TOML: Invalid value",
    ]


def test_slack_is_a_webhook_or_a_bot() -> None:
    neither = '[destinations.a]\ntype = "slack"\n'
    both = '[destinations.b]\ntype = "slack"\nwebhook_url = "${SECRET}"\ntoken = "${SECRET}"\n'
    write("secret.txt", "https://hooks.example.com/x")
    text = HEAD + (neither + both).replace("${SECRET}", "${file:secret.txt}") + RULE
    assert [problem.partition(": ")[2] for problem in problems(text)] == [
        "destinations.a: one of `webhook_url` and `token` is missing",
        "destinations.b.token: give either `webhook_url` or `token`",
    ]


@pytest.mark.parametrize(
    ("type", "keys", "refused"),
    [
        ("slack", 'token = "t"\nchannel = "${SECRET}"', ""),
        ("slack", 'token = "t"\nchannel = "c"\ntext = "${SECRET}"', "text"),
        ("slack", 'token = "t"\nchannel = "c"\nblocks = [{ type = "${SECRET}" }]', "blocks"),
        ("http", 'url = "https://x.example"\njson = { a = { b = "${SECRET}" } }\nheaders = { x = "${SECRET}" }', ""),
        ("http", 'url = "https://x.example"\nform = { a = "${SECRET}" }\nquery = { x = "${SECRET}" }', ""),
        ("http", 'url = "https://x.example"\njson = "${SECRET}"', "json"),
        ("http", 'url = "https://x.example"\nbody = "${SECRET}"', "body"),
        ("http", 'url = "https://x.example"\npath = "/${SECRET}"', "path"),
        ("http", 'url = "https://x.example"\nmethod = "${SECRET}"', "method"),
        ("http", 'url = "https://x.example"\njson = { a = ["${SECRET}", "{{ prompt.name }}"] }', "json.a"),
        ("github", 'repository = "a/b"\ntoken = "t"\ndispatch = { client_payload = { a = "${SECRET}" } }', ""),
        ("github", 'repository = "a/b"\ntoken = "t"\ndispatch = { event_type = "${SECRET}" }', "dispatch.event_type"),
        ("email", 'smtp = "smtp://m"\nfrom = "a@b"\nrecipients = ["${SECRET}"]\ncc = "${SECRET}"', ""),
        ("email", 'smtp = "smtp://m"\nfrom = "a@b"\nsubject = "${SECRET}"', "subject"),
        ("email", 'smtp = "smtp://m"\nfrom = "a@b"\ncc = ["${SECRET}", "{{ author }}@x.example"]', "cc"),
        ("log", 'text = "${SECRET}"', "text"),
    ],
)
def test_a_secret_default_joins_the_message_at_the_end_or_is_refused(type: str, keys: str, refused: str) -> None:
    text = f'{HEAD}[destinations.d]\ntype = "{type}"\n{keys}\n{RULE}'
    try:
        read(text, {"SECRET": "s3cret"})
        found = []
    except RulesError as error:
        found = [problem.path for problem in error.problems]
    assert found == ([f"destinations.d.{refused}"] if refused else [])


def test_an_empty_file_lacks_a_source_and_a_rule() -> None:
    assert problems("") == [
        "rules.toml:1:1: rules: there is none: add [[rules]] with a `name`, a `match` and `actions`",
        "rules.toml:1:1: sources: there is none: add [sources.NAME] with the `secret` of a Langfuse webhook",
    ]


def test_what_is_not_toml_is_placed() -> None:
    assert problems("[server]\nport = = 1\n") == ["rules.toml:2:8: not TOML: Invalid value"]


def test_a_missing_file_is_one_problem() -> None:
    with pytest.raises(RulesError, match=r"^none\.toml: cannot be read: No such file or directory$"):
        read_rules("none.toml", Disk({}), missing="error")


def test_a_file_that_is_not_utf_8_is_one_problem() -> None:
    Path("latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(RulesError, match=r"^latin\.toml: cannot be read: it is not UTF-8 text$"):
        read_rules("latin.toml", Disk({}), missing="error")


@pytest.mark.parametrize("depth", [101, 5_000])
@pytest.mark.parametrize(("before", "after"), [("[", "]"), ("{ a = ", "}"), ("[{ a = ", "}]")])
def test_deep_nesting_is_refused(depth: int, before: str, after: str) -> None:
    assert problems(f"a = {before * depth}1{after * depth}") == ["rules.toml: nested deeper than 100"]


def test_deep_dotted_keys_are_refused() -> None:
    assert problems(f"{'.'.join(['a'] * 5_000)} = 1") == ["rules.toml: nested deeper than 100"]


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(RulesError, match="larger than 50 MB"):
        parse("rules.toml", "#" * 50_000_001)


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(RulesError, match=r"^/dev/zero: cannot be read: larger than 50 MB"):
        read_rules("/dev/zero", Disk({}), missing="error")


def test_what_a_destination_inherits_is_reported_once_where_it_is_written() -> None:
    text = HEAD + '[destinations.a]\ntype = "log"\ntimeout = 5\n[destinations.b]\nextends = "a"\n' + RULE
    assert problems(text) == ['rules.toml:5:1: destinations.a.timeout: expected a duration such as "5s", got 5']


def test_an_included_file_cannot_include() -> None:
    write("team.toml", 'include = ["more.toml"]\n')
    assert problems('include = ["team.toml", "rules.toml"]\n' + HEAD + LOG + RULE) == [
        "rules.toml:1:25: include[1]: includes itself",
        "team.toml:1:1: include: only in the main file; an included file holds destinations and rules",
    ]


def test_a_template_file_may_be_wrong_too() -> None:
    write("t.txt", "\n${SECRET}")
    write("b.json", "[\n")
    text = HEAD + LOG + '[[rules]]\nname = "r"\n'
    text += (
        'actions = [{ to = "log", text = { file = "t.txt" }, blocks = { file = "b.json" }, form = { file = "t.txt" } }]'
    )
    suffix, hole, broken = problems(text)
    assert "t.txt:2:1: rules[0].actions[0].text: `${` has no place here" in hole
    assert broken == "b.json:2:1: rules[0].actions[0].blocks: not JSON: Input data was truncated"
    assert suffix == "rules.toml:7:92: rules[0].actions[0].form.file: t.txt: expected a .json or .toml file"


@pytest.mark.parametrize(
    "text",
    [
        "server = 5",
        "sources = []",
        "destinations = 5",
        "rules = 5",
        "rules = [5]",
        "rules = { a = 1 }",
        "include = 5",
        'include = [""]',
        'include = ["\\u0000"]',
        'include = ["**x.toml"]',
        "matches = { a = 1 }",
        "matches = 5",
        "times = { a = [] }",
        "[destinations]\na = 5",
        "[destinations.a]\nextends = 5",
        "[sources.x]\nsecret = 99999999999999999999999999",
        "[vars]\na = nan",
        f"a = {2**70}",
    ],
)
def test_no_shape_of_file_is_too_odd_for_a_problem(text: str) -> None:
    assert problems(text)


@settings(deadline=None)  # files are read and written
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "url", "secret", "extends", "match", "actions", "name", "to", "x"]), inner
            )
        ),
        max_leaves=30,
    )
)
def test_no_value_makes_the_reader_stumble(value: object) -> None:
    for table in (
        "server",
        "store",
        "sources",
        "sources.x",
        "destinations",
        "destinations.x",
        "vars",
        "rules",
        "rules.x",
    ):
        try:
            read(f"{table} = {toml(value)}\n")
        except RulesError:
            continue


def toml(value: object) -> str:
    match value:
        case None:
            return '"none"'
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f") if value.isascii() else '"x"'
        case _:
            return str(value)


# ---- when a rule tells


def when(keys: str) -> str:
    return f"{HEAD}{LOG}{RULE}{keys}\n"


def test_what_holds_a_rule_back_is_read() -> None:
    (rule,) = read(when('group = "prompt"\nthrottle = "10m"\nfallback = true')).rules
    assert (rule.group, rule.throttle, rule.fallback) == ("prompt", timedelta(minutes=10), True)
    (rule,) = read(when('collect = "90s"')).rules
    assert rule.collect == timedelta(seconds=90)
    (rule,) = read(when('collect = { cron = "0 9 * * mon-fri", zone = "Europe/Berlin" }')).rules
    assert rule.collect == Cron("0 9 * * mon-fri", "Europe/Berlin")
    (rule,) = read(when('[rules.collect]\ncron = "*/5 * * * *"')).rules
    assert rule.collect == Cron("*/5 * * * *")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("collect = 5", '8:1: rules[0].collect: expected a duration such as "1m", or a table'),
        ('collect = "0s"', "8:1: rules[0].collect: expected a duration longer than 0"),
        ("collect = {}", "8:1: rules[0].collect: `cron` is missing"),
        ('collect = { cron = "9:00" }', "8:13: rules[0].collect.cron: expected five fields"),
        ('collect = { cron = "0 25 * * *" }', "8:13: rules[0].collect.cron: no cron expression: bad hour"),
        ('collect = { cron = "0 0 30 2 *" }', "8:13: rules[0].collect.cron: no cron expression: bad day-of-month"),
        ("collect = { cron = 5 }", "8:13: rules[0].collect.cron: expected a string"),
        (
            'collect = { cron = "0 9 * * 1", zone = "Europe/Berln" }',
            '8:33: rules[0].collect.zone: no such time zone; did you mean "Europe/Berlin"?',
        ),
        ('collect = { cron = "0 9 * * 1", zone = "../etc/passwd" }', "8:33: rules[0].collect.zone: no such time zone"),
        ('collect = { crn = "0 9 * * 1" }', '8:13: rules[0].collect.crn: unknown key; did you mean "cron"?'),
        ('throttle = "1h"\ncollect = "1h"', "9:1: rules[0].collect: `throttle` and `collect` both hold back"),
        ('collect = { cron = "${X}" }', "8:13: rules[0].collect.cron: `${` has no place here"),
    ],
)
def test_a_rule_that_cannot_tell_is_refused_with_the_place(keys: str, told: str) -> None:
    (problem,) = problems(when(keys))
    assert problem.startswith(f"rules.toml:{told}")


def test_a_group_that_says_nothing_is_a_warning() -> None:
    (warning,) = read(when('group = "prompt"\ncollect = "1h"')).warnings
    assert str(warning).startswith("rules.toml:8:1: rules[0].group: says nothing beside `collect`")


@given(st.text() | st.from_regex(r"[-*/,#L0-9A-Z]{1,4}( [-*/,#L0-9A-Z]{1,4}){4}", fullmatch=True))
def test_no_cron_expression_makes_it_stumble(text: str) -> None:
    """Whatever is written, there is a next time or a reason why not."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    with contextlib.suppress(BadCron):
        assert next_time(Cron(text), now) > now


@pytest.mark.parametrize(
    ("zone", "now", "next"),
    [
        ("Europe/Berlin", "2026-03-28T01:30:00+00:00", "2026-03-29T01:00:00+00:00"),  # 02:30 does not exist that day
        ("Europe/Berlin", "2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00"),  # 02:30 comes twice
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
        (None, "2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00+00:00"),
    ],
)
def test_a_clock_change_neither_skips_nor_repeats_a_time(zone: str | None, now: str, next: str) -> None:
    found = next_time(Cron("30 2 * * *", zone), datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(next)


# ---- places and the digest


@settings(deadline=None)  # files are read and written
@given(st.permutations(["name", "description", "enabled", "mode", "match"]), st.sampled_from(["\n", "\n\n# é\n"]))
def test_a_place_is_where_the_key_is_written(keys: list[str], between: str) -> None:
    lines = {
        "name": '"r"',
        "description": '"ä"',
        "enabled": "true",
        "mode": '"live"',
        "match": '{ "ü" = 1, author = "a" }',
    }
    text = HEAD + LOG + "[[rules]]\n" + between.join(f"{key} = {lines[key]}" for key in keys)
    text += '\n[[rules.actions]]\nto = "log"\n[rules.actions.json]\na.b = 1\n'
    file = read(text)
    written = text.split("\n")
    for path, start in [
        *((("rules", 0, key), f"{key} =") for key in keys),
        (("rules", 0, "match", "author"), "author ="),
        (("rules", 0, "match", "ü"), '"ü" ='),
        (("rules", 0, "actions", 0), "[[rules.actions]]"),
        (("rules", 0, "actions", 0, "json"), "[rules.actions.json]"),
        (("rules", 0, "actions", 0, "json", "a", "b"), "b = 1"),
        (("rules", 0, "nowhere"), "[[rules]]"),
    ]:
        place = file.place(*path)
        assert written[place.line - 1][place.column - 1 :].startswith(start)


def test_syntax_that_the_positions_do_not_know_never_moves_a_place_to_another_item() -> None:
    document = parse("r.toml", 'x = [{ a = 1,\n }, { b = 2 }]\nt = "\\e"\n[[rules]]\ny = 1\n[[rules]]\nz = 1\n')
    assert document.place(("x", 1, "b")).line in (1, 2)
    assert document.place(("rules", 1, "z")) == Place("r.toml", 7, 1)
    assert document.place(("rules", 0, "y")) == Place("r.toml", 5, 1)


@settings(deadline=None)  # files are read and written
@given(st.permutations(["name", "mode", "match", "actions"]), st.permutations(["a", "b", "c"]))
def test_the_digest_does_not_depend_on_the_order_of_keys(keys: list[str], inner: list[str]) -> None:
    values = {
        "name": '"r"',
        "mode": '"live"',
        "match": "{ " + ", ".join(f'{key} = "{key}"' for key in inner) + " }",
        "actions": '[{ to = "log" }]',
    }
    text = HEAD + LOG + "[vars]\nv = '${V:-x}'\n[[rules]]\n" + "\n".join(f"{key} = {values[key]}" for key in keys)
    canonical = read(text).canonical()
    assert canonical == (
        b'{"matches":{},"rules":[{"actions":[{"to":"log"}],"match":{"a":"a","b":"b","c":"c"},'
        b'"mode":"live","name":"r"}],"times":{},"vars":{"v":"${V:-x}"}}'
    )


def test_the_digest_speaks_of_the_rules_alone() -> None:
    before = read(HEAD + LOG + RULE).canonical()
    assert read(HEAD + 'settle = "9s"\n' + LOG + 'timeout = "9s"\n' + RULE).canonical() == before
    assert read(HEAD + LOG + RULE + 'mode = "shadow"\n').canonical() != before


def test_every_destination_type_has_its_action_keys() -> None:
    assert ACTION_KEYS["http"] == {"method", "path", "query", "headers", "json", "form", "body", "expect"}
    assert ACTION_KEYS["slack"] == {"text", "blocks", "color", "channel", "thread"}
    assert ACTION_KEYS["github"] == {"dispatch", "workflow", "commit"}
    assert ACTION_KEYS["email"] == {"recipients", "cc", "subject", "text", "html", "headers"}
    assert ACTION_KEYS["log"] == {"text", "level"}


@pytest.mark.parametrize("rule", [0, 1, 2])
def test_a_rule_is_found_as_it_is_written(rule: int) -> None:
    written = [
        '[[rules]]\nname = "a"\n# inside\n[[rules.actions]]\nto = "log"\ntext = """\n[[rules]]\n"""',
        '[[rules]]\nname = "b"\nactions = [\n  { to = "log" },\n]',
        '[[rules]]\nname = "c"\nactions = [{ to = "log" }]',
    ]
    head = '[sources.prod]\nsecret = "${SECRET}"\n[destinations.log]\ntype = "log"\n'
    text = (
        head
        + "\n# about a\n"
        + written[0]
        + "\n\n# about b\n"
        + written[1]
        + "\n"
        + written[2]
        + "\n# end\n[vars]\nx = 1\n"
    )
    assert read(text).written(rule) == written[rule]


def test_rules_in_one_list_have_no_lines_of_their_own() -> None:
    text = 'rules = [{ name = "a", actions = [{ to = "log" }] }]\n[sources.prod]\nsecret = "${SECRET}"\n'
    assert read(text).written(0) is None


def test_every_destination_has_its_own_name() -> None:
    pem = "-----BEGIN PRIVATE KEY-----"
    destinations = f"""
[destinations.hook]
type = "slack"
webhook_url = "https://hooks.slack.com/services/x"
[destinations.api]
type = "http"
url = "https://example.com"
[destinations.repo]
type = "github"
repository = "a/b"
token = "t"
[destinations.app]
type = "github"
repository = "a/b"
app_id = "1"
installation_id = "2"
private_key = "{pem}"
[destinations.mail]
type = "email"
smtp = "smtp://mail.example.com"
from = "a@example.com"
[destinations.phone]
type = "apprise"
url = "ntfy://example.com/x"
"""
    found = read(f"{HEAD}{LOG}{destinations}{RULE}").destinations
    assert {name: made.name for name, made in found.items()} == {name: name for name in found}
    assert {made.type for made in found.values()} == set(DESTINATION_TYPES)
