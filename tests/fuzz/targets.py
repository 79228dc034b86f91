"""What is fuzzed: each target takes bytes, and whatever is wrong with them it knows. Anything else is a crash.

`SEEDS` are where the fuzzer begins: usual inputs of each target.
"""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import structlog

from router.domain.json import JsonObject
from router.domain.problem import RulesError
from router.domain.source import Source
from router.domain.text import Text
from router.engine.match import compile_match
from router.engine.match.pattern import PatternError, SlowPattern, compile_pattern, compile_regex
from router.engine.preview import preview
from router.engine.template import TemplateError, compile_expression, compile_template, lenient
from router.langfuse.envelope import Envelope, envelope
from router.langfuse.signature import SignatureRefused, sign, verify_signature
from router.langfuse.wire import Unintelligible, decode, encode_body
from router.service.app import Service, public_app
from router.service.dry_run import as_json
from router.service.outside import Disk
from router.service.rulebook import Rulebook
from router.storage.store import Store
from tests.acceptance.running import SECRET
from tests.build import prompt_event, ruleset_of
from tests.match.cases import MOVED, NOTHING, SETTING

Target: TypeAlias = Callable[[bytes], None]

ROOT: Final = Path(__file__).parents[2]
NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN: Final = "the admin token"
BODIES: Final = [
    path.read_bytes() for path in sorted((ROOT / "tests/golden").glob("*/*.json")) if path.name != "expected.json"
]
RULES: Final = """
[sources.prod]
secret = "${SECRET}"
settle = "0s"
[destinations.journal]
type = "log"
[destinations.team]
type = "slack"
webhook_url = "https://hooks.slack.example.com/services/T/B/X"
[destinations.oncall]
type = "email"
smtp = "smtps://mail.example.com"
from = "Prompts <prompts@example.com>"
recipients = ["oncall@example.com"]
[destinations.pages]
type = "http"
url = "https://events.example.com/v2"
[destinations.ci]
type = "github"
repository = "acme/prompts"
token = "t"
[[rules]]
name = "everything"
match = { type = "*", quiet = true }
actions = [{ to = ["journal", "team", "oncall", "pages"] }]
[[rules]]
name = "every-prompt"
[[rules.actions]]
to = "ci"
commit = { path = "prompts/{{ prompt.name }}.json", content = "{{ body | json }}" }
[[rules]]
name = "clauses"
[rules.match]
any = [
  { where = [{ path = "$.prompt.config..model", contains = "g" }] },
  { text = { regex = "(a+)+b" } },
  { labels_gained = "p*", rollback = true },
  { prompt = ["a/**", "!**/b"], author = "*@*" },
  { when = "prompt.config.a > 1" },
  { variables_gained = "*" },
  { tags_lost = { all = ["a", "b"] } },
  { version = { gt = 3 } },
]
[[rules.actions]]
to = "pages"
path = "/{{ prompt.name }}"
query = { q = "{{ prompt.text }}" }
headers = { X-Prompt = "{{ prompt.commit_message }}" }
json = { of = [{ "$for" = "c in changes", "$do" = "{{ c.diff }}" }], config = "{{ prompt.config }}" }
"""


def signature(data: bytes) -> None:
    header, _, body = data.partition(b"\n")
    source = Source(name="prod", secrets=(Text.secret(SECRET),))
    with suppress(SignatureRefused):
        verify_signature(body, header, source, NOW)


def wire(data: bytes) -> None:
    """Both readings of a body agree, and what was read can be written and read again."""
    try:
        event = decode(data, "prod", NOW)
    except Unintelligible:
        with suppress(Unintelligible):
            raise AssertionError(f"taken by one reading alone: {envelope(data, 'prod', NOW)}") from None
        return
    assert envelope(data, "prod", NOW) == Envelope(
        id=event.id,
        type=event.type,
        timestamp=event.timestamp,
        action=event.action,
        project_id=event.project_id,
        prompt=event.prompt.name if event.prompt else None,
    )
    again = decode(encode_body(event), "prod", NOW)
    assert (again.type, again.snapshot) == (event.type, event.snapshot)


