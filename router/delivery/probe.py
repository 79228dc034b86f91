"""How far one gets on the way to somebody, sending no message: name, address, TLS, hello, and what time it is there."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from router.delivery.client import Clients, Way, tls
from router.delivery.guard import connected
from router.delivery.mail import client_of, smtp_server
from router.domain.destination import Limits
from router.domain.text import Text


class Reached(Struct, frozen=True, kw_only=True):
    """Somebody who answers. `said`: how, in words; `status` None: not over HTTP.

    `ahead`: how far its clock is ahead of ours (None: it does not say). `until`: when its certificate ends (None: there
    is none, or a proxy stands before it). `exposed`: a password would go there, and anybody on the way could read it.
    """

    said: str
    status: int | None = None
    ahead: timedelta | None = None
    until: datetime | None = None
    exposed: bool = False


async def web(url: Text, way: Way, clients: Clients) -> Reached:
    """Ask for the head of `/` at the host of `url`, without its path and credentials. Raises what `failure` knows."""
    parts = urlsplit(url.reveal())
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{netloc}{f':{parts.port}' if parts.port else ''}/"
    client = await clients.of(way)
    async with client.request("HEAD", origin) as response:
        pass
    direct = parts.scheme == "https" and way.proxy is None
    return Reached(
        said="answers",
        status=response.status,
        ahead=_ahead(response.headers.get("date"), datetime.now(UTC)),
        until=await _certificate_until(host, parts.port or 443, way) if direct else None,
    )


async def mail(url: Text, limits: Limits) -> Reached:
    """Say hello to a mail server, encrypt and log in as its URL says. Raises what `failure` knows."""
    server = smtp_server(url.reveal())
    async with await client_of(server, limits) as client:
        encrypted = client.get_transport_info("ssl_object")
        return Reached(
            said="says hello" if server.password is None else "says hello and takes the password",
            until=None if encrypted is None else _until(encrypted.getpeercert()),
            exposed=encrypted is None and server.password is not None,
        )


async def _certificate_until(host: str, port: int, way: Way) -> datetime | None:
    connection = await connected(host, port, allow_private=way.allow_private)
    _, writer = await asyncio.open_connection(sock=connection, ssl=tls(way.ca_file), server_hostname=host)
    try:
        return _until(writer.get_extra_info("peercert"))
    finally:
        writer.close()


def _until(certificate: Mapping[str, Any] | None) -> datetime | None:
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _ahead(date: str | None, now: datetime) -> timedelta | None:
    """Return what a `Date` header says of the clock there; it says whole seconds."""
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return (there if there.tzinfo else there.replace(tzinfo=UTC)) - now
