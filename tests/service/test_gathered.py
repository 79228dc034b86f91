"""What is gathered arrives, whole and in order, however the connection ends."""

import asyncio
from collections.abc import Callable

import pytest

from router.service.gathered import Gathered


class Answers(asyncio.Protocol):
    """Answers whatever arrives, in pieces, and then does `after`."""

    def __init__(self, pieces: list[bytes], after: Callable[[Gathered], None]) -> None:
        self._pieces = pieces
        self._after = after

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = Gathered(transport)

    def data_received(self, data: bytes) -> None:
        for piece in self._pieces:
            self._transport.write(piece)
        self._after(self._transport)


async def answered(pieces: list[bytes], after: Callable[[Gathered], None]) -> bytes:
    server = await asyncio.get_running_loop().create_server(lambda: Answers(pieces, after), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"?")
        try:
            async with asyncio.timeout(30):
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@pytest.mark.parametrize("size", [1, 10, 5_000_000])
async def test_everything_written_before_the_end_arrives(size: int) -> None:
    pieces = [b"head ", b"b" * size, b" tail"]
    assert await answered(pieces, Gathered.close) == b"".join(pieces)


async def test_what_was_not_yet_sent_ends_with_an_aborted_connection() -> None:
    assert await answered([b"head ", b"body"], lambda transport: transport.abort()) == b""


async def test_it_knows_what_its_transport_knows() -> None:
    found: list[object] = []

    def look(transport: Gathered) -> None:
        found.extend([transport.is_closing(), transport.get_extra_info("peername")[0]])
        transport.close()
        found.append(transport.is_closing())

    await answered([b"x"], look)
    assert found == [False, "127.0.0.1", True]
