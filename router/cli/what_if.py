"""`what-if`: other rules over what happened."""

import difflib
from collections import Counter
from datetime import UTC, datetime, timedelta

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
from router.domain.change import Change
from router.domain.json import Json
from router.engine.context import Setting, Told
from router.engine.summary import summary_of
from router.service.whatif import Difference, Sent, compare
from router.storage.changes import ChangeFilter

_MARKS = {"come": ("+", "green"), "go": ("−", "red"), "differ": ("~", "yellow")}


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
    counts: Counter[str] = Counter()
    by_rule: Counter[tuple[str, str]] = Counter()
    kept: list[Difference] = []
    changes = 0
    with open_store(store_url, rules_path) as store:
        for _, differences in compare(old, new, store.changes_matching(wanted)):
            changes += 1
            for difference in differences:
                counts[difference.kind] += 1
                if difference.kind != "same":
                    by_rule[difference.one.rule, difference.kind] += 1
                    if len(kept) < limit:
                        kept.append(difference)
    if format_ == "json":
        print_json(
            {
                "changes": changes,
                **{kind: counts[kind] for kind in ("come", "go", "differ", "same")},
                "differences": list(map(_as_json, kept)),
            }
        )
        return
    click.secho(f"{changes} changes since {when(wanted.since)}", bold=True)
    click.echo(f"  {counts['come']} deliveries would come, {counts['go']} go, {counts['differ']} differ; ", nl=False)
    click.echo(f"{counts['same']} stay as they are")
    for (rule, kind), count in sorted(by_rule.items()):
        click.echo(f"  {_MARKS[kind][0]} {count:>5}  {rule}")
    for difference in kept:
        _print(difference)
    left = sum(counts[kind] for kind in _MARKS) - len(kept)
    if left:
        click.echo(f"… and {left} more: give a higher --limit", err=True)


def _print(difference: Difference) -> None:
    mark, colour = _MARKS[difference.kind]
    one = difference.one
    click.secho(f"\n{mark} {one.rule} → {one.to}", fg=colour)
    click.echo(f"  {when(difference.change.event.received_at)}  {_headline(difference.change)}")
    if difference.before is not None and difference.after is not None:
        lines = difflib.unified_diff(_lines(difference.before), _lines(difference.after), lineterm="", n=1)
        for line in list(lines)[2:]:
            click.secho(f"    {line}", fg={"+": "green", "-": "red"}.get(line[:1]))
    elif one.request is None:
        click.echo(f"  {one.status}: {one.reason}")


def _headline(change: Change) -> str:
    return summary_of(Told(change, None), Setting(rule=""), "none").line


def _lines(sent: Sent) -> list[str]:
    shown: Json = sent.request if sent.request is not None else f"{sent.status}: {sent.reason}"
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode().splitlines()


def _as_json(difference: Difference) -> dict[str, object]:
    change = difference.change
    return {
        "kind": difference.kind,
        "rule": difference.one.rule,
        "to": difference.one.to,
        "change": change.id,
        "event": change.event.id,
        "prompt": change.prompt and change.prompt.name,
        "what": _headline(change),
        "before": difference.before,
        "after": difference.after,
    }
