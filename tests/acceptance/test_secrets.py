"""No secret gets out: one stands wherever one may, everything goes wrong, and all that is said is searched."""

import base64
import html
import json
import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.acceptance.receivers import Arrived, Receiver, Reply, mailbox
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

NASTY: Final = '"\\/<&>+=é%@ ü'
"""What forms, URLs, JSON and pages write in another way."""

PLAIN: Final = (
    *("HOOK_SECRET", "PUBLIC_KEY", "SECRET_KEY", "ADMIN_TOKEN", "SLACK_URL", "SLACK_PATH", "SLACK_TOKEN", "HEADER"),
    *(
        "PATH",
        "GITHUB_TOKEN",
        "INSTALLATION",
        "RECIPIENT",
        "CHANNEL",
        "PROXY_USER",
        "SIGNING",
        "BASE64",
        "URL_QUERY",
        "APPRISE",
    ),
)
STRANGE: Final = ("QUERY", "USERINFO", "JSON", "FORM", "ROUTING", "SMTP_PASSWORD", "PROXY_PASSWORD", "FROM_FILE")


class Planted:
    """Secrets by name; each holds a word of its own, which shows whatever else was done to it."""

    def __init__(self) -> None:
        self.words = {name: f"canary{secrets.token_hex(9)}" for name in (*PLAIN, *STRANGE, "DATABASE", "BAD")}
        self.values = {name: word + (NASTY if name in STRANGE else "") for name, word in self.words.items()}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.words["PEM"] = self.pem.splitlines()[5][8:40]

    def found_in(self, said: str | bytes) -> list[str]:
        """Return the names of the secrets that can be read from what was said, as they are or in base64."""
        raw = said if isinstance(said, bytes) else said.encode()
        return [name for name, word in self.words.items() if any(form in raw for form in _forms(word))]


