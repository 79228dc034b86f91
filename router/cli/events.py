"""`events`: what arrived, and what became of it."""

from datetime import datetime

import rich_click as click

from router.cli.options import (
    Format,
    choice_option,
    cursor_option,
    format_option,
    limit_option,
    load_offline,
    open_store,
    print_json,
    print_page,
    rules_option,
    store_option,
)
from router.cli.replay import replay_events
from router.cli.words import clause_lines, facts_line, when
from router.domain.event import EVENT_STATUSES, EventStatus
from router.domain.problem import RouterError
from router.service.as_test import as_test
from router.storage.records import EventFilter, EventRecord


@click.group()
def events() -> None:
    """Look at stored events, and tell again what they changed."""


@events.command("list")
@store_option
@rules_option
@choice_option("--status", EVENT_STATUSES, "Only events in this state")
@click.option("--prompt", metavar="NAME", help="Only events of this prompt.")
@limit_option
@cursor_option
@format_option
def list_(
    store_url: str | None,
    rules_path: str,
    status: EventStatus | None,
    prompt: str | None,
    limit: int,
    cursor: str | None,
    format_: Format,
) -> None:
    """List events, the newest first."""
    with open_store(store_url, rules_path) as store:
        page = store.events(EventFilter(status=status, prompt=prompt), limit=limit, cursor=cursor)
    if format_ == "json":
        print_json(page)
    else:
        print_page(page, _line, "no events")


def _line(event: EventRecord) -> str:
    what = " ".join(filter(None, (event.type, event.action, event.prompt)))
    reason = f"  ({event.reason})" if event.reason else ""
    return f"{when(event.received_at)}  {event.status:<11} {event.source:<10} {event.id}  {what}{reason}"


@events.command()
@click.argument("id")
@store_option
@rules_option
@format_option
def show(id: str, store_url: str | None, rules_path: str, format_: Format) -> None:
    """Show one event: what it changed, what each rule said, what was sent."""
    with open_store(store_url, rules_path) as store:
        found = store.event(id)
    if found is None:
        raise RouterError(f"no event {id} in the store")
    if format_ == "json":
        print_json(found)
        return
    event = found.event
    click.secho(f"event {event.id} from {event.source}, {event.status}", bold=True)
    for name, value in (
        ("type", " ".join(filter(None, (event.type, event.action)))),
        ("prompt", event.prompt),
        ("received", _time(event.received_at)),
        ("sent", _time(event.sent_at)),
        ("ruleset", event.ruleset),
        ("reason", event.reason),
    ):
        if value:
            click.echo(f"  {name:<9} {value}")
    for change in found.changes:
        click.echo(f"change {change.id}: {facts_line(change)}")
        for verdict in change.verdicts:
            click.echo(f"  rule {verdict.rule}: {verdict.verdict}")
            for clause in verdict.clauses:
                for line in clause_lines(clause, indent="    "):
                    click.echo(line)
    for held in found.held:
        due = f"due {when(held.due_at)}" if held.due_at else "when a rule of that name is in force again"
        click.echo(f"→ held by {held.rule}: {due}  change {held.change}")
    for delivery in found.deliveries:
        reason = f"  ({delivery.reason})" if delivery.reason else ""
        click.echo(f"→ {delivery.destination} by {delivery.rule}: {delivery.status}  {delivery.key}{reason}")


@events.command()
@click.argument("id")
@store_option
@rules_option
@click.option("--as-test", "test", is_flag=True, help="Print a rule test: the event, what was before, what is sent.")
@click.option("--redact", is_flag=True, help="With --as-test: replace texts, people and ids, names as far as possible.")
def export(id: str, store_url: str | None, rules_path: str, test: bool, redact: bool) -> None:
    """Print the raw body of an event, byte for byte: input for `dry-run`. Or a rule test, which passes with the rules.

    What --redact could not replace is said on stderr, and in the test.
    """
    if redact and not test:
        raise click.UsageError("--redact is for --as-test: a redacted body alone is not what arrived")
    with open_store(store_url, rules_path) as store:
        found = store.event(id)
        if found is None:
            raise RouterError(f"no event {id} in the store")
        if not test:
            click.echo(found.body, nl=False)
            return
        exported = as_test(store, load_offline(rules_path).ruleset, found, redacted=redact)
    click.echo(exported.text)
    for note in exported.notes:
        click.echo(f"note: {note}", err=True)


events.add_command(replay_events)


def _time(time: datetime | None) -> str:
    return time.isoformat() if time else ""
