"""Every destination, for real: what arrives there, and what becomes of it when it goes wrong."""

import email
import email.policy
import ssl
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from router.storage.records import DeliveryRecord
from tests.acceptance.receivers import Receiver, Reply, mailbox
from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body

SECRETS = {
    "SLACK_PATH": "T00/B00/slack-canary",
    "GITHUB_TOKEN": "github-canary",
    "SMTP_PASSWORD": "smtp-canary/@",
    "API_TOKEN": "api-canary",
    "ROUTING_KEY": "routing-canary",
}

ONE = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"

[destinations.sink]
type = "http"
url = "SINK/hook"
allow_private = true
timeout = "5s"
retry = ["50ms", "50ms", "50ms"]

[[rules]]
name = "everything"
actions = [{ to = "sink" }]
"""


def only(router: RunningRouter, status: str) -> DeliveryRecord:
    """Return the one delivery, once it has that status."""
    return eventually(
        lambda: next((found for found in router.deliveries() if found.status == status), None), f"it is {status}"
    )


def secrets_in(*texts: str) -> list[str]:
    return [secret for secret in SECRETS.values() for text in texts if secret in text]


def test_each_destination_gets_its_message_and_no_secret_is_kept(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    def log_in(server: object, session: object, envelope: object, mechanism: str, login: LoginPassword) -> AuthResult:
        return AuthResult(success=login.password == SECRETS["SMTP_PASSWORD"].encode())

    with ExitStack() as stack:
        web = stack.enter_context(Receiver())
        box, port = stack.enter_context(mailbox(tls_context=tls, require_starttls=True, authenticator=log_in))
        rules = f"""
[sources.prod]
secret = "${{LANGFUSE_WEBHOOK_SECRET}}"
settle = "0s"
project_url = "https://langfuse.example.com"

[destinations.slack]
type = "slack"
webhook_url = "{web.url}/services/${{SLACK_PATH}}"
allow_private = true

[destinations.api]
type = "http"
url = "{web.url}/api?tenant=7"
headers = {{ Authorization = "Bearer ${{API_TOKEN}}", X-Team = "llm" }}
json = {{ routing_key = "${{ROUTING_KEY}}", event_action = "trigger", payload = {{ source = "langfuse" }} }}
signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
allow_private = true

[destinations.ci]
type = "github"
repository = "acme/prompts"
base_url = "{web.url}/github"
token = "${{GITHUB_TOKEN}}"
allow_private = true

[destinations.mail]
type = "email"
smtp = "smtp+starttls://mailer:${{SMTP_PASSWORD}}@127.0.0.1:{port}"
from = "Prompts <prompts@example.com>"
recipients = ["oncall@example.com", "Bob <bob@example.com>"]
allow_private = true
ca_file = "{tmp_path / "ca.pem"}"

[destinations.journal]
type = "log"