def _forms(word: str) -> Iterator[bytes]:
    yield word.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + word.encode())
        yield encoded[-(-before * 8 // 6) : (before + len(word)) * 8 // 6]


def echo(arrived: Arrived) -> Reply:
    """Answer with the status that the path begins with, and with all that was asked, in every form."""
    whole = f"{arrived.method} {arrived.path} {dict(arrived.headers)} ".encode() + arrived.body
    text = whole.decode(errors="replace")
    forms = (text, json.dumps(text), quote(text), html.escape(text), base64.b64encode(whole).decode())
    status = int(match[1]) if (match := re.match(r"(?:http://[^/]*)?/(\d{3})\b", arrived.path)) else 200
    headers = {"location": f"http://elsewhere.invalid{quote(arrived.path, safe='/%?=&')}"}
    if "/slack-api/" in arrived.path:
        said = {"ok": False, "error": "x" * 90 + str(arrived.headers.get("authorization"))}
        return Reply(body=json.dumps(said).encode())
    if "hooks" in arrived.path:  # the secret lies across whatever length an answer's first words are cut to
        return Reply(status=status, body=b"y" * 80 + arrived.path.encode())
    return Reply(status=status, headers=headers, body="\n".join(forms).encode())


def rules(web: str, proxy: str, refused: int, hanging: int, untrusted: str, smtp: int, ca: Path) -> str:
    private = 'allow_private = true\ntimeout = "1s"\nretry = ["200ms"]'
    http = f'type = "http"\n{private}'
    statuses = (200, 301, 401, 422, 500)
    return (
        f"""
include = ["rules.d/*.toml"]

[server]
admin_token = "${{ADMIN_TOKEN}}"

[sources.prod]
secret = ["${{LANGFUSE_WEBHOOK_SECRET}}", "${{HOOK_SECRET}}", "${{file:older.txt}}"]
settle = "0s"

[sources.prod.api]
host = "{web}/401"
public_key = "${{PUBLIC_KEY}}"
secret_key = "${{SECRET_KEY}}"
allow_private = true

[destinations.hook]
type = "slack"
webhook_url = "${{SLACK_URL}}"
{private}

[destinations.hook-400]
type = "slack"
webhook_url = "{web}/400/hooks/${{SLACK_PATH}}"
{private}

[destinations.bot]
type = "slack"
token = "xoxb-${{SLACK_TOKEN}}"
channel = "${{CHANNEL}}"
api_url = "{web}/slack-api"
{private}

[destinations.github]
type = "github"
repository = "acme/prompts"
base_url = "{web}/422"
token = "${{GITHUB_TOKEN}}"
{private}

[destinations.app]
type = "github"
repository = "acme/prompts"
base_url = "{web}/app"
app_id = "1"
installation_id = "2"
private_key = "${{file:app.pem}}"
{private}

[destinations.mail]
type = "email"
smtp = "smtp+starttls://me:${{SMTP_PASSWORD}}@127.0.0.1:{smtp}"
from = "prompts@example.com"
recipients = ["${{RECIPIENT}}@example.com"]
ca_file = "{ca}"
{private}

[destinations.proxied]
type = "http"
url = "http://behind.invalid/200"
proxy = "http://${{PROXY_USER}}:${{PROXY_PASSWORD}}@127.0.0.1:{proxy}"
timeout = "1s"
retry = ["200ms"]

[destinations.api]
{http}
url = "{web.replace("://", "://me:${USERINFO}@")}/200/${{PATH}}?key=${{URL_QUERY}}"
headers = {{ Authorization = "Bearer ${{HEADER}}", X-Basic = "Basic ${{BASE64}}" }}
json = {{ routing_key = "${{JSON}}", file = "${{file:older.txt}}" }}
signing_secret = "${{SIGNING}}"

[destinations.form]
{http}
url = "{web}/422/"
form = {{ token = "${{FORM}}" }}
query = {{ key = "${{QUERY}}" }}

[destinations.apprise]
type = "apprise"
url = "json://me:${{APPRISE}}@127.0.0.1:{refused}/${{PATH}}"

[destinations.refused]
extends = "api"
url = "http://127.0.0.1:{refused}/${{PATH}}"

[destinations.hangs]
extends = "api"
url = "http://me:${{USERINFO}}@127.0.0.1:{hanging}/${{PATH}}"

[destinations.untrusted]
extends = "api"
url = "{untrusted}/${{PATH}}"

"""
        + "\n".join(
            f'[destinations.api-{status}]\nextends = "api"\nurl = "{web}/{status}/${{PATH}}?key=${{URL_QUERY}}"\n'
            for status in statuses[1:]
        )
        + f"""
[[rules]]
name = "everything"
match = {{ type = "*" }}
actions = [
  {{ to = ["hook", "hook-400", "bot", "github", "app", "mail", "proxied", "refused", "hangs", "untrusted"] }},
  {{ to = ["form", "apprise"] }},
  {{ to = {json.dumps(["api", *(f"api-{status}" for status in statuses[1:])])}, query = {{ v = "1" }} }},
]
"""
    )


INCLUDED = """
[destinations.team]
extends = "api"
json = { routing_key = "${ROUTING}" }

[[rules]]
name = "of-the-team"
actions = [{ to = "team" }]
"""

WRONG = (
    'type = "http"\nurl = "${BAD}"',
    'type = "http"\nurl = "ftp://${BAD}/"',
    'type = "http"\nurl = "https://${BAD} /"',
    'type = "http"\nurl = "https://x"\nproxy = "${BAD}"',
    'type = "http"\nurl = "https://x"\nca_file = "${BAD}"',
    'type = "http"\nurl = "https://x"\nrate = "${BAD}"',
    'type = "http"\nurl = "https://x"\nretry = ["${BAD}"]',
    'type = "http"\nurl = "https://x"\ncontent = "${BAD}"',
    'type = "http"\nurl = "https://x"\nmethod = "${BAD}"',
    'type = "http"\nurl = "https://x"\npath = "${BAD}"',
    'type = "http"\nurl = "https://x"\nheaders = { "a b" = "${BAD}" }',
    'type = "http"\nurl = "https://x"\njson = "{{ ${BAD} }}"',
    'type = "http"\nurl = "https://x"\nextends = "${BAD}"',
    'type = "${BAD}"\nurl = "https://x"',
    'type = "slack"\nwebhook_url = "${BAD}"',
    'type = "slack"\ntoken = "${BAD} x"\nchannel = 5',
    'type = "github"\nrepository = "${BAD}"\ntoken = "t"',
    'type = "github"\nrepository = "a/b"\napp_id = "1"\ninstallation_id = "1"\nprivate_key = "${BAD}"',
    'type = "email"\nsmtp = "${BAD}"\nfrom = "a@example.com"',
    'type = "email"\nsmtp = "smtp://x"\nfrom = "${BAD}"',
    'type = "email"\nsmtp = "smtp://x"\nfrom = "a@example.com"\nrecipients = ["${BAD}"]',
    'type = "email"\nsmtp = "smtp://x"\nfrom = "a@example.com"\nallowed_domains = ["${BAD}"]',
)
"""Destinations with a secret where it does not fit."""


class Session:
    """A router all of whose destinations fail, and everything that it or a command said."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.planted = Planted()
        values = self.planted.values
        web = stack.enter_context(Receiver())
        web.script = self.answer
        proxy = stack.enter_context(Receiver())
        proxy.script = lambda arrived: Reply(status=407, body=echo(arrived).body)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        untrusted = stack.enter_context(Receiver())
        untrusted._server.socket = tls.wrap_socket(untrusted._server.socket, server_side=True)
        _, smtp = stack.enter_context(mailbox(tls_context=tls, require_starttls=True, authenticator=_log_in))
        hanging = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            refused = nobody.getsockname()[1]
        (folder / "rules.d").mkdir()
        (folder / "rules.d" / "team.toml").write_text(INCLUDED)
        (folder / "older.txt").write_text(f"{values['FROM_FILE']}\n")
        (folder / "app.pem").write_text(self.planted.pem)
        values["URL_QUERY"] += "%2F+%3D"
        environment = {**values, "SLACK_URL": f"{web.url}/403/hooks/{values['SLACK_URL']}"}
        text = rules(
            web.url,
            str(proxy.port),
            refused,
            hanging.getsockname()[1],
            untrusted.url.replace("http:", "https:"),
            smtp,
            folder / "ca.pem",
        )
        self.router = stack.enter_context(RunningRouter(folder, text, "--debug", env=environment))
        self.rules = text
        self.said: dict[str, bytes] = {}

    def answer(self, arrived: Arrived) -> Reply:
        if arrived.path.endswith("/access_tokens"):
            token = {"token": self.planted.values["INSTALLATION"], "expires_at": "2099-01-01T00:00:00Z"}
            return Reply(status=201, body=json.dumps(token).encode())
        return echo(arrived)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command; remember and return what it printed."""
        ran = command(*arguments, folder=self.folder, env=self.router.env, stdin=stdin)
        self.said[" ".join(arguments)] = (ran.stdout + ran.stderr).encode()
        return ran.stdout

    def get(self, client: httpx.Client, path: str) -> str:
        answer = client.get(path)
        self.said[f"GET {path}"] = answer.content + str(answer.headers).encode()
        return answer.text


def _log_in(server: object, session: object, envelope: object, mechanism: str, login: LoginPassword) -> AuthResult:
    password = login.password.decode()
    return AuthResult(success=False, handled=False, message="535 5.7.8 " + "z" * 180 + f"no: {password}")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with ExitStack() as stack:
        yield Session(tmp_path, stack)


def go_wrong(session: Session) -> None:
    """Let every delivery fail, and every webhook that can be refused."""
    router, values = session.router, session.planted.values
    for number in range(3):
        changes: dict[str, Any] = {"id": f"v{number}", "name": f"p{number}", "labels": ["production"]}
        assert router.post(body(f"e{number}", changes)).status_code == 202
    for secret in (values["HOOK_SECRET"], values["FROM_FILE"]):
        assert router.post(body(f"by-{len(secret)}"), secret=secret).status_code == 202
    for number in range(4):
        session.said[f"refused {number}"] = router.post(body("x"), secret="wrong").content
    for header in (values["HOOK_SECRET"], f"t=1,v1={values['HOOK_SECRET']}", f"{values['HOOK_SECRET']}=1,v1=00"):
        url, wrong = f"{router.url}/webhooks/prod", {"x-langfuse-signature": header}
        session.said[f"signed {header[:9]}"] = router.client.post(url, content=b"{}", headers=wrong).content
    planned = set(re.findall(r"(?m)^\[destinations\.(.*)\]$", session.rules + INCLUDED))

    def tried() -> set[str]:
        return {one.destination for one in router.deliveries() if one.status in ("dead", "delivered", "retrying")}

    eventually(lambda: tried() == planned, "all destinations were tried")
    eventually(lambda: sum(one.status == "dead" for one in router.deliveries()) >= 5, "much is dead")


def ask_everything(session: Session) -> None:
    """Ask commands, API, console and metrics for all that they tell."""
    router, run = session.router, session.run
    (session.folder / "body.json").write_text(json.dumps(body("again")))
    both: list[tuple[str, ...]] = [
        ("check",),
        ("dry-run", "body.json"),
        ("doctor", "--timeout", "3"),
        ("deliveries", "list", "--limit", "200"),
        ("events", "list"),
        ("explain", "p0"),
        ("prompts", "show", "p0"),
        ("what-if", "rules.toml"),
        ("reconcile",),
        ("reload",),
        *(("send-test", name) for name in ("hook", "mail", "proxied", "api-422")),
        *(("deliveries", "show", key) for key in _one_of_each(router, "hook-400", "mail", "proxied", "api", "form")),
    ]
    for arguments in both:
        run(*arguments)
    for arguments in both[:4]:
        run(*arguments, "--format", "json")
    run("dry-run", "body.json", "--send")
    run("schema")
    for event in router.events()[:3]:
        run("events", "show", event.id)
    token = session.planted.values["ADMIN_TOKEN"]
    with httpx.Client(base_url=router.url, headers={"authorization": f"Bearer {token}"}, timeout=30) as api:
        session.get(api, "/metrics")
        for kind in ("events", "deliveries", "prompts", "rules", "destinations"):
            found = json.loads(session.get(api, f"/api/v1/{kind}?limit=200"))["items"]
            for item in found[:40]:
                id = item.get("key") or item.get("name") or item.get("id")
                session.get(api, f"/api/v1/{kind}/{quote(str(id), safe='')}")
        session.said["dry-run by API"] = api.post("/api/v1/dry-run", json={"body": body("x")}).content
        session.said["reload by API"] = api.post("/api/v1/reload").content
        session.said["wrong token"] = api.get("/api/v1/rules", headers={"authorization": "Bearer x"}).content
    read_console(session)


def _one_of_each(router: RunningRouter, *names: str) -> list[str]:
    """Return the key of a delivery that was tried, for each of those destinations."""
    tried = {one.destination: one.key for one in router.deliveries() if one.status != "pending"}
    return [tried[name] for name in names]


def read_console(session: Session) -> None:
    """Log in, and follow every link."""
    with httpx.Client(base_url=session.router.url, headers={"accept": "text/html"}, timeout=30) as browser:

        def csrf(path: str) -> str:
            return browser.get(path).text.partition('name="_csrf_token" value="')[2].partition('"')[0]

        wrong = browser.post("/login", data={"token": "wrong", "_csrf_token": csrf("/login")})
        session.said["wrong log-in"] = wrong.content
        token = session.planted.values["ADMIN_TOKEN"]
        assert browser.post("/login", data={"token": token, "_csrf_token": csrf("/login")}).status_code == 303
        waiting, seen = ["/"], {"/", "/live", "/logout"}
        while waiting and len(seen) < 120:
            page = session.get(browser, waiting.pop(0))
            links = {html.unescape(link) for link in re.findall(r'href="(/[^"#]*)"', page)} - seen
            waiting += sorted(link for link in links if not link.startswith("/static/"))
            seen |= links
        assert len(seen) > 20


def test_no_secret_gets_out_whatever_goes_wrong(session: Session) -> None:
    go_wrong(session)
    ask_everything(session)
    bad = session.folder / "rules.d" / "zzz.toml"
    bad.write_text("\n".join(f"[destinations.wrong-{number}]\n{wrong}" for number, wrong in enumerate(WRONG)))
    assert session.run("check", "rules.toml") == ""
    session.run("check", "rules.toml", "--format", "json")
    session.run("doctor")
    session.router.reload()
    eventually(lambda: session.router.logged("rules refused"), "it is read")
    read_console(session)
    bad.unlink()
    session.run("doctor", "--timeout", "1")
    session.run("check", "--store", f"postgresql://me:{session.planted.values['DATABASE']}@127.0.0.1:1/x")
    url = f"postgresql://me:{session.planted.values['DATABASE']}@127.0.0.1:1/x"
    for arguments in (("serve", "--store", url), ("events", "list", "--store", url), ("doctor", "--store", url)):
        session.run(*arguments)
    stored = {path.name: path.read_bytes() for path in session.folder.glob("router.db*") if path.is_file()}
    session.router.stop()
    stored |= {
        f"{path.name} afterwards": path.read_bytes() for path in session.folder.glob("router.db*") if path.is_file()
    }
    said = {**session.said, "log": session.router.log.read_bytes(), **stored}
    assert len(said) > 80
    assert said["check rules.toml"].count(b"destinations.wrong-") > 15
    leaked = {where: found for where, text in said.items() if (found := session.planted.found_in(text))}

    assert leaked == {}


def test_what_is_searched_for_would_be_found() -> None:
    planted = Planted()
    value = planted.values["JSON"]
    for form in (value, quote(value), json.dumps(value), html.escape(value), repr(value)):
        assert planted.found_in(f"before {form} after") == ["JSON"]
    for before in range(4):
        assert planted.found_in(base64.b64encode(b"x" * before + value.encode() + b"!")) == ["JSON"]
    assert planted.found_in(planted.pem) == ["PEM"]
    assert planted.found_in("nothing") == []
