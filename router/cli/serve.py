"""`serve`: the service."""

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from router.cli.options import rules_option, store_option
from router.domain.text import Text
from router.engine.rulesfile.expand import Placeholder
from router.engine.rulesfile.kinds import duration_text

TRACES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
"""Any of them asks for traces."""

if TYPE_CHECKING:
    from router.domain.source import Source
    from router.service.rulebook import Rulebook
    from router.service.tracing import Tracing


@click.command()
@rules_option
@click.option("--host", help="Listen on this address instead of [server] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port instead of [server] port.")
@store_option
@click.option("--capture", is_flag=True, help="Do everything except the sending; missing variables are allowed.")
@click.option("--watch", is_flag=True, help="Reload when the rules' files have been still for a second.")
@click.option("--migrate", is_flag=True, help="Upgrade the schema of a PostgreSQL store first.")
@click.option("--log-format", type=click.Choice(["json", "console"]), help="Default: console on a terminal, else json.")
@click.option("--debug", is_flag=True, help="Log more.")
def serve(
    rules_path: str,
    host: str | None,
    port: int | None,
    store_url: str | None,
    capture: bool,
    watch: bool,
    migrate: bool,
    log_format: str | None,
    debug: bool,
) -> None:
    """Receive webhooks and deliver messages until SIGTERM. SIGHUP reloads the rules."""
    # before anything that takes time: an early SIGHUP must not kill the process
    signal.signal(signal.SIGHUP, lambda *_: None)
    import uvloop

    from router.service.app import Service
    from router.service.control import socket_beside
    from router.service.logging import configure
    from router.service.outside import Disk
    from router.service.rulebook import Rulebook
    from router.service.server import listen
    from router.service.server import serve as run
    from router.service.systemd import Handed, Supervisor
    from router.storage.database import shown_url
    from router.storage.spool import Spool
    from router.storage.store import Store

    tracing, untraced = tracing_of(os.environ)
    configure(
        "json" if log_format == "json" else "console" if log_format == "console" else None,
        level=logging.DEBUG if debug else logging.INFO,
        also=[] if tracing is None else [tracing.trace_id],
    )
    disk = Disk()
    rulebook = Rulebook(rules_path, disk, missing="placeholder" if capture else "error")
    file = rulebook.loaded.file
    url = store_url or file.store.url.reveal()
    handed = Handed(os.environ, os.getpid())
    supervisor = Supervisor(os.environ, os.getpid())
    address = host or file.server.host
    public = handed.public or [listen(address, file.server.port if port is None else port)]
    admin = handed.admin or ([listen(address, file.server.admin_port)] if file.server.admin_port is not None else [])
    given, console = file.server.admin_token, f"http://{_address((admin or public)[0])}/"
    token = None if isinstance(given, Placeholder) else given
    if token is None and sys.stderr.isatty():
        token = Text(secrets.token_urlsafe(24))
        console += f" log in with {token.reveal()}, made up for this run: there is no admin_token"
    elif token is None:
        console = "off: there is no admin_token"
    spool_path = None if url.startswith("sqlite:") else file.store.spool
    with ExitStack() as opened:
        if tracing is not None:
            opened.callback(tracing.close)
        spool = None if spool_path is None else opened.enter_context(Spool(Path(spool_path)))
        store = opened.enter_context(Store.open(url, serve=True, migrate=migrate, patient=spool is not None))
        greeting = _greeting(rulebook, public[0], (admin or public)[0], shown_url(url), console, capture=capture)
        click.echo(greeting, err=True)
        if untraced is not None:
            click.echo(f"  warning      no traces: {untraced}", err=True)
        service = Service(rulebook, store, spool=spool, capture=capture, token=token, tracing=tracing)
        serving = run(
            service,
            public,
            admin,
            control=socket_beside(url),
            watched=disk if watch else None,
            supervisor=supervisor,
        )
        uvloop.run(serving)


def tracing_of(environment: Mapping[str, str]) -> "tuple[Tracing | None, str | None]":
    """Return what makes traces if the environment asks for them; or why nothing does, although it should."""
    asked = [name for name in TRACES if environment.get(name)]
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not asked or disabled or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return None, None
    try:
        from router.service.tracing import NoExporter, Tracing
    except ModuleNotFoundError:
        return None, f"{asked[0]} is set, but OpenTelemetry is not here: pip install 'langfuse-router[otel]'"
    try:
        return Tracing(), None
    except NoExporter as error:
        return None, str(error)
    except Exception as error:
        # a mistake in a variable must not keep events from being received; what it says may hold a secret
        return None, f"OpenTelemetry refuses its variables ({type(error).__name__})"


def _greeting(
    rulebook: "Rulebook", public: socket.socket, admin: socket.socket, url: str, console: str, *, capture: bool
) -> str:
    """Return what somebody who just started the service wants to know; `console`: where it is, or why not."""
    file, ruleset = rulebook.loaded.file, rulebook.ruleset
    base = (file.server.public_url or f"http://{_address(public)}").rstrip("/")
    enabled = [rule.name for rule in ruleset.rules if rule.enabled]
    lines = [f"langfuse-router: {rulebook.path}, digest {ruleset.digest}"]
    lines += [f"  source       {name}: POST {base}/webhooks/{name}{_api(one)}" for name, one in ruleset.sources.items()]
    lines.append(f"  rules        {len(enabled)} in force: {_some(enabled)}")
    lines.append(f"  destinations {_some([f'{name} ({d.type})' for name, d in ruleset.destinations.items()])}")
    lines.append(f"  store        {url}")
    lines.append(f"  console      {console}")
    lines.append(f"  health       http://{_address(admin)}/health/ready")
    if capture:
        lines.append("  capture      on: nothing is sent, every message is kept as `captured`")
    lines += [f"  warning      {warning}" for warning in file.warnings]
    return "\n".join(lines)


def _api(source: "Source") -> str:
    return "" if source.api is None else f"; looks at {source.api.host} every {duration_text(source.api.every)}"


def _address(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
