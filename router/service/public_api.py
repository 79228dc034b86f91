"""Asks Langfuse's public API: politely, within bounds, and without taking anybody else's answer for Langfuse's."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from msgspec import Struct

from router.delivery.client import Clients
from router.delivery.outcome import failure, retry_after
from router.domain.delivery import Refused
from router.domain.event import Event
from router.domain.listing import Ask, Listed
from router.domain.problem import RouterError
from router.domain.source import Api, Source
from router.engine.rulesfile.expand import Placeholder
from router.langfuse.api import (
    LIST_PATH,
    Page,
    has_references,
    list_query,
    merged,
    read_list,
    read_version,
    version_path,
    version_query,
)
from router.langfuse.wire import Unintelligible

HEALTH_PATH: Final = "/api/public/health"

AT_ONCE: Final = 4
"""Requests under way at a time, for one source."""

TIMEOUT: Final = 30.0
WAITS: Final = (0.0, 1.0, 4.0, 15.0)
"""Of a question that failed in a way that may pass."""

LIMITED: Final = timedelta(seconds=5)
"""How long to keep quiet after a 429 that does not say it."""

LONGEST_QUIET: Final = timedelta(minutes=5)
"""Who wants to be left alone for longer is asked again at another look."""

MOST_LIMITED: Final = 20
"""So many 429 for one question are an answer, too."""

LONGEST_ANSWER: Final = 64 * 2**20


class ApiUnavailable(RouterError):
    """Langfuse's API does not answer, or not as itself. The text says how, in one line and without secrets."""


class ApiRefused(ApiUnavailable):
    """It refuses the keys: waiting helps nobody."""


class _Reply(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Health(Struct, frozen=True):
    version: str | None = None


class PublicApi:
    """The API of one source. Its methods raise ApiUnavailable. `waits`: seconds before each try of a question."""

    def __init__(self, source: str, api: Api, clients: Clients, waits: Sequence[float] = WAITS) -> None:
        self._waits = waits
        self.source = source
        self.api = api
        self._clients = clients
        credentials = b64encode(f"{api.public_key.reveal()}:{api.secret_key.reveal()}".encode()).decode()
        self._headers = {"authorization": f"Basic {credentials}", "accept": "application/json"}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._free_at = datetime.min.replace(tzinfo=UTC)
        self._ahead = timedelta()

    @property
    def now(self) -> datetime:
        """What time it is at Langfuse, as far as its last answer said: the clocks may differ."""
        return datetime.now(UTC) + self._ahead

    async def page(self, number: int, *, name: str | None = None, since: datetime | None = None) -> Page:
        """Return a page of the list of prompts, from 1."""
        raw = await self._get(LIST_PATH, list_query(number, name=name, since=since))
        if raw is None:
            raise self._unavailable(f"there is no {LIST_PATH}; is `host` a Langfuse server?")
        try:
            return read_list(raw)
        except Unintelligible as error:
            raise self._unavailable(error.why) from error

    async def listed(self, name: str) -> Listed | None:
        """Return what the list shows of one prompt now; None: nothing."""
        return merged((await self.page(1, name=name)).prompts).get(name)

    async def version(self, name: str, ask: Ask) -> Event | None:
        """Return a version as an event of our own making; None: there is none."""
        path = version_path(name)
        raw = await self._get(path, version_query(ask))
        if raw is None:
            return None
        resolved = await self._get(path, version_query(ask, resolved=True)) if has_references(raw) else None
        try:
            return read_version(raw, self.source, datetime.now(UTC), resolved=resolved)
        except Unintelligible as error:
            raise self._unavailable(error.why) from error

    async def server_version(self) -> str | None:
        """Return which Langfuse it is; None: it does not say. Source: web/src/pages/api/public/health.ts."""
        raw = await self._get(HEALTH_PATH, {})
        try:
            return None if raw is None else msgspec.json.decode(raw, type=_Health).version
        except msgspec.DecodeError:
            return None

    # ---- one question

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return the body of a 200; None for a 404 that is Langfuse's own."""
        asked = f"?{urlencode(query)}" if query else ""
        url = f"{self.api.host.reveal().rstrip('/')}{path}{asked}"
        why = ""
        for wait in self._waits:
            await asyncio.sleep(wait)
            try:
                reply = await self._answer(url)
            except ApiUnavailable:
                raise
            except TimeoutError:
                why = f"no answer within {TIMEOUT:g} s"
                continue
            except Exception as error:
                outcome = failure(error)
                why = getattr(outcome, "reason", "")
                if isinstance(outcome, Refused):
                    break
                continue
            match reply.status:
                case 200:
                    return reply.body
                case 404 if _is_own(reply.body):
                    return None
                case 401 | 403:
                    raise ApiRefused(str(self._unavailable(f"it refuses the API keys (HTTP {reply.status})")))
                case status:
                    why = f"HTTP {status}"
                    if status < 500:
                        break
        raise self._unavailable(why)

    async def _answer(self, url: str) -> _Reply:
        """Return the first answer that is not 429; all of this source's questions keep quiet for as long as it says."""
        for _ in range(MOST_LIMITED):
            async with self._slots:
                await self._quiet()
                reply = await self._exchange(url)
            if reply.status != 429:
                return reply
            after = retry_after(reply.headers.get("retry-after"), datetime.now(UTC)) or LIMITED
            self._free_at = max(self._free_at, datetime.now(UTC) + after)
        raise self._unavailable("it answers HTTP 429 again and again")

    async def _quiet(self) -> None:
        left = self._free_at - datetime.now(UTC)
        if left > LONGEST_QUIET:
            raise self._unavailable(f"it wants to be left alone until {self._free_at:%H:%M:%S} UTC (HTTP 429)")
        await asyncio.sleep(max(0.0, left.total_seconds()))

    async def _exchange(self, url: str) -> _Reply:
        async with asyncio.timeout(TIMEOUT):
            client = await self._clients.of(self.api)
            async with client.request("GET", url, headers=self._headers) as response:
                self._read_clock(response.headers.get("date"))
                return _Reply(response.status, response.headers, await self._body(response))

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > LONGEST_ANSWER:
                raise self._unavailable(f"an answer is longer than {LONGEST_ANSWER:,} bytes")
        return b"".join(parts)

    def _read_clock(self, date: str | None) -> None:
        try:
            there = parsedate_to_datetime(date or "")
        except ValueError:
            return
        # it says whole seconds: less than that is no difference
        ahead = there.astimezone(UTC) - datetime.now(UTC)
        self._ahead = ahead if abs(ahead) > timedelta(seconds=2) else timedelta()

    def _unavailable(self, why: str) -> ApiUnavailable:
        return ApiUnavailable(f"source {self.source}: Langfuse's API at {self.api.host}: {why}")


class PublicApis:
    """The APIs of all sources. One is kept for as long as its table in the rules file is the same."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._open: dict[str, PublicApi] = {}

    def of(self, source: Source) -> PublicApi | None:
        """Return the API of a source; None if it has none, or its keys are missing from the environment."""
        api = source.api
        if api is None or any(isinstance(text, Placeholder) for text in (api.host, api.public_key, api.secret_key)):
            return None
        known = self._open.get(source.name)
        if known is None or known.api != api:
            known = self._open[source.name] = PublicApi(source.name, api, self._clients)
        return known


def _is_own(body: bytes) -> bool:
    """Tell whether a 404 may be Langfuse's word, not that of something in front of it while Langfuse is away."""
    try:
        return not body or isinstance(msgspec.json.decode(body), dict)
    except msgspec.DecodeError:
        return False
