"""Which addresses may be connected to. Prompt events must not become a way into the network behind the router.

The check sits in the connector: a resolver that returns only permitted addresses, and the literal addresses, which
skip the resolver. What is checked is what is connected to.
"""

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from router.domain.problem import RouterError
from router.engine.addresses import is_literal, is_public


class AddressRefused(RouterError):
    """A host's address is not one that messages may go to."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is a private, loopback or otherwise local address; say `allow_private = true` if that is meant"
        )


class GuardedResolver(AbstractResolver):
    """Resolves names, and keeps to itself what is not public."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [result for result in found if is_public(result["host"])]
        if not allowed:
            raise AddressRefused(host)
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to public addresses only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(resolver=GuardedResolver(), **options)

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        if is_literal(host) and not is_public(host):
            raise AddressRefused(host)
        return await super()._resolve_host(host, port, traces)


async def connected(host: str, port: int, *, allow_private: bool) -> socket.socket:
    """Return a connection to a permitted address of the host, for protocols without a connector of ours.

    Raises AddressRefused, or the OSError of the address tried last.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [(family, address) for family, _, _, _, address in found if allow_private or is_public(str(address[0]))]
    if not allowed:
        raise AddressRefused(host)
    failed: OSError | None = None
    for family, address in allowed:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            failed = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    assert failed is not None
    raise failed
