"""`dry-run`: a saved webhook body through the real plan; nothing is sent."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from router.cli.options import Format, Moment, format_option, load_offline, print_json, rules_option
from router.cli.words import clause_lines, print_request, when
from router.delivery.client import Clients
from router.delivery.send import send
from router.domain.delivery import NewDelivery
from router.domain.event import Event
from router.domain.ledger import Ledger
from router.domain.routing import Firing, Later, Throttle
from router.engine.context import Setting, Told
from router.engine.explain import nearest_first
from router.engine.firing import due_at
from router.engine.preview import Preview, only_rule, preview
from router.engine.ruleset import Ruleset
from router.engine.suggest import suggestion
from router.engine.summary import summary_of
from router.langfuse.wire import Unintelligible, decode
from router.service.dry_run import as_json, request, span
from router.service.outside import Disk
from router.service.rulebook import load
from router.storage.store import Store


@click.command("dry-run")
@click.argument("body", metavar="BODY")
@rules_option
@click.option("--rule", "rule_name", metavar="NAME", help="Look at this rule only.")
@click.option("--previous", multiple=True, metavar="BODY", help="Bodies that came before, in order; may be repeated.")
@click.option("--store", "store_url", metavar="URL", help="Take what is known from this store's ledger.")
@click.option("--source", "source_name", metavar="NAME", help="The source it comes from; default: the first.")
@click.option("--at", type=Moment(), metavar="TIME", help="When it arrives; default: now.")
@click.option("--expect", multiple=True, metavar="RULE", help="Exit 1 unless this rule fires; may be repeated.")
@click.option("--send", "send_it", is_flag=True, help="Really send the messages of live rules.")
@format_option
def dry_run(
    body: str,
    rules_path: str,
    rule_name: str | None,
    previous: tuple[str, ...],
    store_url: str | None,
    source_name: str | None,
    at: datetime | None,
    expect: tuple[str, ...],
    send_it: bool,
    format_: Format,
) -> None:
    """Show what a saved webhook body would do: the change, each rule with each clause, the exact requests.

    BODY is a file, or - for stdin. Secrets are masked. Nothing is sent and nothing is stored.
    """
    loaded = load(rules_path, Disk(), missing="error") if send_it else load_offline(rules_path)
    ruleset = loaded.ruleset
    rules = {rule.name for rule in ruleset.rules}
    for name in (rule_name, *expect):
        if name is not None and name not in rules:
            raise click.UsageError(f'no rule "{name}" in {rules_path}{suggestion(name, rules)}')
    if source_name is not None and source_name not in ruleset.sources:
        raise click.UsageError(f'no source "{source_name}" in {rules_path}{suggestion(source_name, ruleset.sources)}')
    source = source_name or next(iter(ruleset.sources))
    now = at or datetime.now(UTC)
    event = _read(body, source, now)
    earlier = [_read(path, source, now) for path in previous]
    result = preview(ruleset, event, earlier, _known(store_url, event))
    if rule_name is not None:
        result = only_rule(result, rule_name)
    if format_ == "json":
        print_json(as_json(result, ruleset))
    else:
        _print(result, ruleset, nothing_known=not earlier and not store_url)
    if send_it:
        _send(result, ruleset)
    fired = {firing.rule for firing in result.plan.firings}
    missing = [name for name in expect if name not in fired]
    if missing:
        click.echo(f"expected to fire, but did not: {', '.join(missing)}", err=True)
        sys.exit(1)


def _read(path: str, source: str, now: datetime) -> Event:
    """Return the event in a file; what is wrong with it is a usage error."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return decode(raw, source, now)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from error
    except Unintelligible as error:
        raise click.UsageError(f"{path}: not a webhook body: {error.why}") from error


def _known(store_url: str | None, event: Event) -> Ledger | None:
    if store_url is None or event.prompt is None:
        return None
    store = Store.open(store_url)
    try:
        return store.whole_ledger(event.prompt)
    finally:
        store.close()


def _print(result: Preview, ruleset: Ruleset, *, nothing_known: bool) -> None:
    event = result.event
    click.secho(f"event {event.id} from {event.source}: {event.type} {event.action or ''}".rstrip(), bold=True)
    if nothing_known and event.action == "updated":
        click.echo("  nothing was known before, so what it holds counts as gained (assumed); see --previous, --store")
    if not result.changes:
        click.echo(f"  {result.status}: {result.reason}")
    setting = Setting(rule="", project_urls={name: s.project_url for name, s in ruleset.sources.items()})
    for change in result.changes:
        kind = " (the losing half)" if change.half else " (quiet)" if change.quiet else ""
        click.echo(f"  change: {summary_of(Told(change, None), setting, 'full').line}{kind}")
    if not result.changes:
        return
    click.echo()
    for verdict in nearest_first(result.plan.verdicts[result.changes[0].id]):
        colour = {"match": "green", "error": "red"}.get(verdict.verdict, "yellow")
        click.secho(f"rule {verdict.rule}: {verdict.verdict}", fg=colour)
        for clause in verdict.clauses:
            for line in clause_lines(clause):
                click.echo(line)
    firings = {firing.id: firing for firing in result.plan.firings}
    for delivery in result.plan.deliveries:
        firing = firings[delivery.firing]
        notes = ["shadow: will not be sent"] if firing.mode == "shadow" else []
        notes += _waits(firing, event.received_at)
        click.echo()
        click.secho(
            f"→ {delivery.destination} ({delivery.type}) by {delivery.rule}, actions[{delivery.position}]"
            + (f" ({'; '.join(notes)})" if notes else "")
        )
        if delivery.message is None:
            click.echo(f"  {delivery.status}: {delivery.reason}")
        else:
            print_request(request(delivery, ruleset))
    if not result.plan.deliveries:
        click.echo("\nnothing would be sent")


def _waits(firing: Firing, now: datetime) -> list[str]:
    """Say how a firing is held back."""
    match firing.hold:
        case None:
            return []
        case Throttle(every=every):
            return [f"at once if it has not fired about this for {span(every)}, else at the end of that time"]
        case Later():
            return [f"not before {when(due_at(firing, now))} UTC, with all that is gathered by then"]


def _send(result: Preview, ruleset: Ruleset) -> None:
    live = {firing.id for firing in result.plan.firings if firing.mode == "live"}
    chosen = [delivery for delivery in result.plan.deliveries if delivery.message and delivery.firing in live]
    for line in asyncio.run(_send_all(chosen, ruleset)):
        click.echo(line)


async def _send_all(deliveries: Sequence[NewDelivery], ruleset: Ruleset) -> list[str]:
    lines = []
    async with Clients() as clients:
        for delivery in deliveries:
            assert delivery.message is not None
            destination = ruleset.destinations[delivery.destination]
            answer = await send(delivery.message, destination, delivery.key, clients, datetime.now(UTC))
            lines.append(f"sent to {delivery.destination}: {answer.outcome}")
    return lines