[[rules]]
name = "production"
match = {{ labels_gained = "production" }}
[[rules.actions]]
to = ["slack", "mail", "journal"]
[[rules.actions]]
to = "api"
method = "PUT"
path = "/prompts/{{{{ prompt.name }}}}"
query = {{ v = "{{{{ prompt.version }}}}" }}
json = {{ payload = {{ summary = "v{{{{ prompt.version }}}}", version = "{{{{ prompt.version }}}}" }} }}
[[rules.actions]]
to = "ci"
dispatch = {{ event_type = "promoted", client_payload = {{ name = "{{{{ prompt.name }}}}" }} }}
"""
        # each of them gives back what it was sent, headers and all
        web.script = lambda arrived: Reply(body=str((arrived.path, arrived.headers)).encode() + arrived.body)
        with RunningRouter(tmp_path, rules, env=SECRETS) as router:
            router.post(body("e1", {"labels": ["production", "latest"]}))
            eventually(lambda: len(router.deliveries()) == 5, "five deliveries are planned")
            eventually(lambda: {d.status for d in router.deliveries()} == {"delivered"}, "all of them are delivered")
            keys = {delivery.destination: delivery.key for delivery in router.deliveries()}
            shown = [command("deliveries", "show", key, folder=tmp_path, env=router.env) for key in keys.values()]
            assert router.stop() == 0
        by_path = {arrived.path.partition("?")[0]: arrived for arrived in web.arrived}

        slack = by_path["/services/T00/B00/slack-canary"]
        assert "production set on v1" in slack.json["text"]
        assert slack.json["blocks"][0]["type"] == "rich_text"

        api = by_path["/api/prompts/checkout%2Fcart"]
        assert (api.method, api.path) == ("PUT", "/api/prompts/checkout%2Fcart?tenant=7&v=1")
        assert api.headers["authorization"] == "Bearer api-canary"
        assert api.headers["x-team"] == "llm"
        assert api.headers["idempotency-key"] == api.headers["webhook-id"] == keys["api"]
        assert api.headers["webhook-signature"].startswith("v1,")
        assert api.json == {
            "routing_key": "routing-canary",
            "event_action": "trigger",
            "payload": {"source": "langfuse", "summary": "v1", "version": 1},
        }

        ci = by_path["/github/repos/acme/prompts/dispatches"]
        assert ci.headers["authorization"] == "Bearer github-canary"
        assert ci.json == {"event_type": "promoted", "client_payload": {"name": "checkout/cart"}}

        (envelope,) = box.mails
        assert envelope.rcpt_tos == ["oncall@example.com", "bob@example.com"]
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert mail["Message-ID"] == f"<{keys['mail']}@example.com>"
        assert "production set on v1" in mail["Subject"]
        assert {part.get_content_type() for part in mail.iter_parts()} == {"text/plain", "text/html"}

        assert any("production set on v1" in line for line in router.logged(keys["journal"]))
        stored = (tmp_path / "router.db").read_bytes().decode(errors="replace")
        assert secrets_in(stored, router.log.read_text(), *(run.stdout + run.stderr for run in shown)) == []
        assert all(run.returncode == 0 for run in shown)
        assert "Bearer ***" in "".join(run.stdout for run in shown)


def test_a_failure_is_tried_again_under_the_same_key(tmp_path: Path, receiver: Receiver) -> None:
    receiver.replies = [Reply(status=503), Reply(status=429), Reply()]
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        router.post(body("e1"))
        delivered = only(router, "delivered")
        assert {arrived.headers["idempotency-key"] for arrived in receiver.arrived} == {delivered.key}
        with router.store() as store:
            detail = store.delivery(delivered.key)
        assert detail is not None
        assert [attempt.outcome for attempt in detail.attempts] == ["retry", "retry", "accepted"]
        assert [attempt.status for attempt in detail.attempts] == [503, 429, 200]


def test_what_will_never_be_taken_is_dead_with_the_reason_and_can_be_sent_later(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.replies = [Reply(status=422, body=b'{"error": "no such field"}')]
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        router.post(body("e1"))
        dead = only(router, "dead")
        assert dead.reason == "HTTP 422 Unprocessable Entity"
        shown = command("deliveries", "show", dead.key, folder=tmp_path, env=router.env)
        assert "no such field" in shown.stdout
        again = command("deliveries", "retry", dead.key, folder=tmp_path, env=router.env)
        assert again.returncode == 0, again.stderr
        only(router, "delivered")
        assert [arrived.headers["idempotency-key"] for arrived in receiver.arrived] == [dead.key] * 2


def test_retry_after_holds_the_destination_back(tmp_path: Path, receiver: Receiver) -> None:
    receiver.replies = [Reply(status=429, headers={"retry-after": "3600"})]
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        router.post(body("e1"))
        waiting = only(router, "retrying")
        assert (waiting.due_at - waiting.created_at).total_seconds() >= 3590


def test_a_destination_that_refuses_everybody_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(status=401)
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        for number in range(3):
            router.post(body(f"e{number}", {"id": f"v{number}", "name": f"p{number}"}))
        eventually(lambda: any(d.status == "retrying" and "401" in d.reason for d in router.deliveries()), "it waits")
        eventually(
            lambda: [event for event in router.events() if event.type == "router.destination_refused"], "it is told"
        )
        assert {delivery.status for delivery in router.deliveries() if not delivery.about_trouble} <= {
            "pending",
            "retrying",
            "sending",
        }


def test_an_unreachable_private_address_is_refused_unless_allowed(tmp_path: Path, receiver: Receiver) -> None:
    rules = ONE.replace("SINK", receiver.url).replace("allow_private = true", "")
    with RunningRouter(tmp_path, rules) as router:
        router.post(body("e1"))
        waiting = only(router, "retrying")
        assert "allow_private" in waiting.reason
        assert receiver.arrived == []


def test_a_redirect_is_dead_and_says_where_it_led(tmp_path: Path, receiver: Receiver) -> None:
    receiver.replies = [Reply(status=301, headers={"location": "https://elsewhere.example.com/"})]
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        router.post(body("e1"))
        assert "https://elsewhere.example.com/" in only(router, "dead").reason


def test_killed_while_sending_it_is_sent_again_under_the_same_key(tmp_path: Path, receiver: Receiver) -> None:
    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url)) as router:
        receiver.replies = [Reply(before=router.kill)]
        router.post(body("e1"))
        eventually(lambda: len(receiver.arrived) == 1, "the request arrived")
        assert router.process is not None
        router.process.wait()
        router.start()
        only(router, "delivered")
        first, second = receiver.arrived
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.body == second.body


def test_sigterm_finishes_what_is_being_sent(tmp_path: Path, receiver: Receiver) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait(20)

    with RunningRouter(tmp_path, ONE.replace("SINK", receiver.url).replace('"5s"', '"20s"')) as router:
        receiver.replies = [Reply(before=hold)]
        router.post(body("e1"))
        assert asked.wait(30)
        assert router.process is not None
        router.process.terminate()
        eventually(lambda: router.logged("stopping"), "it is stopping")
        answer.set()
        assert router.process.wait(60) == 0
        assert [delivery.status for delivery in router.deliveries()] == ["delivered"]


def test_a_hanging_destination_delays_no_other(tmp_path: Path, receiver: Receiver) -> None:
    over = threading.Event()
    with Receiver() as hanging:
        hanging.script = lambda _: Reply(before=lambda: over.wait(60))
        rules = (
            ONE.replace("SINK", receiver.url)
            + f"""
