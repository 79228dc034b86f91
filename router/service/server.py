"""The process: sockets, signals, and the order in which things start and stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from litestar.types import ASGIApp

from router.domain.problem import RouterError
from router.service.app import Service, admin_app, public_app
from router.service.control import listening
from router.service.heads import BoundedHeads
from router.service.outside import Disk
from router.service.systemd import Supervisor, status_line
from router.service.watch import watch
from router.storage.errors import StoreUnavailable

log = structlog.get_logger("router.service")

GRACE_SECONDS: Final = 20

LAST_REQUESTS: Final = 1.0
"""Seconds in which whoever is connected may still ask something, when the service is told to stop."""

STATUS_EVERY: Final = 10.0
"""Seconds between two looks at the queues for whoever started the service."""


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
    """uvicorn without its signal handlers (it re-raises SIGTERM after serving, and ours decide the exit status), and
    with an end that loses no request: uvicorn closes connections on which one is on its way.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody any more, answer those who are connected, and tell them to ask elsewhere from now on."""
        for server in self.servers:
            server.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(0.05)  # what was accepted just now becomes a connection
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_REQUESTS):
                while self.server_state.connections:  # noqa: ASYNC110 -- uvicorn tells nobody
                    await asyncio.sleep(0.02)
        await super().shutdown(sockets)


async def serve(
    service: Service,
    public: Sequence[socket.socket],
    admin: Sequence[socket.socket] = (),
    *,
    control: Path | None = None,
    watched: Disk | None = None,
    supervisor: Supervisor | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT: stop taking requests, finish what is being sent, release the rest.

    Without `admin` sockets the public ones have the admin's routes too. `control`: where commands may ask;
    `watched`: reload when the files that were read through it change; `supervisor`: who wants to know how it goes.
    """
    apps = [(public_app(service, with_admin=not admin), public)]
    if admin:
        apps.append((admin_app(service), admin))
    servers = [(_server(app), listeners) for app, listeners in apps]
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if not service.draining:
            log.info("stopping")
            if supervisor is not None:
                supervisor.stopping()
        service.drain()
        stopping.set()
        for server, _ in servers:
            server.should_exit = True

    def reload() -> None:
        if supervisor is not None:
            supervisor.reloading()
            service.reload().add_done_callback(lambda _: supervisor.ready())
        else:
            service.reload()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    async with contextlib.AsyncExitStack() as stack:
        if supervisor is not None and supervisor.listens:
            await stack.enter_async_context(_telling(supervisor, service, [server for server, _ in servers]))
        await stack.enter_async_context(service.running())
        if control is not None:
            await stack.enter_async_context(listening(control, service.answer))
        watching = [] if watched is None else [watch(watched, reload, stopping)]
        await asyncio.gather(*(server.serve(sockets=list(listeners)) for server, listeners in servers), *watching)


@contextlib.asynccontextmanager
async def _telling(supervisor: Supervisor, service: Service, servers: Sequence[_Server]) -> AsyncIterator[None]:
    """Tell the supervisor how the service is while the block runs."""

    async def ready() -> None:
        for server in servers:
            await server.listening.wait()
        supervisor.ready()

    async def status() -> None:
        while not service.draining:
            with contextlib.suppress(StoreUnavailable):  # what does not answer is told by the log and /health/ready
                backlog = await asyncio.to_thread(service.store.backlog)
                destinations = await asyncio.to_thread(service.store.destinations)
                if not service.draining:
                    supervisor.status(status_line(backlog, destinations, service.rulebook.refused_at))
            await asyncio.sleep(STATUS_EVERY)

    async def alive(seconds: float) -> None:
        while True:
            supervisor.alive()
            await asyncio.sleep(seconds / 3)

    tasks = [asyncio.create_task(ready()), asyncio.create_task(status())]
    if supervisor.watchdog is not None:
        tasks.append(asyncio.create_task(alive(supervisor.watchdog)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _server(app: ASGIApp) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=BoundedHeads,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=False,
            proxy_headers=False,  # nothing of ours asks who the client is
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
