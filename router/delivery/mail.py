"""E-mail: one message to one SMTP server, over a connection of its own."""

import hashlib
from collections.abc import Iterable, Sequence
from email.message import EmailMessage as MimeMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from msgspec import Struct

from router.delivery.client import tls
from router.delivery.guard import connected
from router.delivery.outcome import smtp_outcome
from router.delivery.request import Mail
from router.domain.delivery import Accepted, Answer
from router.domain.destination import Limits
from router.domain.text import Text

PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
SMTP_OK: Final = 250

_SEVEN_BITS: Final = SMTP.clone(cte_type="7bit")
"""Not every server takes more."""


class SmtpServer(Struct, frozen=True, kw_only=True):
    """What an `smtp…://user:password@host:port` URL says."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None


async def send(mail: Mail, key: str, limits: Limits) -> Answer:
    """Hand the mail over. Raises what `router.delivery.outcome.failure` classifies.

    Some recipients may be refused while others are taken: then it was delivered, and the answer says to whom not.
    """
    client = await client_of(smtp_server(mail.smtp.reveal()), limits)
    sender, *recipients = (parseaddr(address.reveal())[1] for address in (mail.sender, *mail.recipients, *mail.cc))
    try:
        async with client:
            refused, said = await client.sendmail(sender, recipients, mime(mail, key).as_bytes())
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _all_refused(error.recipients)
    if not refused:
        return Answer(outcome=Accepted(said), status=SMTP_OK)
    names = ", ".join(f"{address}: SMTP {response.code}" for address, response in refused.items())
    return Answer(outcome=Accepted(f"some recipients were refused: {names}"), status=SMTP_OK)


async def client_of(server: SmtpServer, limits: Limits) -> aiosmtplib.SMTP:
    """Return a client that is connected; entered as a context it says hello, encrypts and logs in."""
    return aiosmtplib.SMTP(
        hostname=server.host,
        sock=await connected(server.host, server.port, allow_private=limits.allow_private),
        username=server.user,
        password=server.password,
        use_tls=server.scheme == "smtps",
        start_tls=server.scheme == "smtp+starttls",
        tls_context=None if server.scheme == "smtp" else tls(limits.ca_file),
        timeout=limits.timeout.total_seconds(),
    )


def _all_refused(errors: Sequence[aiosmtplib.SMTPRecipientRefused]) -> Answer:
    """Nobody has the mail yet, so one refusal that may pass makes it worth trying again."""
    ranked = sorted(errors, key=lambda error: error.code)
    return Answer(outcome=smtp_outcome(ranked[0].code, ranked[0].message), status=ranked[0].code)


def smtp_server(url: str) -> SmtpServer:
    parts = urlsplit(url)
    return SmtpServer(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def mime(mail: Mail, key: str) -> MimeMessage:
    """Return the mail; its Message-ID is the idempotency key, and mails about one prompt are one thread."""
    message = mail.message
    mime = MimeMessage(policy=_SEVEN_BITS)
    sender = mail.sender.reveal()
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    mime["From"] = sender
    mime["To"] = _addresses(mail.recipients)
    if mail.cc:
        mime["Cc"] = _addresses(mail.cc)
    mime["Subject"] = message.subject
    mime["Date"] = formatdate()
    mime["Message-ID"] = f"<{key}@{domain}>"
    mime["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    if message.thread is not None:
        root = f"<{hashlib.sha256(message.thread.encode()).hexdigest()[:32]}@{domain}>"
        mime["In-Reply-To"] = root
        mime["References"] = root
    for name, value in message.headers.items():
        del mime[name]
        mime[name] = value
    mime.set_content(message.text)
    if message.html is not None:
        mime.add_alternative(message.html, subtype="html")
    return mime


def _addresses(addresses: Iterable[Text]) -> str:
    return ", ".join(address.reveal() for address in addresses)
