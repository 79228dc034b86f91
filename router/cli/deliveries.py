"""`deliveries`: what was sent, what waits, what was given up; and sending it again."""

import sys

import rich_click as click

from router.cli.options import (
    Format,
    confirmed,
    cursor_option,
    format_option,
    limit_option,
    load_offline,
    open_store,
    print_json,
    rules_option,
    store_option,
)
from router.cli.words import print_request, when
from router.delivery.request import shown
from router.domain.delivery import DELIVERY_STATUSES, DeliveryStatus
from router.domain.json import Json
from router.domain.problem import RouterError, RulesError
from router.storage.records import DeliveryDetail, DeliveryFilter


@click.group()
def deliveries() -> None:
    """Look at deliveries, and send them again."""


@deliveries.command("list")
@store_option
@rules_option
@click.option("--status", type=click.Choice(DELIVERY_STATUSES), help="Only deliveries in this state.")
@click.option("--destination", metavar="NAME", help="Only deliveries to this destination.")
@click.option("--rule", metavar="NAME", help="Only deliveries of this rule.")
@click.option("--prompt", metavar="NAME", help="Only deliveries about this prompt.")
@limit_option
@cursor_option
@format_option
def list_(
    store_url: str | None,
    rules_path: str,
    status: DeliveryStatus | None,
    destination: str | None,
    rule: str | None,
    prompt: str | None,
    limit: int,
    cursor: str | None,
    format_: Format,
) -> None:
    """List deliveries, the newest first."""
    wanted = DeliveryFilter(status=status, destination=destination, rule=rule, prompt=prompt)
    with open_store(store_url, rules_path) as store:
        page = store.deliveries(wanted, limit=limit, cursor=cursor)
    if format_ == "json":
        print_json(page)
        return
    for found in page.items:
        about = found.prompt.name if found.prompt else ""
        reason = f"  ({found.reason})" if found.reason else ""
        click.echo(
            f"{when(found.created_at)}  {found.status:<9} {found.key}  {found.rule} → {found.destination}"
            f"  {about}{reason}"
        )
    if not page.items:
        click.echo("no deliveries")
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}", err=True)


@deliveries.command()
@click.argument("key")
@store_option
@rules_option
@format_option
def show(key: str, store_url: str | None, rules_path: str, format_: Format) -> None:
    """Show one delivery: its message as it would be sent, secrets masked, and every attempt with its answer."""
    with open_store(store_url, rules_path) as store:
        found = store.delivery(key)
    if found is None:
        raise RouterError(f"no delivery {key} in the store")
    request = _request(found, rules_path)
    if format_ == "json":
        print_json({"delivery": found.delivery, "request": request, "attempts": found.attempts, "events": found.events})
        return
    delivery = found.delivery
    click.secho(f"delivery {delivery.key}: {delivery.status}", bold=True)
    for name, value in (
        ("rule", f"{delivery.rule} ({delivery.mode})"),
        ("to", f"{delivery.destination} ({delivery.type})"),
        ("prompt", delivery.prompt.name if delivery.prompt else ""),
        ("created", when(delivery.created_at)),
        ("due", when(delivery.due_at) if delivery.status in ("pending", "retrying") else ""),
        ("reason", delivery.reason),
        ("events", ", ".join(event.id for event in found.events)),
    ):
        if value:
            click.echo(f"  {name:<8} {value}")
    print_request(request)
    for attempt in found.attempts:
        status = f" {attempt.status}" if attempt.status else ""
        click.echo(f"attempt {attempt.number} at {when(attempt.started_at)}: {attempt.outcome or 'under way'}{status}")
        for line in filter(None, (attempt.reason, *attempt.excerpt.splitlines())):
            click.echo(f"    {line}")


@deliveries.command()
@click.argument("keys", nargs=-1)
@store_option
@rules_option
@click.option("--status", type=click.Choice(["dead", "captured"]), help="All deliveries in this state.")
@click.option("--destination", metavar="NAME", help="Only those to this destination.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retry(
    keys: tuple[str, ...],
    store_url: str | None,
    rules_path: str,
    status: DeliveryStatus | None,
    destination: str | None,
    yes: bool,
) -> None:
    """Send dead or captured deliveries (again), under their old keys: by KEY, or all of a state."""
    if bool(keys) == bool(status):
        raise click.UsageError("give KEYs or --status, one of them")
    with open_store(store_url, rules_path) as store:
        chosen = list(keys)
        if status:
            wanted = DeliveryFilter(status=status, destination=destination)
            cursor: str | None = None
            while True:
                page = store.deliveries(wanted, limit=1000, cursor=cursor)
                chosen += [found.key for found in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            if not chosen or not confirmed(f"send {len(chosen)} {status} deliveries again?", yes=yes):
                click.echo("nothing to do" if not chosen else "nothing was changed")
                return
        retried = store.retry(chosen).result()
    click.echo(f"{len(retried)} of {len(chosen)} will be sent by the running service")
    for key in sorted(set(chosen) - set(retried)):
        click.echo(f"{key}: not there, or neither dead nor captured, or without a message", err=True)
    sys.exit(0 if len(retried) == len(chosen) else 1)


def _request(found: DeliveryDetail, rules_path: str) -> Json:
    """Return the request as it would go out now; without a rules file, the message alone."""
    if found.message is None:
        return None
    try:
        destination = load_offline(rules_path).ruleset.destinations[found.delivery.destination]
    except (RulesError, KeyError):
        return None
    if destination.type != found.delivery.type:
        return None
    return shown(found.message, destination, found.delivery.key)