def plan() -> Target:
    """Whatever arrives, and whatever was known before, the rules are decided and the messages shown."""
    ruleset = ruleset_of(RULES)
    before = [
        prompt_event("created", 3, ["production", "latest"], updated=0, tags=["shop"], config={"model": "gpt"}),
        prompt_event("updated", 4, ["staging"], updated=1, tags=["shop"], text="Hello {{name}}"),
    ]

    def target(data: bytes) -> None:
        try:
            event = decode(data, "prod", NOW)
        except Unintelligible:
            return
        as_json(preview(ruleset, event, before), ruleset)

    return target


def rules(data: bytes) -> None:
    text = data.decode(errors="replace")  # files and requests are UTF-8
    with suppress(RulesError):
        ruleset = ruleset_of(text)
        as_json(preview(ruleset, prompt_event("created", 1, ["production"], updated=0)), ruleset)


def template(data: bytes) -> None:
    text = data[1:].decode(errors="replace")
    channels: Any = ("text", "slack", "html", "path", "query", "header")
    context = {
        "prompt": {"name": "a/b", "version": 4, "tags": ["x"], "text": "t {{ name }}", "config": lenient({"a": [1]})},
        "change": {"moved": [{"label": "production", "from": 3, "to": 4}], "diff": ""},
        "changes": [{"label": "l1"}, {"label": "l2"}],
        "author": "Ann",
        "vars": {"channel": {"checkout": "#checkout"}},
        "body": lenient({"items": [1, {"b": None}]}),
    }
    with suppress(TemplateError):
        compile_template(text, channels[data[0] % 6] if data else "text").render(context)
    with suppress(TemplateError):
        compile_expression(text).value(context)


def pattern(data: bytes) -> None:
    source, _, text = data.decode(errors="replace").partition("\n")
    with suppress(PatternError, SlowPattern):
        found = compile_pattern(source)
        assert not found.matches(text) or text.startswith(found.prefix or "")
    with suppress(PatternError, SlowPattern):
        compile_regex(source)(text, 0.05)


def where(data: bytes) -> None:
    path, _, wanted = data.decode(errors="replace").partition("\n")
    tried: list[JsonObject] = [{"equals": wanted}, {"changed": True}, {"gt": 1}]
    for item in tried:
        match, faults = compile_match({"where": [{"path": path, **item}]}, NOTHING)
        if not faults:
            assert match.decide(MOVED, SETTING).answer in ("yes", "no", "error")


