"""The processes that benchmarks measure: started, waited for, stopped."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

SECRET = "lf-whsec_" + "cd" * 32


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


def send_load(url: str, requests: int, *, prompts: int) -> Load:
    """Send distinct signed webhooks from a process of their own."""
    command = (sys.executable, "-m", "tests.benchmarks.load", url)
    counted = ("--requests", str(requests), "--prompts", str(prompts))
    ran = subprocess.run((*command, *counted), capture_output=True, check=True, timeout=300)
    return msgspec.json.decode(ran.stdout, type=Load)


def _listens(url: str) -> bool:
    target = urlsplit(url)
    try:
        socket.create_connection((target.hostname or "", target.port or 80), timeout=1).close()
    except OSError:
        return False
    return True
