"""Whether every destination can be reached. Nothing is sent: no message, no path, no credentials but a mail log-in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from router.delivery import probe
from router.delivery.client import Way
from router.delivery.outcome import failure, status_text
from router.delivery.probe import Reached
from router.domain.delivery import Accepted
from router.domain.destination import AnyDestination, EmailDestination
from router.domain.problem import Place
from router.domain.text import Text
from router.engine.lint.hosts import shown_host, urls_of
from router.engine.rulesfile.expand import Placeholder
from router.service.doctor.case import Case
from router.service.doctor.finding import Finding, Level

ENDS_SOON: Final = timedelta(days=14)

_PROXY: Final = "mend `proxy`, or its password"
_REMEDIES: Final = {
    "cannot resolve host": "mend the host's name, or the name server of this machine",
    "connection refused": "nothing listens there: mend host and port, or start it",
    "cannot connect": "there is no way there: a firewall, a route, or a `ca_file` that cannot be read",
    "no answer": "something swallows what is sent there, such as a firewall; give a `proxy` if one is needed",
    "TLS: certificate has expired": "whoever runs it has to renew it",
    "TLS: Hostname mismatch": "the certificate is for another name: mend the host",
    "TLS: IP address mismatch": "the certificate is for another name: mend the host",
    "TLS": "if its authority is one of your own, name it in `ca_file`",
    "SMTP 535": "mend user and password in `smtp`",
    "SMTP: SMTP STARTTLS": "it cannot encrypt that way: try smtps://, or smtp:// within a network of your own",
    "SMTP: The SMTP AUTH": "it takes no passwords, or only encrypted ones: mend the scheme of `smtp`",
    "the proxy answers": _PROXY,
    "what came back is not HTTP": "something else listens there: mend the port, or http:// and https://",
}
"""By how a failure begins; the first that fits."""


async def destination(case: Case, known: AnyDestination) -> list[Finding]:
    """Return how far one gets to a destination."""
    where, place = f"destinations.{known.name}", case.place("destinations", known.name)
    urls = [url for _, url in urls_of(known)]
    if not urls:
        own = "this service's own log"
        what = own if known.type == "log" else "not looked at, for Apprise makes its own connections; try `send-test`"
        return [Finding(level="ok", where=where, what=what)]
    if any(isinstance(url, Placeholder) for url in urls):
        return []  # that a variable is missing is told already
    mail = known if isinstance(known, EmailDestination) else None
    return await reached(case, where, place, urls[0], known.limits, mail=mail)


async def reached(
    case: Case, where: str, place: Place, url: Text, way: Way, *, mail: EmailDestination | None = None
) -> list[Finding]:
    """Return how far one gets to `url`: one finding that says so, and others for what is odd about it."""
    host = shown_host(url)
    try:
        found = await (probe.web(url, way, case.clients) if mail is None else probe.mail(mail.smtp, mail.limits))
    except Exception as error:
        outcome = failure(error)
        why = "" if isinstance(outcome, Accepted) else outcome.reason
        through = " through the proxy" if way.proxy is not None and mail is None else ""
        what = why if why.startswith(host) else f"{host}{through}: {why}"
        return [Finding(level="fault", where=where, place=place, what=what, fix=remedy(why))]
    if found.ahead is not None:
        case.ahead[where] = found.ahead
    return [
        Finding(level=level, where=where, place=place, what=f"{host}: {what}", fix=fix)
        for level, what, fix in _judged(found)
    ]


def remedy(why: str) -> str:
    """Return what helps against a failure; nothing where its reason says so itself."""
    return next((fix for begins, fix in _REMEDIES.items() if why.startswith(begins)), "")


def _judged(found: Reached) -> Iterator[tuple[Level, str, str]]:
    certificate = "" if found.until is None else f", certificate until {found.until:%Y-%m-%d}"
    if found.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        yield "fault", "the proxy answers HTTP 407", _PROXY
    elif found.status is not None and found.status >= 500 and found.status != HTTPStatus.NOT_IMPLEMENTED:
        yield "warning", f"answers {status_text(found.status)}{certificate}", "it may take no messages now"
    else:
        yield "ok", f"{found.said}{certificate}", ""
    left = None if found.until is None else found.until - datetime.now(UTC)
    if left is not None and left < ENDS_SOON:
        yield "warning", f"its certificate ends in {left.days} days", "whoever runs it has to renew it"
    if found.exposed:
        yield "warning", "the password goes there unencrypted", "say smtps:// or smtp+starttls://"
