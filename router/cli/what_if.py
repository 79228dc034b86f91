"""`what-if`: other rules over what happened."""

import difflib
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
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
from router.cli.words import when
from router.domain.counted import counted
from router.domain.json import Json
from router.service.whatif import Difference, Kind, Sent, as_json, headline, outcome
from router.storage.changes import ChangeFilter

_MARKS: Final[dict[Kind, tuple[str, str]]] = {"come": ("+", "green"), "go": ("−", "red"), "differ": ("~", "yellow")}


@click.command("what-if")
@click.argument("new_rules", metavar="NEW")
@rules_option
@store_option
@since_option
@click.option("--prompt", metavar="NAME", help="Only changes of this prompt.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Most differences to show.")
@format_option
def what_if(
    new_rules: str,
    rules_path: str,
    store_url: str | None,
    since: datetime | None,
    prompt: str | None,
    limit: int,
    format_: Format,
) -> None:
    """Compare the rules in NEW with those in force over the stored changes: what would come, go or differ.

    Counts first, then the differences; of the last 7 days, if nothing else is said. Nothing is sent or written.
    """
    old, new = load_offline(rules_path).ruleset, load_offline(new_rules).ruleset
    wanted = ChangeFilter(prompt=prompt, since=since or datetime.now(UTC) - timedelta(days=7))
    with open_store(store_url, rules_path) as store:
        found = outcome(old, new, store.changes_matching(wanted), keep=limit)
    if format_ == "json":
        print_json(as_json(found))
        return
    counts = found.counts
    come = counted(counts["come"], "delivery")
    click.secho(f"{counted(found.changes, 'change')} since {when(wanted.since)}", bold=True)
    click.echo(f"  {come} would come, {counts['go']} go, {counts['differ']} differ; the same: {counts['same']}")
    for (rule, kind), count in sorted(found.by_rule.items()):
        click.echo(f"  {_MARKS[kind][0]} {count:>5}  {rule}")
    for difference in found.kept:
        _print(difference)
    left = sum(counts.values()) - counts["same"] - len(found.kept)
    if left:
        click.echo(f"… and {left} more: give a higher --limit", err=True)


def _print(difference: Difference) -> None:
    mark, colour = _MARKS[difference.kind]
    one = difference.one
    click.secho(f"\n{mark} {one.rule} → {one.to}", fg=colour)
    click.echo(f"  {when(difference.change.event.received_at)}  {headline(difference.change)}")
    if difference.before is not None and difference.after is not None:
        lines = difflib.unified_diff(_lines(difference.before), _lines(difference.after), lineterm="", n=1)
        for line in list(lines)[2:]:
            click.secho(f"    {line}", fg={"+": "green", "-": "red"}.get(line[:1]))
    elif one.request is None:
        click.echo(f"  {one.status}: {one.reason}")


def _lines(sent: Sent) -> list[str]:
    shown: Json = sent.request if sent.request is not None else f"{sent.status}: {sent.reason}"
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode().splitlines()
