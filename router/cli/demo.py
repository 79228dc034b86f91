"""`demo`: a working day at Langfuse, played against a real server, and an account of what the router made of it."""

import asyncio
import logging
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import msgspec
import rich_click as click
from rich.console import Console

from router.cli.account import Account, Arrival, Happening
from router.cli.play import Player, Sent
from router.delivery.client import Clients
from router.domain.destination import Limits
from router.domain.problem import RouterError
from router.domain.text import Text
from router.langfuse.scenarios import SCENARIOS
from router.langfuse.simulator import Step, steps
from router.service.app import Service
from router.service.logging import configure
from router.service.outside import Disk
from router.service.rulebook import Loaded, Rulebook
from router.service.server import listen
from router.service.server import serve as run
from router.storage.store import Store

EXAMPLE: Final = "rules.example.toml"
SOURCE: Final = "prod"

SEED: Final = "a working day"
PAUSE: Final = timedelta(minutes=41)
"""Between one thing that is done and the next, on the demo's own clock."""

SETTLE: Final = timedelta(milliseconds=100)
PAIR: Final = timedelta(milliseconds=500)
LONGEST: Final = 60
"""Seconds until the demo gives up on a machine that routes nothing."""

NARROWEST: Final = 100


@click.command()
@click.option("--keep", is_flag=True, help="Leave the server up afterwards, until Ctrl-C.")
def demo(keep: bool) -> None:
    """Play a Langfuse working day through the example rules. Needs no account and sends nothing.

    A temporary store, a real server on a free port, the webhooks with doubles and in any order over real HTTP; then
    what changed, which rule fired and why, and what would have been sent where.
    """
    configure("console", level=logging.WARNING)
    secret, token = f"lf-whsec_{secrets.token_hex(32)}", secrets.token_hex(16)
    # nothing of the user's own environment: the demo is the same everywhere
    environment = {"LANGFUSE_WEBHOOK_SECRET": secret, "ROUTER_ADMIN_TOKEN": token}
    with example_rules() as rules, tempfile.TemporaryDirectory(prefix="langfuse-router-demo-") as folder:
        rulebook = Rulebook(str(rules), Disk(environment), missing="placeholder")
        rulebook.put_in_force(_hurried(rulebook.loaded))
        url = f"sqlite:///{Path(folder) / 'router.db'}"
        with Store.open(url, serve=True) as store:
            service = Service(rulebook, store, capture=True, token=Text.secret(token))
            shown = _Demo(service, listen("127.0.0.1", 0), secret)
            sys.exit(asyncio.run(shown.run(_how_to_go_on(shown.base, url, secret, token) if keep else None)))


@contextmanager
def example_rules() -> Iterator[Path]:
    """Find the example: inside the installed package, or beside it in a checkout."""
    packaged = files("router").joinpath(EXAMPLE)
    with as_file(packaged) as inside:
        beside = inside.parent.parent / EXAMPLE
        if not inside.is_file() and not beside.is_file():
            raise RouterError(f"{EXAMPLE} is missing from this installation")
        yield inside if inside.is_file() else beside


def _hurried(loaded: Loaded) -> Loaded:
    """Return the rules with sources that wait only as long as a demo may."""
    sources = {
        name: msgspec.structs.replace(source, settle=SETTLE, pair=PAIR)
        for name, source in loaded.ruleset.sources.items()
    }
    return Loaded(loaded.file, msgspec.structs.replace(loaded.ruleset, sources=sources))


class _Demo:
    def __init__(self, service: Service, listener: socket.socket, secret: str) -> None:
        self.service = service
        self.listener = listener
        self.secret = secret
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # the story is set on yesterday's clock; webhooks are signed with the real one
        self.time = datetime.now().astimezone().replace(hour=8, minute=55) - timedelta(days=1)
        width = max(Console().width, NARROWEST) if not sys.stdout.isatty() else None
        self.console = Console(width=width, highlight=False, emoji=False)

    async def run(self, afterwards: str | None) -> int:
        """Return the exit status. `afterwards`: what to say, and then leave the server up until it is told to end."""
        serving = asyncio.create_task(run(self.service, [self.listener]))
        playing = asyncio.create_task(self.play())
        try:
            await asyncio.wait({serving, playing}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                return 130
            happenings = await playing
            account = Account(self.service.store, self.service.rulebook.ruleset, SOURCE, self.console)
            account.tell(happenings, f"A working day at Langfuse, played to {self.base} with {EXAMPLE}.")
            if afterwards is not None:
                click.echo(afterwards)
                configure("console")
                await serving
            return 0
        finally:
            if not serving.done():
                # the server ends as it always does
                signal.raise_signal(signal.SIGTERM)
            await serving

    async def play(self) -> list[Happening]:
        """Play the day step by step, each when the one before has been routed."""
        happened: dict[int, Happening] = {}
        with Console(stderr=True).status("") as status:
            async with Clients() as clients:
                client = await clients.of(Limits(allow_private=True))

                def sent(one: Sent) -> None:
                    if not one.accepted:
                        raise RouterError(f"the demo's own server refuses its webhooks: {one.said or one.status}")
                    of = happened[one.webhook.step]
                    of.arrivals.append(Arrival(one.webhook.id, known=one.said == "duplicate", late=number > of.number))

                player = Player(client, f"{self.base}/webhooks/{SOURCE}", self.secret, sent=sent)
                for step in self.day():
                    number = step.number
                    happened.setdefault(number, Happening(number, step.title, self.time))
                    status.update(step.title)
                    await player.post(step.webhooks)
                    await self.routed()
                    self.time += PAUSE
        return [happening for happening in happened.values() if happening.arrivals]

    def day(self) -> Iterator[Step]:
        return steps(SCENARIOS["working-day"], seed=SEED, now=lambda: self.time, shuffle=True, duplicates=True)

    async def routed(self) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                while (await asyncio.to_thread(self.service.store.backlog)).waiting:  # noqa: ASYNC110 -- it tells nobody
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise RouterError(f"the demo's own server routed nothing for {LONGEST} s") from None


def _how_to_go_on(base: str, store: str, secret: str, token: str) -> str:
    return f"""
The server is up until Ctrl-C, and sends nothing (capture).
  console   {base}/ log in with {token}
  webhook   {base}/webhooks/{SOURCE}
  health    {base}/health/ready
  metrics   curl -H "authorization: Bearer {token}" {base}/metrics
  look      langfuse-router events list --store {store}
            langfuse-router deliveries list --store {store}
  more      langfuse-router simulate churn --url {base}/webhooks/{SOURCE} \\
              --secret {secret}"""
