"""systemd: the sockets that it hands over, and what it is told of the service.

Both are protocols of a few lines that systemd promises to keep: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
Where no systemd started the service nothing is handed over and nobody is told.
"""

import os
import socket
import time
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Final

import structlog

from router.domain.counted import counted
from router.domain.problem import RouterError
from router.storage.records import Backlog, DestinationRecord

log = structlog.get_logger("router.systemd")

FIRST_DESCRIPTOR: Final = 3

ADMIN: Final = "admin"
"""`FileDescriptorName` of the socket for console, API and metrics; every other one is for webhooks."""


class NotASocket(RouterError):
    """What was handed over cannot be listened on."""


class Handed:
    """The listening sockets that systemd opened: over a restart they stay open, and who connects waits in them."""

    def __init__(self, environment: MutableMapping[str, str], pid: int) -> None:
        """Take what `environment` says is for us, and out of it: no child may take it too. Raises NotASocket."""
        asked, count, names = (environment.pop(f"LISTEN_{key}", "") for key in ("PID", "FDS", "FDNAMES"))
        self.public: list[socket.socket] = []
        self.admin: list[socket.socket] = []
        if asked != str(pid) or not count.isdecimal():
            return
        named = names.split(":")
        for index in range(int(count)):
            of_admin = index < len(named) and named[index] == ADMIN
            (self.admin if of_admin else self.public).append(_listener(FIRST_DESCRIPTOR + index))


def _listener(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        found = socket.socket(fileno=descriptor)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise NotASocket(f"descriptor {descriptor} of systemd: {os.strerror(error.errno or 0)}") from error
    if found.type != socket.SOCK_STREAM or not listens:
        raise NotASocket(f"descriptor {descriptor} of systemd does not listen; a .socket unit needs `ListenStream`")
    return found


class Supervisor:
    """Whoever started the service and wants to know how it is: systemd, or nobody."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environment, pid) if self.listens else None

    @property
    def listens(self) -> bool:
        return bool(self._address)

    def ready(self) -> None:
        """The service takes webhooks, by the rules that it has now."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The rules are being read; `ready` follows, also if they are refused. The time tells old words from new."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=stopping: finishes what is being sent")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        self._tell(f"STATUS={' '.join(line.split())}")

    def _tell(self, *words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.setblocking(False)  # who does not listen must not hold up the service
                there.sendto("\n".join(words).encode(), self._address)
        except OSError as error:
            log.warning("systemd is not told", what=words[0], error=str(error))


def _address(value: str) -> str:
    """Return the socket's address: a path, or a name in Linux's abstract namespace, which is written with an `@`."""
    if value.startswith("@"):
        return f"\0{value[1:]}"
    return value if value.startswith("/") else ""


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    """Return within how many seconds a sign of life is wanted; None: at no time."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    return int(microseconds) / 1_000_000 if ours and microseconds.isdecimal() and int(microseconds) else None


def status_line(backlog: Backlog, destinations: Iterable[DestinationRecord], refused: datetime | None) -> str:
    """Return what `systemctl status` shows. `refused`: when rules that were to replace those in force were refused."""
    dead = sum(queue.count for queue in backlog.queues if queue.status == "dead")
    wait = sum(queue.count for queue in backlog.queues) - dead
    alone = sorted(found.name for found in destinations if found.in_force and found.breaker != "closed")
    waiting = f"{counted(backlog.waiting, 'event')}, {counted(wait, 'delivery')}"
    parts = [f"waiting: {waiting}; dead: {dead}"]
    if alone:
        parts.append(f"left alone: {', '.join(alone[:5])}{f' and {len(alone) - 5} more' if len(alone) > 5 else ''}")
    if refused:
        parts.append(f"rules refused at {refused:%Y-%m-%d %H:%M:%S} UTC, those before are in force")
    return "; ".join(parts)
