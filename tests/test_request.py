"""Requests: signatures as the standard has them, and headers that no text can break out of."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.delivery.mail import mime
from router.delivery.request import Mail, content_bytes, request_of, signature_headers
from router.domain.destination import HttpDestination, Limits
from router.domain.message import EmailMessage, HttpMessage, RawBody
from router.domain.text import Text
from router.engine.template import compile_template

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NASTY = st.text(st.characters(codec="utf-8") | st.sampled_from('\r\n\0\x0b\x85\u2028:<>,;"@ ')).filter(bool)


def test_the_published_example_of_standard_webhooks() -> None:
    """Source: https://github.com/standard-webhooks/standard-webhooks, the libraries' common test."""
    headers = signature_headers((Text.secret(SECRET),), ID, AT, b'{"test": 2432232314}')
    assert headers == {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": PUBLISHED}


def test_several_secrets_give_several_signatures_so_that_receivers_can_rotate() -> None:
    secrets = (Text.secret("another, as it is"), Text.secret(SECRET), Text.secret("whsec_not base64!"))
    signatures = signature_headers(secrets, ID, AT, b'{"test": 2432232314}')["webhook-signature"].split(" ")
    assert len(set(signatures)) == 3
    assert signatures[1] == PUBLISHED


def rendered(value: str) -> str:
    return compile_template("{{ prompt.name }}", "header", vars={}).render({"prompt": {"name": value}})


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        ("/a", {}, "https://x.example/api/a?key=1"),
        ("/a?x=1%2F2&y=", {}, "https://x.example/api/a?key=1&x=1%2F2&y="),
        ("/a?key=2", {"key": "3"}, "https://x.example/api/a?key=3"),
        ("?x=1", {}, "https://x.example/api/?key=1&x=1"),
    ],
)
def test_what_a_path_asks_joins_what_the_url_asks(path: str, query: dict[str, str], url: str) -> None:
    to = HttpDestination(name="sink", limits=Limits(), url=Text("https://x.example/api/?key=1"))
    request = request_of(HttpMessage(path=path, query=query, body=RawBody("")), to, "k")
    assert str(request.url) == url  # type: ignore[union-attr]


@given(NASTY)
def test_no_text_adds_a_header_to_a_request(value: str) -> None:
    message = HttpMessage(headers={"x-prompt": rendered(value)}, body=RawBody("x"))
    to = HttpDestination(name="sink", limits=Limits(), url=Text("https://x.example/"))
    request = request_of(message, to, "k")
    assert content_bytes(request) == b"x"  # type: ignore[arg-type]
    line = str(request.headers["x-prompt"])  # type: ignore[union-attr]
    assert line.isprintable() or not any(ord(sign) < 32 or sign in "\x7f\x85\u2028\u2029" for sign in line)


@given(NASTY, NASTY, NASTY)
def test_no_text_adds_a_header_or_a_recipient_to_a_mail(subject: str, header: str, address: str) -> None:
    message = EmailMessage(
        recipients=("ann@example.com",),
        subject=rendered(subject),
        text=address,
        headers={"X-Prompt": rendered(header)},
        thread=address,
    )
    mail = Mail(
        smtp=Text("smtp://x"),
        sender=Text("prompts@example.com"),
        recipients=(Text("ann@example.com"),),
        cc=(),
        message=message,
    )
    read = email.message_from_bytes(mime(mail, "k").as_bytes(), policy=email.policy.default)
    assert sorted(set(map(str.lower, read.keys()))) == [
        "auto-submitted", "content-transfer-encoding", "content-type", "date", "from", "in-reply-to", "message-id",
        "mime-version", "references", "subject", "to", "x-prompt",
    ]  # fmt: skip
    assert [one.addr_spec for one in read["to"].addresses] == ["ann@example.com"]
