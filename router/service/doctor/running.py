"""Whether the service runs, by the rules that the file holds now, and whether Langfuse can find it."""

import asyncio
import contextlib
import socket
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from router.delivery.client import Reply, answer_of
from router.delivery.outcome import failure
from router.domain.delivery import Accepted
from router.domain.destination import Limits
from router.engine.addresses import is_public
from router.service.control import NobodyThere, address_of, connected_to, socket_beside
from router.service.doctor.case import Case
from router.service.doctor.finding import Finding

LANGFUSE_PORTS: Final = {"http": 80, "https": 443}
_ALLOW: Final = "LANGFUSE_WEBHOOK_WHITELISTED_HOST, …_IPS or …_IP_SEGMENTS"


class _Ready(Struct, frozen=True):
    status: str = ""
    ruleset: str = ""


async def service(case: Case) -> list[Finding]:
    """Return whether the service answers where the file says, and to commands."""
    ours = case.loaded.ruleset.digest
    host, port = address_of(case.loaded.file.server)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/health/ready"
    try:
        reply = await _get(case, url)
        said = msgspec.json.decode(reply.body, type=_Ready)
    except msgspec.DecodeError:
        what = f"what answers at {url} is not langfuse-router"
        return [Finding(level="fault", where="service", what=what, fix="end it, or choose another port")]
    except Exception as error:
        return [Finding(level="warning", where="service", what=f"{url}: {_why(error)}", fix="start `serve`")]
    if reply.status != HTTPStatus.OK:
        return [Finding(level="fault", where="service", what=f"{url}: {said.status}")]
    found = [Finding(level="ok", where="service", what=f"runs at {url}")]
    if said.ruleset != ours:
        what = f"runs by other rules ({said.ruleset}) than the file holds ({ours})"
        found.append(Finding(level="warning", where="service", what=what, fix="langfuse-router reload"))
    return [*found, *_control(case)]


def _control(case: Case) -> list[Finding]:
    path = socket_beside(case.url)
    if path is None:
        return []
    try:
        with contextlib.closing(connected_to(path)):
            return [Finding(level="ok", where="service", what=f"takes commands at {path}")]
    except NobodyThere as error:
        fix = "does it have this store? else be the user whom it runs as"
        return [Finding(level="warning", where="service", what=f"takes no commands: {error}", fix=fix)]


async def public_url(case: Case) -> list[Finding]:
    """Return whether Langfuse would find the way: it calls ports 80 and 443 only, and no private address."""
    url = case.loaded.file.server.public_url
    where, place = "server.public_url", case.place("server", "public_url")
    if url is None:
        what = "not given, so nobody can tell whether Langfuse gets here: it calls ports 80 and 443 only"
        return [
            Finding(level="warning", where=where, place=place, what=what, fix="say what stands in Langfuse's webhook")
        ]
    parts = urlsplit(url)
    port = parts.port or LANGFUSE_PORTS.get(parts.scheme, 0)
    found: list[Finding] = []
    if port not in LANGFUSE_PORTS.values():
        fix = "put a reverse proxy in front that listens on 443, and name it here"
        found.append(
            Finding(level="fault", where=where, place=place, what=f"port {port}: Langfuse calls 80 and 443", fix=fix)
        )
    host = parts.hostname or ""
    try:
        addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        what = f"{host} cannot be resolved here"
        return [*found, Finding(level="fault", where=where, place=place, what=what, fix="mend the name, or the DNS")]
    if private := sorted({str(one[4][0]) for one in addresses if not is_public(str(one[4][0]))}):
        what = f"{host} is private ({', '.join(private)}): Langfuse refuses that unless its operator allows it"
        found.append(Finding(level="warning", where=where, place=place, what=what, fix=f"set {_ALLOW} at Langfuse"))
    return [*found, await _leads_here(case, url)]


async def _leads_here(case: Case, base: str) -> Finding:
    """A webhook's address answers a GET with 405, in words that are ours; nothing comes in by that."""
    where, place = "server.public_url", case.place("server", "public_url")
    url = f"{base.rstrip('/')}/webhooks/{next(iter(case.loaded.ruleset.sources))}"
    try:
        reply = await _get(case, url)
    except Exception as error:
        what = f"{url} cannot be reached from here: {_why(error)}"
        return Finding(level="warning", where=where, place=place, what=what, fix="look whether Langfuse can reach it")
    if reply.status == HTTPStatus.METHOD_NOT_ALLOWED and reply.headers.get("allow") == "POST":
        return Finding(level="ok", where=where, what=f"{url} leads to a langfuse-router")
    what = f"{url} leads elsewhere: HTTP {reply.status} where a langfuse-router says 405"
    return Finding(level="warning", where=where, place=place, what=what, fix="look at the proxy in front")


async def _get(case: Case, url: str) -> Reply:
    client = await case.clients.of(Limits(allow_private=True))
    async with client.request("GET", url) as response:
        return Reply(response.status, response.headers, await answer_of(response), whole=True)


def _why(error: Exception) -> str:
    outcome = failure(error)
    return "" if isinstance(outcome, Accepted) else outcome.reason
