"""The process: sockets, signals, and the order in which things start and stop."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import structlog
import uvicorn
from litestar.types import ASGIApp

from router.domain.problem import RouterError
from router.service.app import Service, admin_app, public_app
from router.service.connections import Connection, Connections, Limits, most_connections
from router.service.control import listening
from router.service.outside import Disk
from router.service.systemd import Supervisor, status_line
from router.service.watch import watch
from router.storage.errors import StoreUnavailable

log = structlog.get_logger("router.service")

GRACE_SECONDS: Final = 20

LAST_REQUESTS: Final = 1.0
"""Seconds in which whoever is connected may still ask something, when the service is told to stop."""

BODIES: Final = 256 * 2**20
"""Bytes of large bodies that are in memory at a time; four of the largest, if that is more."""

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
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise PortInUse(f"cannot listen on {host}:{port}: {why}") from error


class BoundedServer(uvicorn.Server):
    """uvicorn without its signal handlers (it re-raises SIGTERM after serving, and ours decide the exit status), and
    with an end that loses no request: uvicorn closes connections on which one is on its way. Until then they end as
    `shared` says.
    """

    def __init__(self, app: ASGIApp, shared: Connections) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=shared.protocol(),
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                date_header=False,
                proxy_headers=False,  # nothing of ours asks who the client is
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self.shared = shared
        self.listening = asyncio.Event()

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # there are ten ticks a second
            connections = cast("set[Connection]", self.server_state.connections)
            self.shared.look(connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

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
        # a request that has not come by now would have all of the time that is for answers
        self.shared.give_up(cast("set[Connection]", self.server_state.connections))
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
    limits = _limits(service.rulebook.loaded.file.server.max_body, len(apps))
    shared = [Connections(limits, lambda cause: service.metrics.given_up.labels(cause).inc()) for _ in apps]
    if service.tracing is None:  # else a span begins before anything else does
        shared[0].webhooks = service.webhooks
    servers = [(BoundedServer(app, one), listeners) for (app, listeners), one in zip(apps, shared, strict=True)]
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
async def _telling(supervisor: Supervisor, service: Service, servers: Sequence[BoundedServer]) -> AsyncIterator[None]:
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


def _limits(max_body: int, servers: int) -> Limits:
    """Return what each of so many servers may take of this process."""
    connections = most_connections(_descriptors()) // servers
    return Limits(connections=connections, bodies=max(BODIES, 4 * max_body))


def _descriptors() -> int:
    """Return how many files this process may open, now that it has asked for all that it may have."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        few = most
    return sys.maxsize if few == resource.RLIM_INFINITY else few
