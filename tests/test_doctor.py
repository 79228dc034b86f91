"""What the doctor finds, of real sockets that are as they should not be."""

import json
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword
from hypothesis import given
from hypothesis import strategies as st

from router.langfuse.samples import ANN
from router.service.doctor import Finding, examine
from router.service.doctor.clock import AGREES, clock_findings
from router.service.outside import Disk
from router.storage.store import Store
from tests.acceptance.receivers import Receiver, Reply, mailbox
from tests.acceptance.running import SECRET, RunningRouter, command
from tests.acceptance.test_faults import listening
from tests.acceptance.test_intake import body
from tests.langfuse_server import SECRET_KEY, LangfuseServer

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
ENVIRONMENT = {"LANGFUSE_WEBHOOK_SECRET": SECRET, "LANGFUSE_SECRET_KEY": SECRET_KEY, "PASSWORD": "hidden/@word"}

SOURCE = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"
"""
RULE = """
[[rules]]
name = "everything"
actions = [{ to = "it" }]
"""


class Doctor:
    """Examines a rules file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(ENVIRONMENT)

    def findings(self, rules: str, seconds: float = 20) -> list[Finding]:
        path = self.folder / "rules.toml"
        path.write_text(rules)
        store = f"sqlite:///{self.folder / 'router.db'}"
        return examine(str(path), store, Disk(self.environment), seconds)

    def of(self, destination: str, seconds: float = 20) -> list[tuple[str, str]]:
        """Return what is found of a destination: level and words."""
        found = self.findings(f"{SOURCE}\n[destinations.it]\n{destination}\n{RULE}", seconds)
        return [(one.level, one.what) for one in found if one.where == "destinations.it"]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


@contextmanager
def tls_server(authority: trustme.CA, until: datetime) -> Iterator[str]:
    """Run a server whose certificate ends then; give its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begins = min(until, datetime.now(UTC)) - timedelta(days=30)
    authority.issue_cert("127.0.0.1", not_before=begins, not_after=until).configure_cert(context)
    with Receiver() as receiver:
        receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
        yield receiver.url.replace("http:", "https:")


def http(url: str, more: str = "") -> str:
    return f'type = "http"\nurl = "{url}"\nallow_private = true\n{more}'


def test_a_certificate_that_has_expired_or_soon_will_and_one_that_nobody_vouches_for(doctor: Doctor) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(doctor.folder / "ca.pem"))
    trusted = f'ca_file = "{doctor.folder / "ca.pem"}"'
    now = datetime.now(UTC)
    with tls_server(authority, now - timedelta(days=1)) as url:
        assert doctor.of(http(url, trusted)) == [("fault", "127.0.0.1: TLS: certificate has expired")]
    with tls_server(authority, now + timedelta(days=3, hours=1)) as url:
        fine, soon = doctor.of(http(url, trusted))
        assert fine == ("ok", f"127.0.0.1: answers, certificate until {now + timedelta(days=3, hours=1):%Y-%m-%d}")
        assert soon == ("warning", "127.0.0.1: its certificate ends in 3 days")
        ((level, what),) = doctor.of(http(url))
        assert level == "fault"
        assert what.startswith("127.0.0.1: TLS: ")


def test_who_hangs_is_told_at_the_deadline_and_delays_no_other(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging, Receiver() as healthy:
        port = hanging.getsockname()[1]
        rules = f"""{SOURCE}
