"""The log of a service to which everything happens says which event and which delivery, and nothing of a prompt."""

import json
import random
import re
import string
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from router.langfuse.signature import sign
from tests.acceptance.receivers import Arrived, Receiver, Reply, mailbox
from tests.acceptance.running import SECRET, RunningRouter, eventually
from tests.acceptance.test_intake import body
from tests.acceptance.test_secrets import echo

TEXT: Final = "canary-text"
CONFIG: Final = "canary-config"
COMMIT: Final = "canary-commit"
TOKEN: Final = "canary-token"
WRONG: Final = "canary-wrong"


def rules(web: str, smtp: int) -> str:
    """Return rules by which every kind of destination is sent all of a prompt."""
    everything = "{{ prompt.text }} {{ prompt.config.note }} {{ prompt.commit_message }}"
    return f"""
[server]
admin_token = "${{ADMIN_TOKEN}}"
[sources.prod]
secret = "${{LANGFUSE_WEBHOOK_SECRET}}"
settle = "0s"
[vars]
teams = {{ a = "b" }}
[destinations.base]
type = "http"
url = "{web}/500"
allow_private = true
retry = ["100ms"]
[destinations.moved]
extends = "base"
url = "{web}/moved"
[destinations.unexpected]
extends = "base"
url = "{web}/200"
[destinations.hook]
type = "slack"
webhook_url = "{web}/400/hook"
allow_private = true
[destinations.refuses]
type = "slack"
webhook_url = "{web}/403/hook"
allow_private = true
[destinations.bot]
type = "slack"
token = "xoxb-{TOKEN}"
channel = "C1"
api_url = "{web}/bot"
allow_private = true
[destinations.github]
type = "github"
repository = "acme/prompts"
token = "{TOKEN}"
base_url = "{web}/422"
allow_private = true
[destinations.mail]
type = "email"
smtp = "smtp://127.0.0.1:{smtp}"
from = "a@example.com"
recipients = ["b@example.com"]
allow_private = true
[destinations.apprise]
type = "apprise"
url = "{web.replace("http:", "json:")}/500"
retry = ["100ms"]
[destinations.journal]
type = "log"
[[rules]]
name = "everything"

[[rules.actions]]
to = ["journal", "base", "moved"]
[[rules.actions]]
to = "unexpected"
json = {{ all = "{everything}" }}
expect = {{ where = [{{ path = "$.said", equals = "no" }}] }}
[[rules.actions]]
to = ["hook", "refuses", "bot", "mail"]
text = "{everything}"
[[rules.actions]]
to = "github"
dispatch = {{ event_type = "x", client_payload = {{ all = "{everything}" }} }}
[[rules.actions]]
to = "apprise"
body = "{everything}"
[[rules.actions]]
to = "base"
id = "faulty"
json = {{ all = '{{% if "canary" in prompt.text %}}{{{{ vars.teams[prompt.text] }}}}{{% endif %}}' }}
"""


def answer(arrived: Arrived) -> Reply:
    """Say back what was asked, in the place where such an answer has its words."""
    said = re.findall(r"canary-\w+", arrived.body.decode())
    if "/moved" in arrived.path:
        return Reply(status=302, headers={"location": f"http://elsewhere.invalid/{'-'.join(said)}"})
    if "/bot" in arrived.path:
        return Reply(body=json.dumps({"ok": False, "error": " ".join(said)}).encode())
    if "/200" in arrived.path:
        return Reply(body=json.dumps({"said": said}).encode())
    return echo(arrived)


async def refuse(server: SMTP, session: Session, envelope: Envelope) -> str:
    content = envelope.content
    assert isinstance(content, bytes)
    return f"554 we do not take {' '.join(re.findall(r'canary-[a-z]+', content.decode()))}"


@pytest.fixture(params=["json", "console"])
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningRouter]:
    """One on SQLite that logs JSON, and one on PostgreSQL that logs as for a terminal."""
    with ExitStack() as stack:
        web = stack.enter_context(Receiver())
        web.script = answer
        box, smtp = stack.enter_context(mailbox())
        box.handle_DATA = refuse  # type: ignore[method-assign]
        on_postgres = request.param == "console"
        options = ("--migrate",) if on_postgres else ()
        store = request.getfixturevalue("database") if on_postgres else None
        yield stack.enter_context(
            RunningRouter(
                tmp_path,
                rules(web.url, smtp),
                *("--log-format", request.param, *options),
                env={"ADMIN_TOKEN": TOKEN},
                store=store,
            )
        )


def telling(id: str, **changes: Any) -> dict[str, Any]:
    """Return a body that has a canary wherever a prompt has something of its own."""
    prompt = {"id": f"v-{id}", "name": id, "labels": ["production"], "prompt": TEXT, "commitMessage": COMMIT}
    return body(id, {**prompt, "config": {"note": CONFIG}, **changes})


GOOD: Final = msgspec.json.encode(telling("MALFORMED"))

