"""`send-test`: one message to one destination, the real way."""

import asyncio
import sys
import uuid
from datetime import UTC, datetime

import rich_click as click

from router.cli.options import Format, format_option, print_json, rules_option
from router.cli.words import print_request
from router.delivery.client import Clients
from router.delivery.request import shown
from router.delivery.send import send
from router.domain.delivery import Accepted, Answer
from router.domain.destination import AnyDestination
from router.domain.message import Message
from router.engine.hello import hello
from router.engine.suggest import suggestion
from router.service.logging import configure
from router.service.outside import Disk
from router.service.rulebook import load


@click.command("send-test")
@click.argument("name", metavar="DESTINATION")
@rules_option
@format_option
def send_test(name: str, rules_path: str, format_: Format) -> None:
    """Send a test message to DESTINATION as the service would, once, and say what became of it.

    No store is needed and nothing is stored. Exit status 1 unless the message was accepted.
    """
    configure()
    ruleset = load(rules_path, Disk(), missing="error").ruleset
    if name not in ruleset.destinations:
        raise click.UsageError(f'no destination "{name}" in {rules_path}{suggestion(name, ruleset.destinations)}')
    destination = ruleset.destinations[name]
    key = uuid.uuid4().hex
    message = hello(destination, ruleset.vars, datetime.now(UTC), key)
    answer = asyncio.run(_send(message, destination, key))
    request = shown(message, destination, key)
    outcome = type(answer.outcome).__name__.lower()
    reason = answer.outcome.detail if isinstance(answer.outcome, Accepted) else answer.outcome.reason
    if format_ == "json":
        print_json(
            {
                "destination": name,
                "type": destination.type,
                "outcome": outcome,
                "reason": reason,
                "status": answer.status,
                "answer": answer.excerpt,
                "request": request,
            }
        )
    else:
        print_request(request)
        click.echo(f"{name} ({destination.type}): {outcome}: {reason}" if reason else f"{name}: {outcome}")
        for line in answer.excerpt.splitlines():
            click.echo(f"    {line}")
    sys.exit(0 if isinstance(answer.outcome, Accepted) else 1)


async def _send(message: Message, destination: AnyDestination, key: str) -> Answer:
    async with Clients() as clients:
        return await send(message, destination, key, clients, datetime.now(UTC))
