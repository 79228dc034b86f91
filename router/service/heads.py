"""How much of a request may be something else than its body.

uvicorn has no limit when it parses with httptools, and joins what comes of a header again and again: one endless header
took the whole processor, and as much memory as was sent.
"""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.service.gathered import Gathered

MOST: Final = 64 * 1024
"""Bytes of a request line, headers, trailers and what frames chunks. Proxies and browsers take less."""


class BoundedHeads(HttpToolsProtocol):
    """Closes a connection whose request is too much of something else; answers 400 if none is being answered."""

    _beside_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", Gathered(transport)))

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MOST and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.send_400_response(f"More than {MOST} bytes of headers.")
            else:
                self.transport.abort()

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body = 0
        super().on_message_complete()