MALFORMED: Final = {
    "no JSON": GOOD[:-40],
    "no UTF-8": GOOD.replace(b"canary", b"canary-text \xff"),
    "no object": b'["canary-text"]',
    "too deep": GOOD.replace(b'"canary-text"', b"[" * 300 + b'"canary-text"' + b"]" * 300),
    "half a surrogate": GOOD.replace(b"canary-text", rb"canary-text\ud800"),
    "a version that is none": GOOD.replace(b'"version":1', b'"version":"canary-text"'),
    "labels that are none": GOOD.replace(b'["production"]', b'"canary-text"'),
    "a time that is none": GOOD.replace(b'"2026-11-24T10:00:00.000Z"', b'"canary-text"'),
    "an action that is none": GOOD.replace(b'"created"', b'"canary-text"').replace(b'"updated"', b'"canary-text"'),
    "a prompt that is none": json.dumps({**telling("MALFORMED"), "prompt": TEXT}).encode(),
    "a message that is none": GOOD.replace(b'"canary-commit"', b'["canary-commit"]'),
}
LONG: Final = "".join(random.Random(1).choices(string.ascii_letters, k=20_000))
"""Too long for PostgreSQL's indexes, and random, so that compressing it does not help."""


def test_the_log_says_which_event_and_delivery_and_nothing_of_a_prompt(router: RunningRouter) -> None:
    signatures = go_wrong(router)
    ask(router)
    assert router.stop() == 0
    said = router.log.read_text()
    canaries = (TEXT, CONFIG, COMMIT, TOKEN, WRONG, *signatures)
    assert {canary: line for canary in canaries for line in said.splitlines() if canary in line} == {}
    assert "Traceback" in said or "--migrate" not in router.options, "one event was too long for PostgreSQL"
    for known in ("event accepted", "event quarantined", "signature refused", "attempt ended"):
        assert known in said
    for line in said.splitlines():
        if "event accepted" in line or "event quarantined" in line or "set aside" in line:
            assert "event_id" in line
        if "attempt ended" in line or "given up" in line:
            assert "delivery_id" in line


def go_wrong(router: RunningRouter) -> set[str]:
    """Send what is good and what is not, until all deliveries have ended. Return the signatures used."""
    used: set[str] = set()

    def post(raw: bytes, secret: str = SECRET) -> int:
        header = sign(raw, secret, datetime.now(UTC) + timedelta(seconds=len(used)))
        used.add(header.partition("v1=")[2])
        return send(header, raw)

    def send(header: str, raw: bytes) -> int:
        headers = {"x-langfuse-signature": header}
        return router.client.post(f"{router.url}/webhooks/prod", content=raw, headers=headers).status_code

    for id in ("good", "better", "best"):
        assert post(msgspec.json.encode(telling(id))) == 202
    for name, raw in MALFORMED.items():
        assert post(raw.replace(b"MALFORMED", name.encode())) == 202
    assert post(msgspec.json.encode(telling(LONG))) == 202
    for wrong in (WRONG, f"t=1,v1={WRONG}", f"t={WRONG},v1={'0' * 64}"):
        assert send(wrong, GOOD) == 401
    for _ in range(3):
        assert post(GOOD, secret=WRONG) == 401
    assert send("", b"x" * (21 * 2**20)) in (401, 413)

    def given_up() -> set[str]:
        return {one.destination for one in router.deliveries() if one.status == "dead"}

    failing = {"base", "moved", "unexpected", "hook", "bot", "github", "mail", "apprise"}
    eventually(lambda: failing <= given_up(), "every destination gave something up")
    eventually(lambda: router.logged("fails again and again"), "a breaker opened")
    eventually(lambda: router.logged("refuses everything"), "a destination refuses everything")
    return used


def ask(router: RunningRouter) -> None:
    """Ask API and console things that carry bodies, well and badly."""
    with httpx.Client(base_url=router.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as api:
        assert api.get("/api/v1/events", headers={"authorization": f"Bearer {WRONG}"}).status_code == 401
        assert api.post("/api/v1/dry-run", json={"body": telling("tried")}).status_code == 200
        for wrong in ({"body": TEXT}, {"body": telling("x"), "source": TEXT}, {TEXT: CONFIG}, [TEXT]):
            assert api.post("/api/v1/dry-run", json=wrong).status_code in (400, 422)
        assert api.post("/api/v1/dry-run", content=TEXT.encode()).status_code == 400
        assert api.post("/api/v1/what-if", json={"rules": f"[{TEXT}"}).status_code == 422
        assert api.get("/api/v1/events/good").status_code == 200
        dead = api.get("/api/v1/deliveries", params={"status": "dead", "destination": "mail"}).json()["items"]
        assert api.post(f"/api/v1/deliveries/{dead[0]['key']}/retry").is_success
        assert api.post("/api/v1/events/good/replay", json={"force": True}).is_success
    with httpx.Client(base_url=router.url, headers={"accept": "text/html"}, timeout=60) as browser:

        def token() -> str:
            return browser.get("/login").text.partition('name="_csrf_token" value="')[2].partition('"')[0]

        assert browser.post("/login", data={"token": WRONG, "_csrf_token": token()}).status_code != 303
        assert browser.post("/login", data={"token": TOKEN, "_csrf_token": token()}).status_code == 303
        csrf = browser.get("/playground").text.partition('name="_csrf_token" value="')[2].partition('"')[0]
        for tried in (json.dumps(telling("tried")), f"no JSON {TEXT}"):
            form = {"rules": "", "body": tried, "before": "nothing", "start": "sample-promoted", "_csrf_token": csrf}
            assert browser.post("/playground", data=form).status_code == 200
