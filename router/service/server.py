"""The process: sockets, signals, and the order in which things start and stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn
from litestar.types import ASGIApp

from router.domain.problem import RouterError
from router.service.app import Service, admin_app, public_app
from router.service.control import listening
from router.service.outside import Disk
from router.service.watch import watch

log = structlog.get_logger("router.service")

GRACE_SECONDS = 20


class PortInUse(RouterError):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortInUse."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PortInUse(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}"
        ) from error


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it re-raises SIGTERM after serving, and ours decide the exit status."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    service: Service,
    public: socket.socket,
    admin: socket.socket | None,
    *,
    control: Path | None = None,
    watched: Disk | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT: stop taking requests, finish what is being sent, release the rest.

    `control`: where commands may ask; `watched`: reload when the files that were read through it change.
    """
    apps = [(public_app(service, with_admin=admin is None), public)]
    if admin is not None:
        apps.append((admin_app(service), admin))
    servers = [(_server(app), listener) for app, listener in apps]
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if not service.draining:
            log.info("stopping")
        service.draining = True
        service.live.close()
        stopping.set()
        for server, _ in servers:
            server.should_exit = True

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    async with service.running(), contextlib.AsyncExitStack() as stack:
        if control is not None:
            await stack.enter_async_context(listening(control, service.answer))
        watching = [] if watched is None else [watch(watched, service.reload, stopping)]
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers), *watching)


def _server(app: ASGIApp) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=False,
            proxy_headers=False,  # nothing of ours asks who the client is
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
