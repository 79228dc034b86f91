"""`explain`: why was I (not) told?"""

from datetime import datetime

import rich_click as click

from router.cli.options import (
    Format,
    format_option,
    load_offline,
    open_store,
    print_json,
    rules_option,
    since_option,
    store_option,
)
from router.cli.words import clause_lines, facts_line, wait_words, when, why
from router.domain.routing import RuleVerdict
from router.service.explain import ChangeStory, EventStory
from router.service.explain import explain as explained


@click.command()
@click.argument("prompt")
@rules_option
@store_option
@since_option
@click.option("--limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="Most events to show.")
@format_option
def explain(
    prompt: str, rules_path: str, store_url: str | None, since: datetime | None, limit: int, format_: Format
) -> None:
    """Say why somebody was told about PROMPT, or was not: its last events, what the rules said, what was sent.

    Every rule in force is asked again, so that the nearest misses show what was missing.
    """
    ruleset = load_offline(rules_path).ruleset
    with open_store(store_url, rules_path) as store:
        found = explained(store, ruleset, prompt, since, limit)
    if format_ == "json":
        print_json(found)
        return
    for story in found.events:
        _print_event(story)
    if not found.events:
        click.echo(f"{prompt}: nothing to explain")
    for hint in found.hints:
        click.echo(f"  {hint}")


def _print_event(story: EventStory) -> None:
    event = story.event
    reason = f" ({event.reason})" if event.reason else ""
    click.secho(
        f"{when(event.received_at)}  {event.action or event.type}, {event.status}{reason}  {event.id}", bold=True
    )
    if event.status == "waiting":
        click.echo("  waits for its batch to settle, or for the other half of a move")
    if story.other_rules:
        click.echo("  routed by rules that have changed since; below is what the rules in force say")
    for change in story.changes:
        _print_change(change)
    for held in story.held:
        due = f"until {when(held.due_at)}" if held.due_at else "until a rule of that name is in force again"
        click.echo(f"  held back by {held.rule} {due}")
    for delivery in story.deliveries:
        state = wait_words(delivery.wait) if delivery.wait else delivery.reason
        mode = " (shadow)" if delivery.mode == "shadow" else ""
        click.echo(f"  → {delivery.destination} by {delivery.rule}{mode}: {delivery.status}  {delivery.key}")
        if state and delivery.status != "delivered":
            click.echo(f"      {state}")


def _print_change(story: ChangeStory) -> None:
    change = story.change
    click.echo(f"  {facts_line(change)}")
    if change.facts.half and not story.matched:
        click.echo("    the losing half of a move: told with the version that gained the label")
        return
    for verdict in story.matched:
        if verdict.verdict == "error":
            click.secho(f"    ! {verdict.rule} could not be decided", fg="red")
            _print_missing(verdict)
        else:
            said = why(verdict)
            click.secho(f"    ✓ {verdict.rule}{f': {said}' if said else ''}", fg="green")
    for verdict in story.missed if not story.matched else story.missed[:1]:
        click.secho(f"    ✗ {verdict.rule}", fg="yellow")
        _print_missing(verdict)


def _print_missing(verdict: RuleVerdict) -> None:
    for clause in verdict.clauses:
        if clause.verdict != "yes":
            for line in clause_lines(clause, indent="        "):
                click.echo(line)
