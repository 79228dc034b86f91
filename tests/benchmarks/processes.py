"""The processes that benchmarks measure: started, waited for, stopped."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

SECRET = "lf-whsec_" + "cd" * 32
Signature: TypeAlias = Literal["langfuse", "plain"]
"""How a load is signed; `plain`: a bare hex HMAC of the body, which others understand as well."""

HEAD = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "SETTLE"

[destinations.sink]
type = "http"
url = "SINK/hook"
allow_private = true
concurrency = 50
"""
EVERYTHING = """
[[rules]]
name = "everything"
actions = [{ to = "sink" }]
"""


class Load(Struct, frozen=True):
    """What came of a load. Latencies in milliseconds."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    *command: str, url: str, log: Path, env: Mapping[str, str] | None = None, seconds: float = 60
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command until the block ends; the block begins when somebody listens at `url`."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **(env or {})})
    try:
        deadline = time.monotonic() + seconds
        while not _listens(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not listen:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def module(name: str, folder: Path) -> Iterator[str]:
    """Run a server of this package, `bare` or `sink`, on a free port; give its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = (sys.executable, "-m", f"tests.benchmarks.{name}", url.rpartition(":")[2])
    with running(*command, url=url, log=folder / f"{name}.log"):
        yield url


def rules(sink: str, settle: str, written: str = EVERYTHING) -> str:
    """Return a file with those rules; the destination `sink` is the server at that URL."""
    return HEAD.replace("SINK", sink).replace("SETTLE", settle) + written


@contextlib.contextmanager
def router(
    folder: Path, rules: str, *options: str, store: str | None = None
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `langfuse-router serve` with those rules in that folder; give its URL and the process."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.toml").write_text(rules)
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        *(sys.executable, "-m", "router", "serve", "--rules", str(folder / "rules.toml")),
        *("--port", url.rpartition(":")[2], "--migrate", "--store", store or f"sqlite:///{folder}/router.db"),
        *options,
    ]
    with running(*command, url=url, log=folder / "serve.log", env={"LANGFUSE_WEBHOOK_SECRET": SECRET}) as process:
        yield url, process


def send_load(*urls: str, requests: int, prompts: int, signature: Signature = "langfuse") -> Load:
    """Send distinct signed webhooks from a process of their own, to several servers in equal parts."""
    command = (sys.executable, "-m", "tests.benchmarks.load", *urls)
    asked = ("--requests", str(requests), "--prompts", str(prompts), "--signature", signature)
    ran = subprocess.run((*command, *asked), capture_output=True, check=True, timeout=300)
    return msgspec.json.decode(ran.stdout, type=Load)


class Server:
    """Sends loads to one server, or to replicas of it, and remembers what came of them."""

    def __init__(self, *urls: str, requests: int, signature: Signature = "langfuse") -> None:
        self._urls = [f"{url}/webhooks/prod" for url in urls]
        self._requests = requests
        self._signature: Signature = signature
        self.loads: list[Load] = []

    def load(self) -> float:
        """Return the requests per second."""
        load = send_load(*self._urls, requests=self._requests, prompts=500, signature=self._signature)
        assert not load.failed
        self.loads.append(load)
        return load.per_second

    @property
    def p99(self) -> float:
        return statistics.median(load.p99 for load in self.loads)


def _listens(url: str) -> bool:
    target = urlsplit(url)
    try:
        socket.create_connection((target.hostname or "", target.port or 80), timeout=1).close()
    except OSError:
        return False
    return True
