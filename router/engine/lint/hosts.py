"""Destinations whose address can be seen to be a mistake."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from router.domain.destination import (
    AnyDestination,
    EmailDestination,
    GithubDestination,
    HttpDestination,
    SlackDestination,
)
from router.domain.text import Text
from router.engine.addresses import is_literally_private
from router.engine.rulesfile import RulesFile
from router.engine.rulesfile.expand import Placeholder
from router.engine.rulesfile.positions import Path

_PORTS: Final = {"http": 80, "https": 443}

Address = tuple[str, int | None]
"""A host, and a port."""


def private_hosts(file: RulesFile) -> Iterator[tuple[Path, str]]:
    """Yield the destinations and APIs that will be refused, because their host is private and they do not say so."""
    for name, destination in file.destinations.items():
        limits = destination.limits
        for key, url in urls_of(destination):
            if not limits.allow_private and limits.proxy is None and _is_private(url):
                yield ("destinations", name, key), _refused(url)
    for name, source in file.sources.items():
        api = source.api
        if api and not api.allow_private and api.proxy is None and _is_private(api.host):
            yield ("sources", name, "api", "host"), _refused(api.host)


def loops(file: RulesFile) -> Iterator[tuple[Path, str]]:
    """Yield the destinations that send to where events come from."""
    ours, langfuse = _our_addresses(file), _langfuse_addresses(file)
    for name, destination in file.destinations.items():
        address = _address(destination.url) if isinstance(destination, HttpDestination) else None
        path: Path = ("destinations", name, "url")
        if address in ours:
            yield path, "this is the router itself: what is sent there may come back as an event; send it elsewhere"
        elif address in langfuse:
            what = f'this is the Langfuse of source "{langfuse[address]}"'
            yield path, f"{what}: a request that changes a prompt there comes back as an event, again and again"


def urls_of(destination: AnyDestination) -> Iterator[tuple[str, Text]]:
    """Yield where a destination's messages go, and the key that says it."""
    match destination:
        case HttpDestination():
            yield "url", destination.url
        case GithubDestination():
            yield "base_url", destination.base_url
        case EmailDestination():
            yield "smtp", destination.smtp
        case SlackDestination(webhook_url=Text() as url):
            yield "webhook_url", url
        case SlackDestination():
            yield "api_url", destination.api_url


def _is_private(url: Text) -> bool:
    return not isinstance(url, Placeholder) and is_literally_private(urlsplit(url.reveal()).hostname or "")


def _refused(url: Text) -> str:
    return f"{shown_host(url)} is private, so nothing will be sent there: say `allow_private = true` if that is meant"


def shown_host(url: Text) -> str:
    """Return the host of a URL as people may see it."""
    host = urlsplit(url.reveal()).hostname or ""
    return host if host in url.shown.lower() else "its host"


def _address(url: Text | str | None) -> Address | None:
    if url is None or isinstance(url, Placeholder):
        return None
    parts = urlsplit(url.reveal() if isinstance(url, Text) else url)
    return (parts.hostname, parts.port or _PORTS.get(parts.scheme)) if parts.hostname else None


def _our_addresses(file: RulesFile) -> set[Address | None]:
    server = file.server
    local = {server.host, "127.0.0.1", "::1", "localhost"}
    listening = {(host, port) for host in local for port in (server.port, server.admin_port) if port}
    return {_address(server.public_url), *listening} - {None}


def _langfuse_addresses(file: RulesFile) -> dict[Address | None, str]:
    found: dict[Address | None, str] = {}
    for name, source in file.sources.items():
        urls = [source.project_url, source.api.host if source.api else None]
        found |= {address: name for url in urls if (address := _address(url)) and address not in found}
    return found
