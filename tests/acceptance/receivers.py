"""Other people's servers, as real sockets with scripted answers."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from msgspec import Struct


class Arrived(Struct, frozen=True):
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply(Struct, frozen=True, kw_only=True):
    """What is answered. `before`: called first, to hang or to tell the test."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b"ok"
    before: Callable[[], object] | None = None


Script: TypeAlias = Callable[[Arrived], Reply]


class _Server(ThreadingHTTPServer):
    request_queue_size = 1_000  # a full queue would cost those who connect seconds


class Receiver:
    """An HTTP server. Answers with `script`, else with the next of `replies`, else with 200."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.replies: list[Reply] = []
        self.script: Script | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, arrived: Arrived) -> Reply:
        with self._lock:
            self.arrived.append(arrived)
            if self.script is None:
                return self.replies.pop(0) if self.replies else Reply()
        return self.script(arrived)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = receiver._reply(Arrived(self.command, self.path, headers, body))
                if reply.before is not None:
                    reply.before()
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(reply.body)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(reply.body)
                except OSError:
                    self.close_connection = True  # whoever asked is gone

            do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler


class Mailbox:
    """A real SMTP server. `refuse` maps an address to the reply that it gets."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 queued"


class _AnyPort(Controller):
    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mailbox(**options: Any) -> Iterator[tuple[Mailbox, int]]:
    """Run a mail server; give the box and its port. `options` are those of aiosmtpd's Controller."""
    box = Mailbox()
    controller = _AnyPort(box, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()
