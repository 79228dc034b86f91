"""A server that answers like Langfuse's public API, over a model Langfuse: with its filters, pages, cache, limits."""

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from router.langfuse.model import Langfuse, ticking

PUBLIC_KEY = "pk-lf-public"
SECRET_KEY = "sk-lf-0123456789"
LIST = "/api/public/v2/prompts"


class Asked(Struct, frozen=True):
    """A question as it came: the prompt's name is None for the list."""

    name: str | None
    query: dict[str, str]


class LangfuseServer:
    """Serves the project `langfuse` on a port of its own. Its rows are written at `time`, and a bit later each.

    `before` is called with each question before it is answered, to change something between two reads. The next
    `limited` answers are 429. While `away` is set it stands for whatever is in front of Langfuse: (status, body).
    """

    def __init__(self, time: datetime, project: str = "project") -> None:
        self.time = time
        numbers = count(1)
        self.langfuse = Langfuse(project, ticking(lambda: self.time), lambda: f"{project}-{next(numbers)}")
        self.asked: list[Asked] = []
        self.before: Callable[[Asked], object] = lambda _: None
        self.limited = 0
        self.retry_after = "0"
        self.away: tuple[int, bytes] | None = None
        self.under_way = self.most_under_way = 0
        self._cache: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "LangfuseServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def api(self, **more: str) -> str:
        """Return the table of the rules file that leads here."""
        keys = {"host": self.url, "public_key": PUBLIC_KEY, "secret_key": "${LANGFUSE_SECRET_KEY}", **more}
        lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        return "\n".join(["[sources.prod.api]", "allow_private = true", *lines, ""])

    def versions_read(self) -> list[str]:
        return [asked.query.get("version", asked.query.get("label", "")) for asked in self.asked if asked.name]

    def _answer(self, path: str, authorization: str) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        name = unquote(parts.path.removeprefix(LIST).removeprefix("/")) or None
        asked = Asked(name, query)
        self.before(asked)
        with self._lock:
            self.asked.append(asked)
            if self.away is not None:
                compressed = {"content-encoding": "gzip"} if self.away[1].startswith(b"\x1f\x8b") else {}
                return *self.away, {"content-type": "text/html", **compressed}
            if self.limited:
                self.limited -= 1
                return 429, {"message": "Rate limit exceeded"}, {"retry-after": self.retry_after}
            if parts.path == "/api/public/health":
                return 200, {"status": "OK", "version": "3.200.0"}, {}
            expected = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
            if authorization != f"Basic {expected}":
                return 401, {"message": "Invalid credentials", "error": "UnauthorizedError"}, {}
            if not parts.path.startswith(LIST):
                return 404, b"<html>not found</html>", {"content-type": "text/html"}
            if name is None:
                return 200, self._list(query), {}
            found = self._version(name, query)
            missing = {"message": "Prompt not found", "error": "LangfuseNotFoundError"}
            return (404, missing, {}) if found is None else (200, found, {})

    def _list(self, query: dict[str, str]) -> Any:
        since = query.get("fromUpdatedAt")
        assert int(query.get("limit", "10")) <= 100, "Langfuse refuses larger pages"
        return self.langfuse.list_prompts(
            page=int(query.get("page", "1")),
            limit=int(query.get("limit", "10")),
            name=query.get("name"),
            from_updated_at=datetime.fromisoformat(since).astimezone(UTC) if since else None,
        )

    def _version(self, name: str, query: dict[str, str]) -> Any:
        version = int(query["version"]) if "version" in query else None
        found = self.langfuse.get_prompt(name, version=version, label=query.get("label"))
        if query.get("resolve") != "true" or found is None:
            return found
        key = name, query.get("version", "") + "|" + query.get("label", "")
        resolved = {**found, "prompt": str(found["prompt"]).replace("@@@langfusePrompt:name=x|label=y@@@", "Hello")}
        return self._cache.setdefault(key, resolved)  # whatever becomes of its labels

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                with server._lock:
                    server.under_way += 1
                    server.most_under_way = max(server.most_under_way, server.under_way)
                try:
                    status, body, headers = server._answer(self.path, self.headers.get("authorization", ""))
                finally:
                    with server._lock:
                        server.under_way -= 1
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for header, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(header, value)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler
