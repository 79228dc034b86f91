"""The real command as a process, as an operator runs it."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

import httpx
import msgspec

from router.langfuse.signature import sign
from router.storage.records import DeliveryFilter, DeliveryRecord, EventFilter, EventRecord
from router.storage.store import Store

SECRET = "lf-whsec_" + "ab" * 32
T = TypeVar("T")


def eventually(look: Callable[[], T | bool | None], what: str, seconds: float = 60) -> T:
    """Return what `look` finds as soon as it finds something. The machines are slow, so the limit is generous."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found  # type: ignore[return-value]  # a bool is returned as it is
        time.sleep(0.02)
    raise AssertionError(f"never happened within {seconds} s: {what}")


def free_port() -> int:
    """Return a port that nobody uses, and that nobody is given who asks for any: those are above 32768."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def command(
    *arguments: str, folder: Path, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `langfuse-router ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "router", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class RunningRouter:
    """`langfuse-router serve` in a folder of its own. Its log goes to `serve.log` there.

    `starter`: a command that starts it; `handed`: the descriptors that are open in it.
    """

    def __init__(
        self,
        folder: Path,
        rules: str,
        *options: str,
        env: Mapping[str, str] | None = None,
        store: str | None = None,
    ) -> None:
        self.folder = folder
        self.store_url = store or f"sqlite:///{folder / 'router.db'}"
        self.options = (*options, "--store", self.store_url)
        self.env = {**os.environ, "LANGFUSE_WEBHOOK_SECRET": SECRET, **(env or {})}
        self.rules = folder / "rules.toml"
        self.rules.write_text(rules)
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starter: tuple[str, ...] = ()
        self.handed: tuple[int, ...] = ()
        self.url = ""
        self.client = httpx.Client(timeout=30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        with self.log.open("ab") as log:
            begins = log.tell()
            self.process = subprocess.Popen(
                [
                    *self.starter,
                    *(sys.executable, "-m", "router", "serve", "--port", "0", "--log-format", "json"),
                    *self.options,
                ],
                cwd=self.folder,
                env=self.env,
                pass_fds=self.handed,
                stdout=log,
                stderr=log,
            )
        self.url = eventually(lambda: self._listening(begins), "the service says where it listens")
        eventually(self.is_ready, "the service is ready")

    def _listening(self, begins: int) -> str | None:
        assert self.process is not None
        text = self.log.read_bytes()[begins:].decode()
        assert self.process.poll() is None, f"the service ended at start:\n{text}"
        found = re.search(r"health\s+(http://\S+)/health/ready", text)
        return found and found[1]

    def health(self) -> tuple[int, str]:
        """Return what readiness says: its status code and its words."""
        answer = self.client.get(f"{self.url}/health/ready")
        return answer.status_code, str(answer.json()["status"])

    def is_ready(self) -> bool:
        try:
            return self.client.get(f"{self.url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Pull the plug."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def reload(self, rules: str | None = None) -> None:
        assert self.process is not None
        if rules is not None:
            self.rules.write_text(rules)
        self.process.send_signal(signal.SIGHUP)

    def logged(self, word: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if word in line]

    def post(
        self,
        body: bytes | Mapping[str, object],
        *,
        source: str = "prod",
        secret: str = SECRET,
        ahead: timedelta = timedelta(),
    ) -> httpx.Response:
        """Post a body as Langfuse does, signed by a clock that is `ahead` of ours."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.client.post(
            f"{self.url}/webhooks/{source}",
            content=raw,
            headers={
                "content-type": "application/json",
                "user-agent": "Langfuse/1.0",
                "x-langfuse-signature": sign(raw, secret, datetime.now(UTC) + ahead),
            },
        )

    def store(self) -> Store:
        return Store.open(self.store_url)

    def events(self) -> tuple[EventRecord, ...]:
        with self.store() as store:
            page = store.events(EventFilter(), limit=1000)
            found = page.items
            while page.next_cursor is not None:
                page = store.events(EventFilter(), cursor=page.next_cursor, limit=1000)
                found += page.items
            return found

    def deliveries(self) -> tuple[DeliveryRecord, ...]:
        with self.store() as store:
            return store.deliveries(DeliveryFilter(), limit=1000).items
