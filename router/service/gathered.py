"""What is written to a connection in one turn of the event loop goes out at once.

uvicorn writes the head and the body of an answer one by one, and each would wake the other side up. The answers to the
webhooks of one commit go out one after the other, too, not each after the work that the one before leaves behind.
"""

import asyncio
from typing import Any


class Gathered:
    """Stands for a transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._go)
        self._waiting.append(data)

    def close(self) -> None:
        self._go()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.writelines(waiting)