[destinations.hangs]
{http(f"https://127.0.0.1:{port}/")}
[destinations.it]
{http(healthy.url)}
{RULE.replace('"it"', '["it", "hangs"]')}"""
        began = time.monotonic()
        found = {one.where: one for one in doctor.findings(rules, seconds=1)}
        assert time.monotonic() - began < 10
    assert found["destinations.hangs"].level == "fault"
    assert found["destinations.hangs"].what == "no answer within 1 s"
    assert "proxy" in found["destinations.hangs"].fix
    assert found["destinations.it"].level == "ok"


def test_a_port_where_nobody_listens_a_name_that_nobody_knows_and_something_else_than_http(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert doctor.of(http(f"http://127.0.0.1:{port}/")) == [("fault", "127.0.0.1: connection refused")]
    assert doctor.of(http("http://nowhere.invalid/")) == [("fault", "nowhere.invalid: cannot resolve host")]
    with listening(lambda connection: connection.sendall(b"220 mail.example.com\r\n")) as url:
        assert doctor.of(http(url)) == [("fault", "127.0.0.1: what came back is not HTTP")]


def test_a_private_address_is_refused_as_it_would_be_for_a_message(doctor: Doctor) -> None:
    with Receiver() as receiver:
        ((level, what),) = doctor.of(f'type = "http"\nurl = "{receiver.url}"')
        assert (level, "allow_private" in what) == ("fault", True)
        assert receiver.arrived == []


def test_only_the_head_of_the_root_is_asked_for_without_credentials(doctor: Doctor) -> None:
    with Receiver() as receiver:
        url = f"{receiver.url}/hook?token=${{PASSWORD}}"
        more = 'headers = { Authorization = "Bearer ${PASSWORD}" }'
        assert doctor.of(http(url, more)) == [("ok", "127.0.0.1: answers")]
        (asked,) = receiver.arrived
        assert (asked.method, asked.path, asked.body) == ("HEAD", "/", b"")
        assert "authorization" not in asked.headers
        receiver.script = lambda _: Reply(status=503)
        assert doctor.of(http(url)) == [("warning", "127.0.0.1: answers HTTP 503 Service Unavailable")]


def test_the_proxy_is_asked_and_may_refuse(doctor: Doctor) -> None:
    with Receiver() as proxy:
        to = f'type = "http"\nurl = "http://only-the-proxy-knows.invalid/x"\nproxy = "{proxy.url}"'
        assert doctor.of(to) == [("ok", "only-the-proxy-knows.invalid: answers")]
        assert [asked.path for asked in proxy.arrived] == ["http://only-the-proxy-knows.invalid/"]
        proxy.script = lambda _: Reply(status=407)
        refused = ("fault", "only-the-proxy-knows.invalid: the proxy answers HTTP 407")
        assert doctor.of(to) == [refused]
        ((level, what),) = doctor.of(to.replace("http://only", "https://only"))
        assert (level, what) == (
            "fault",
            "only-the-proxy-knows.invalid through the proxy: the proxy answers HTTP 501 Not Implemented",
        )


def smtp(url: str, more: str = "") -> str:
    return f'type = "email"\nsmtp = "{url}"\nfrom = "a@example.com"\nrecipients = ["b@example.com"]\n' + (
        f"allow_private = true\n{more}"
    )


def test_a_mail_server_is_greeted_and_logged_in_to_and_gets_no_mail(doctor: Doctor) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(doctor.folder / "ca.pem"))
    trusted = f'ca_file = "{doctor.folder / "ca.pem"}"'
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    def log_in(server: object, session: object, envelope: object, mechanism: str, login: LoginPassword) -> AuthResult:
        return AuthResult(success=login.password == ENVIRONMENT["PASSWORD"].encode(), handled=False)

    with mailbox(tls_context=tls, require_starttls=True, authenticator=log_in) as (box, port):
        fine = smtp(f"smtp+starttls://me:${{PASSWORD}}@127.0.0.1:{port}", trusted)
        ((level, what),) = doctor.of(fine)
        assert level == "ok"
        assert what.startswith("127.0.0.1: says hello and takes the password, certificate until ")
        ((level, what),) = doctor.of(smtp(f"smtp+starttls://me:wrong@127.0.0.1:{port}", trusted))
        assert (level, what.startswith("127.0.0.1: SMTP 535")) == ("fault", True)
        assert box.mails == []


def test_a_mail_server_that_does_not_encrypt(doctor: Doctor) -> None:
    with mailbox() as (_, port):
        ((level, what),) = doctor.of(smtp(f"smtp+starttls://127.0.0.1:{port}"))
        assert (level, what) == (
            "fault",
            "127.0.0.1: SMTP: SMTP STARTTLS extension not supported by server",
        )
        assert doctor.of(smtp(f"smtp://127.0.0.1:{port}")) == [("ok", "127.0.0.1: says hello")]
    with mailbox(auth_require_tls=False, authenticator=lambda *_: AuthResult(success=True)) as (_, port):
        assert doctor.of(smtp(f"smtp://me:${{PASSWORD}}@127.0.0.1:{port}")) == [
            ("ok", "127.0.0.1: says hello and takes the password"),
            ("warning", "127.0.0.1: the password goes there unencrypted"),
        ]


# ---- clocks


@contextmanager
def clock(ahead: timedelta) -> Iterator[str]:
    """Run a server whose clock is ahead of ours; give its URL."""

    def answer(connection: socket.socket) -> None:
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        connection.sendall(f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n".encode())

    with listening(answer) as url:
        yield url


def test_a_server_whose_clock_is_wrong_and_one_that_shows_that_ours_is(doctor: Doctor) -> None:
    with ExitStack() as stack:
        right, other = (stack.enter_context(clock(timedelta())) for _ in range(2))
        wrong = stack.enter_context(clock(timedelta(hours=1)))
        rules = f"{SOURCE}\n[destinations.it]\n{http(right)}\n[destinations.other]\n{http(other)}\n"
        rules += f"[destinations.wrong]\n{http(wrong)}\n{RULE}"
        found = [one for one in doctor.findings(rules) if one.where == "clock" or one.what.startswith("its clock")]
        assert [(one.level, one.where, one.what) for one in found] == [
            ("ok", "clock", "agrees with 2 of 3 that were asked"),
            ("warning", "destinations.wrong", "its clock is 1h ahead"),
        ]
        alone = f"{SOURCE}\n[destinations.it]\n{http(wrong)}\n{RULE}"
        (ours,) = [one for one in doctor.findings(alone) if one.where == "clock"]
        assert ours.level == "fault"
        assert ours.what == "this machine's clock is 1h behind, say destinations.it; signatures will be refused"


seconds = st.floats(min_value=-1e6, max_value=1e6).map(lambda value: timedelta(seconds=value))


@given(st.dictionaries(st.sampled_from("abcdef"), seconds, min_size=1), seconds)
def test_a_clock_is_right_exactly_if_no_majority_contradicts(ahead: dict[str, timedelta], tolerance: timedelta) -> None:
    found = clock_findings(ahead, abs(tolerance))
    agree = [where for where, by in ahead.items() if abs(by) <= AGREES]
    ours = [one for one in found if one.where == "clock"]
    assert len(ours) == 1
    assert (ours[0].level == "ok") == (bool(agree) and 2 * len(agree) >= len(ahead))
    if ours[0].level == "ok":
        assert {one.where for one in found} == {"clock", *(ahead.keys() - set(agree))}


# ---- Langfuse


def about(found: list[Finding], where: str) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in found if one.where == where]


LOG = f'[destinations.it]\ntype = "log"\n{RULE}'


def test_langfuses_ports_and_private_addresses(doctor: Doctor) -> None:
    found = doctor.findings(f'[server]\npublic_url = "http://localhost:8787"\n{SOURCE}\n{LOG}')
    port, private, _ = about(found, "server.public_url")
    assert port == ("fault", "port 8787: Langfuse calls 80 and 443")
    assert private[0] == "warning"
    assert "localhost is private (" in private[1]
    found = doctor.findings(f'[server]\npublic_url = "https://nowhere.invalid"\n{SOURCE}\n{LOG}')
    assert about(found, "server.public_url") == [("fault", "nowhere.invalid cannot be resolved here")]
    ((level, what),) = about(doctor.findings(f"{SOURCE}\n{LOG}"), "server.public_url")
    assert (level, what.startswith("not given")) == ("warning", True)


def test_api_keys_that_are_refused_and_those_of_another_project(doctor: Doctor) -> None:
    with LangfuseServer(NOW, project="p2") as langfuse, RunningRouter(doctor.folder, f"{SOURCE}\n{LOG}") as router:
        langfuse.langfuse.create("checkout/cart", "Hello", by=ANN)
        router.post(body("e1"))  # of project p1
        while not any(event.status == "routed" for event in router.events()):
            time.sleep(0.02)
        rules = f"{SOURCE}\n{langfuse.api()}\n{LOG}"
        reached, shows, other = about(doctor.findings(rules), "sources.prod.api")
        assert reached == ("ok", "127.0.0.1: answers")
        assert shows == ("ok", "shows 1 prompt, Langfuse 3.200.0")
        assert other == ("fault", "the keys are of project p2, webhooks come from p1")
        doctor.environment["LANGFUSE_SECRET_KEY"] = "sk-lf-of-somebody-else"
        found = doctor.findings(rules)
        _, (level, what) = about(found, "sources.prod.api")
        assert level == "fault"
        assert "it refuses the API keys (HTTP 401)" in what
        assert "sk-lf-of-somebody-else" not in "".join(map(str, found))


def test_a_source_that_never_spoke_and_one_that_is_silent(doctor: Doctor) -> None:
    Store.open(f"sqlite:///{doctor.folder / 'router.db'}", serve=True).close()
    assert about(doctor.findings(f"{SOURCE}\n{LOG}"), "sources.prod") == [("warning", "no webhook has come yet")]
    with RunningRouter(doctor.folder, f"{SOURCE}\n{LOG}") as router:
        router.post(body("e1"))
        ((level, what),) = about(doctor.findings(f"{SOURCE}\n{LOG}"), "sources.prod")
        assert (level, what.startswith("the last webhook came ")) == ("ok", True)
        rules = SOURCE.replace("settle", 'expect_every = "1ms"\nsettle')
        ((level, what),) = about(doctor.findings(f"{rules}\n{LOG}"), "sources.prod")
        assert (level, what.startswith("silent: ")) == ("fault", True)


def test_a_secret_that_langfuse_never_made(doctor: Doctor) -> None:
    doctor.environment["LANGFUSE_WEBHOOK_SECRET"] = "whsec-of-something-else"
    ((level, what),) = about(doctor.findings(f"{SOURCE}\n{LOG}"), "sources.prod")
    assert (level, what) == ("warning", "a secret that does not begin with lf-whsec_, as Langfuse's do")


# ---- the service and the command


def test_a_service_that_runs_and_one_that_runs_by_other_rules(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    rules = f'[server]\nport = {port}\npublic_url = "http://127.0.0.1:{port}"\n{SOURCE}\n{LOG}'
    assert about(doctor.findings(rules), "service") == [
        ("warning", f"http://127.0.0.1:{port}/health/ready: connection refused")
    ]
    with RunningRouter(doctor.folder, rules, "--port", str(port)):
        found = doctor.findings(rules)
        assert about(found, "service") == [
            ("ok", f"runs at http://127.0.0.1:{port}/health/ready"),
            ("ok", f"takes commands at {doctor.folder / 'router.db.sock'}"),
        ]
        assert about(found, "server.public_url")[-1] == (
            "ok",
            f"http://127.0.0.1:{port}/webhooks/prod leads to a langfuse-router",
        )
        assert about(found, "store")[0][0] == "ok"
        _, other, _ = about(doctor.findings(rules.replace('"everything"', '"another"')), "service")
        assert other[0] == "warning"
        assert other[1].startswith("runs by other rules (")


def test_what_answers_may_be_another_program(doctor: Doctor) -> None:
    with Receiver() as other:
        rules = f"[server]\nport = {other.port}\n{SOURCE}\n{LOG}"
        ((level, what),) = about(doctor.findings(rules), "service")
        assert (level, what.endswith("is not langfuse-router")) == ("fault", True)


def test_a_store_that_is_not_there_damaged_or_of_a_newer_program(doctor: Doctor) -> None:
    file = doctor.folder / "router.db"
    assert about(doctor.findings(f"{SOURCE}\n{LOG}"), "store")[0] == ("ok", f"{file}: none yet, `serve` makes it")
    file.write_bytes(b"this is no database" * 100)
    assert about(doctor.findings(f"{SOURCE}\n{LOG}"), "store") == [("fault", f"{file}: file is not a database")]


def test_the_schema_is_the_one_of_the_store_not_of_the_program(doctor: Doctor) -> None:
    """After the way back from a release that only adds they differ."""
    file = doctor.folder / "router.db"
    Store.open(f"sqlite:///{file}", migrate=True).close()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE router_schema SET version_num = '1.9'")
    assert about(doctor.findings(f"{SOURCE}\n{LOG}"), "store")[0] == ("ok", f"{file}: takes writes, schema 1.9")


def test_the_command_tells_all_at_once_and_its_status_says_whether_there_is_a_fault(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(f"{SOURCE}\n[destinations.it]\n{http('${SINK}/hook')}\n{RULE}")
    env = {"LANGFUSE_WEBHOOK_SECRET": SECRET}
    ran = command("doctor", folder=tmp_path, env=env)
    assert ran.returncode == 1
    assert "fault   rules.toml:8:1: destinations.it.url: environment variable SINK is not set" in ran.stdout
    assert "ok      store: " in ran.stdout
    with Receiver() as receiver:
        ran = command("doctor", "--format", "json", folder=tmp_path, env={**env, "SINK": receiver.url})
    assert ran.returncode == 0, ran.stdout
    findings = json.loads(ran.stdout)["findings"]
    assert {"level": "ok", "where": "destinations.it", "place": None, "what": "its host: answers", "fix": ""} in [
        {**one, "place": None} for one in findings
    ]
    rules.write_text("no rules at all")
    assert command("doctor", folder=tmp_path, env=env).returncode == 1
