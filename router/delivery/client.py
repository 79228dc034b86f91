"""The one module that opens HTTP clients: httpx over aiohttp's connector, guarded, without redirects."""

import logging
import ssl
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.metadata import version
from types import TracebackType
from typing import Protocol

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct

from router.delivery.guard import GuardedConnector
from router.domain.text import Text

MOST_READ = 64 * 1024
"""Bytes of an answer that are read, after decompression."""

# httpx logs every request with its URL, and Slack's URLs are secrets
logging.getLogger("httpx").setLevel(logging.WARNING)

USER_AGENT = f"langfuse-router/{version('langfuse-router')}"


class Way(Protocol):
    """How somebody is reached: a destination, or Langfuse's API."""

    @property
    def allow_private(self) -> bool: ...

    @property
    def ca_file(self) -> str | None: ...

    @property
    def proxy(self) -> Text | None: ...


class _Way(Struct, frozen=True):
    """Those that agree in it share a client."""

    allow_private: bool
    ca_file: str | None
    proxy: Text | None


class Reply(Struct, frozen=True):
    """What came back. `whole` False: the body broke off."""

    status: int
    headers: httpx.Headers
    body: bytes
    whole: bool

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Clients:
    """Opens a client for each way that is needed, and closes them all.

    `tokens`: those that GitHub gave to the installations of Apps, and until when they are good.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._clients: dict[_Way, httpx.AsyncClient] = {}
        self.tokens: dict[tuple[Text, ...], tuple[Text, datetime]] = {}

    async def __aenter__(self) -> "Clients":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._clients.clear()

    async def of(self, way: Way) -> httpx.AsyncClient:
        """Return the client for whoever is reached in that way. Raises OSError if a `ca_file` cannot be read."""
        key = _Way(way.allow_private, way.ca_file, way.proxy)
        if key not in self._clients:
            self._clients[key] = await self._stack.enter_async_context(_open(key))
        return self._clients[key]


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Return what certificates are checked with: the system's authorities, or only those in `ca_file`."""
    return ssl.create_default_context(cafile=ca_file)


def _open(way: _Way) -> httpx.AsyncClient:
    context = tls(way.ca_file)
    from_environment = way.proxy is not None and way.proxy.reveal() == "env"
    proxy = None if way.proxy is None or from_environment else way.proxy.reveal()
    # the proxy is the operator's own, and it resolves the names
    guarded = not way.allow_private and way.proxy is None

    def session() -> aiohttp.ClientSession:
        connector: aiohttp.TCPConnector = (
            GuardedConnector(ssl=context, limit=0) if guarded else aiohttp.TCPConnector(ssl=context, limit=0)
        )
        return aiohttp.ClientSession(
            connector=connector,
            trust_env=from_environment,
            proxy=proxy,
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return httpx.AsyncClient(
        transport=AiohttpTransport(client=session),
        headers={"user-agent": USER_AGENT},
        follow_redirects=False,
        trust_env=False,
        timeout=None,  # noqa: S113 -- a whole attempt has one deadline, put around it by `send`
    )


async def answer_of(response: httpx.Response) -> bytes:
    """Return what was read of a streamed answer: at most 64 KiB, then it is cut."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size >= MOST_READ:
            break
    return b"".join(parts)[:MOST_READ]