def _service() -> tuple[asyncio.AbstractEventLoop, Any]:
    """Return a running service's application, and the loop that it runs on while it is asked."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = Path(tempfile.mkdtemp())
    (folder / "rules.toml").write_text(RULES.replace("[sources.prod]", '[server]\nadmin_token="t"\n[sources.prod]'))
    rulebook = Rulebook(str(folder / "rules.toml"), Disk({"SECRET": SECRET}), missing="error")
    store = Store.open(f"sqlite:///{folder}/router.db", serve=True)
    loop = asyncio.new_event_loop()

    async def running() -> Any:
        service = Service(rulebook, store, capture=True, token=Text.secret(TOKEN))
        await service.running().__aenter__()
        return public_app(service, with_admin=True)

    return loop, loop.run_until_complete(running())


async def _ask(app: Any, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    path, _, query = target.partition(b"?")
    status = 0

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8787),
        "state": {},
    }
    await app(scope, receive, send)
    return status


def webhook() -> Target:
    """The whole of `POST /webhooks/prod`: what is signed is stored, whatever it is; what is not is refused."""
    loop, app = _service()

    def target(data: bytes) -> None:
        header, _, body = data.partition(b"\n")
        signed = header == b"signed"
        if signed:
            header = sign(body, SECRET, datetime.now(UTC)).encode()
        asked = _ask(app, "POST", b"/webhooks/prod", [(b"x-langfuse-signature", header)], body)
        assert loop.run_until_complete(asked) == (202 if signed else 401)

    return target


def api() -> Target:
    """Filters, cursors, names and bodies of the API: never a fault of ours. The first line is path and query."""
    loop, app = _service()
    authorization = (b"authorization", f"Bearer {TOKEN}".encode())
    json = (b"content-type", b"application/json")
    for body in BODIES:
        headers = [(b"x-langfuse-signature", sign(body, SECRET, datetime.now(UTC)).encode())]
        loop.run_until_complete(_ask(app, "POST", b"/webhooks/prod", headers, body))

    def target(data: bytes) -> None:
        line, _, body = data.partition(b"\n")
        if not line.isascii():
            return  # httptools refuses it; Litestar would stumble over a query that is no UTF-8
        asked = _ask(app, "POST" if body else "GET", b"/api/v1/" + line, [authorization, json], body)
        assert loop.run_until_complete(asked) < 500, "a fault of ours"

    return target


def playground() -> Target:
    """Rules on trial: refused in words, or tried. No secret gets into what is shown."""
    folder = Path(tempfile.mkdtemp())
    (folder / "rules.toml").write_text(RULES.replace("services/T/B/X", "${HUSH}"))
    outside = Disk({"SECRET": SECRET, "HUSH": "hush-hush"})
    rulebook = Rulebook(str(folder / "rules.toml"), outside, missing="error")
    event = prompt_event("updated", 4, ["production"], updated=0)

    def target(data: bytes) -> None:
        try:
            loaded = rulebook.tried(data.decode(errors="replace"))
        except RulesError as error:
            shown = str(error)
        else:
            shown = str(as_json(preview(loaded.ruleset, event), loaded.ruleset))
        assert "hush-hush" not in shown
        assert SECRET not in shown

    return target


def plain(target: Target) -> Callable[[], Target]:
    return lambda: target


TARGETS: Final[dict[str, Callable[[], Target]]] = {
    "signature": plain(signature),
    "wire": plain(wire),
    "plan": plan,
    "rules": plain(rules),
    "template": plain(template),
    "pattern": plain(pattern),
    "where": plain(where),
    "webhook": webhook,
    "api": api,
    "playground": playground,
}

_TEMPLATES: Final = [
    "{{ prompt.name | upper }} {% for c in changes %}{{ c.label }}{% endfor %}",
    "{{ 'x' * 10 ** 3 }}{% set a = [1] %}{{ a | join(',') | truncate_bytes(3) | b64encode }}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(body['items'][1].b) }}{{ prompt.version | datetime }}",
    "{{ range(10) | list | json }}{{ '%s' | format(author) }}{{ prompt.text | diff('x') | slack_link('a') }}",
]

SEEDS: Final[dict[str, list[bytes]]] = {
    "signature": [sign(b"{}", SECRET, NOW).encode() + b"\n{}", b"t=1,v1=ab\n", b"t=1,s=00\nx", b"ab" * 32 + b"\n"],
    "wire": BODIES,
    "plan": BODIES,
    "rules": [
        RULES.encode(),
        (ROOT / "tests/golden/rules.toml").read_bytes(),
        b"include = ['a']\n[vars]\na = '${X:-y}'",
    ],
    "template": [b"\x00" + text.encode() for text in _TEMPLATES],
    "pattern": [b"a/**/[b-d]?*\na/x/cz", b"(a|b)*\\d{2,3}(?=x)\nab12x", b"!{a,b}/**\na/b", b"(a+)+$\n" + b"a" * 40],
    "where": [
        b"$.prompt.config.model\ngpt",
        b"$..*[?(@.a > 1 && @.b == 'x')].c[0:3:2]\n1",
        b"$.prompt.labels[*]\nx",
        b"$..labels.`len`\n",
    ],
    "webhook": [*(b"signed\n" + body for body in BODIES), b"t=1,v1=ab\n{}"],
    "api": [
        b"events?limit=3&cursor=5&status=routed&since=2026-11-24T10:00:00Z",
        b"deliveries?destination=team&prompt=checkout/*&cursor=9",
        b"prompts?label=production&cursor=abc",
        b"prompts/checkout%2Fcart?source=prod&project=p",
        b"rules/everything",
        b"events/1",
        b'dry-run\n{"body": {"type": "prompt-version"}, "known": "ledger"}',
        b'what-if\n{"rules": "[[rules]]\\nname=\'a\'\\nactions=[{to=\'journal\'}]", "since": "2026-11-01T00:00:00Z"}',
        b'deliveries/retry\n{"filter": {"status": "dead"}, "dry_run": true}',
        b'events/replay\n{"filter": {"prompt": "a*"}, "rules": ["everything"], "dry_run": true}',
    ],
    "playground": [RULES.encode(), b"[[rules]]\nname = 'a'\nactions = [{ to = 'team', text = '${HUSH}' }]"],
}


def name_of(data: bytes) -> str:
    """Return under which name an input is kept."""
    return hashlib.sha256(data).hexdigest()[:16]
