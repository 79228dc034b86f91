"""The far end: an HTTP server that answers 200 and counts. `GET /` tells the count, and when the first and last came;
`DELETE /` begins anew.

python -m tests.benchmarks.sink 8791
"""

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop


class _Sink(asyncio.Protocol):
    count = 0
    first = 0.0
    last = 0.0

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            length = int(lengths[0]) if lengths else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"POST"):
            _Sink.count += 1
            _Sink.last = time.time()
            _Sink.first = _Sink.first or _Sink.last
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            return
        told = msgspec.json.encode({"count": _Sink.count, "first": _Sink.first, "last": _Sink.last})
        if head.startswith(b"DELETE"):
            _Sink.count, _Sink.first = 0, 0.0
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(told) + told)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
