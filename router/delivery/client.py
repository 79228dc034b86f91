"""The one module that opens HTTP clients: aiohttp, guarded, without redirects."""

import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from types import TracebackType
from typing import Final, Protocol

import aiohttp
from msgspec import Struct
from yarl import URL

from router.delivery.echo import Masks
from router.delivery.guard import GuardedConnector
from router.domain.text import MASK, Text

MOST_READ = 64 * 1024
"""Bytes of an answer that are read, after decompression."""

USER_AGENT = f"langfuse-router/{version('langfuse-router')}"

_AS_WRITTEN: Final = re.compile(r"[!#-;=?-Z\[\]_a-z~]*", re.ASCII)
"""A URL of legal characters only. It is used as it is: signed ones may not survive that escapes are written anew."""


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
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Client:
    """Asks one thing at a time, as often as needed. A redirect is an answer like others: messages do not follow it."""

    def __init__(self, session: aiohttp.ClientSession, carried: Callable[[], Mapping[str, str]]) -> None:
        self._session = session
        self._carried = carried

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send it and give the answer, of which the body is still to be read. Raises what `failure` knows."""
        whole = {**self._carried(), **(headers or {})}
        return self._session.request(method, _url(url), headers=whole, data=body or None, allow_redirects=False)


class Clients:
    """Opens a client for each way that is needed, and closes them all.

    `carried` returns the headers that a request has besides its own, because of what it is part of.
    `tokens`: those that GitHub gave to the installations of Apps, and until when they are good. `masks`: what takes
    the secrets of those who are asked out of what they answer.
    """

    def __init__(self, carried: Callable[[], Mapping[str, str]] = dict) -> None:
        self._carried = carried
        self._stack = AsyncExitStack()
        self._clients: dict[_Way, Client] = {}
        self.tokens: dict[tuple[Text, ...], tuple[Text, datetime]] = {}
        self.masks = Masks()

    async def __aenter__(self) -> "Clients":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._clients.clear()

    async def of(self, way: Way) -> Client:
        """Return the client for whoever is reached in that way. Raises OSError if a `ca_file` cannot be read."""
        key = _Way(way.allow_private, way.ca_file, way.proxy)
        if key not in self._clients:
            self._clients[key] = Client(await self._stack.enter_async_context(_open(key)), self._carried)
        return self._clients[key]


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Return what certificates are checked with: the system's authorities, or only those in `ca_file`."""
    return ssl.create_default_context(cafile=ca_file)


def _open(way: _Way) -> aiohttp.ClientSession:
    context = tls(way.ca_file)
    from_environment = way.proxy is not None and way.proxy.reveal() == "env"
    # the proxy is the operator's own, and it resolves the names
    guarded = not way.allow_private and way.proxy is None
    return aiohttp.ClientSession(
        connector=GuardedConnector(ssl=context, limit=0) if guarded else aiohttp.TCPConnector(ssl=context, limit=0),
        headers={"user-agent": USER_AGENT},
        trust_env=from_environment,
        proxy=None if way.proxy is None or from_environment else way.proxy.reveal(),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),  # none: a whole attempt has one deadline, put around it by `send`
    )


@lru_cache(maxsize=256)  # most messages to a destination go to one address
def _url(text: str) -> URL:
    """Raises aiohttp.InvalidURL."""
    try:
        url = URL(text, encoded=_AS_WRITTEN.fullmatch(text) is not None)
        _ = url.port  # looked at when it is asked for
    except ValueError:
        raise aiohttp.InvalidURL(MASK) from None
    return url


async def answer_of(response: aiohttp.ClientResponse) -> bytes:
    """Return what was read of an answer: at most 64 KiB, then it is cut."""
    if response.content.is_eof():  # most came in one piece
        return response.content.read_nowait(MOST_READ)
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size >= MOST_READ:
            break
    return b"".join(parts)[:MOST_READ]