[destinations.hangs]
extends = "sink"
url = "{hanging.url}"
concurrency = 2

[[rules]]
name = "and there"
actions = [{{ to = "hangs" }}]
"""
        )
        with RunningRouter(tmp_path, rules) as router:
            for number in range(20):
                router.post(body(f"e{number}", {"id": f"v{number}", "name": f"p{number}"}))
            eventually(lambda: len(receiver.arrived) == 20, "the healthy one has all of its messages")
            assert len(hanging.arrived) <= 2 + 2 * 4
            over.set()


def test_capture_and_shadow_send_nothing(tmp_path: Path, receiver: Receiver) -> None:
    shadow = ONE.replace("SINK", receiver.url).replace("[[rules]]", '[[rules]]\nmode = "shadow"')
    with RunningRouter(tmp_path, shadow) as router:
        router.post(body("e1"))
        captured = only(router, "captured")
        assert receiver.arrived == []
        sent = command("deliveries", "retry", "--status", "captured", "--yes", folder=tmp_path, env=router.env)
        assert sent.returncode == 0, sent.stderr
        assert only(router, "delivered").key == captured.key


def test_nothing_is_let_in_or_sent_by_what_stands_in_place_of_a_missing_secret(
    tmp_path: Path, receiver: Receiver
) -> None:
    rules = f"""
[server]
admin_token = "${{NO_TOKEN}}"
[sources.prod]
secret = ["${{LANGFUSE_WEBHOOK_SECRET}}", "${{NO_SECRET}}"]
settle = "0s"
[destinations.sink]
type = "http"
url = "{receiver.url}"
headers = {{ Authorization = "Bearer ${{NO_KEY}}" }}
allow_private = true
[[rules]]
name = "all"
actions = [{{ to = "sink" }}]
"""
    with RunningRouter(tmp_path, rules, "--capture") as router:
        assert router.post(body("e1"), secret="${NO_SECRET}").status_code == 401
        assert router.post(body("e1")).status_code == 202
        api = router.client.get(f"{router.url}/api/v1/events", headers={"authorization": "Bearer ${NO_TOKEN}"})
        assert api.status_code == 404
        only(router, "captured")
        sent = command("deliveries", "retry", "--status", "captured", "--yes", folder=tmp_path, env=router.env)
        assert sent.returncode == 0, sent.stderr
        refused = eventually(lambda: next((one for one in router.deliveries() if one.reason), None), "it was tried")
        assert (refused.status, refused.attempts) == ("retrying", 0), (
            "a destination that refuses everybody uses nothing up"
        )
        assert refused.reason == "${NO_KEY}: not set where this service runs"
        assert receiver.arrived == []


def test_mail_is_classified_by_the_servers_code(tmp_path: Path) -> None:
    with mailbox() as (box, port):
        box.refuse = {"gone@example.com": "550 no such user", "busy@example.com": "451 try again"}
        rules = f"""
[sources.prod]
secret = "${{LANGFUSE_WEBHOOK_SECRET}}"
settle = "0s"

[destinations.mail]
type = "email"
smtp = "smtp://127.0.0.1:{port}"
from = "prompts@example.com"
recipients = ["ann@example.com"]
allow_private = true

[[rules]]
name = "mails"
actions = [
  {{ to = "mail" }},
  {{ to = "mail", recipients = ["gone@example.com"] }},
  {{ to = "mail", recipients = ["busy@example.com"] }},
  {{ to = "mail", recipients = ["gone@example.com", "ann@example.com"] }},
]
"""
        with RunningRouter(tmp_path, rules) as router:
            router.post(body("e1", {"prompt": "Grüße an {{name}}"}))
            found: dict[int, Any] = eventually(
                lambda: (
                    {d.position: d for d in router.deliveries()}
                    if len(router.deliveries()) == 4
                    and not any(d.status in ("pending", "sending") for d in router.deliveries())
                    else None
                ),
                "all four were tried",
            )
            assert found[0].status == "delivered"
            assert (found[1].status, found[1].reason) == ("dead", "SMTP 550 no such user")
            assert (found[2].status, found[2].reason) == ("retrying", "SMTP 451 try again")
            assert found[3].status == "delivered"
            assert "gone@example.com: SMTP 550" in found[3].reason
