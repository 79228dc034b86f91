"""`events replay` and `prompts replay`: telling again what happened, and telling a rule what is."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import reduce
from typing import Any, TypeAlias

import msgspec
import rich_click as click

from router.cli.options import (
    Format,
    confirm,
    format_option,
    load_offline,
    print_json,
    rules_option,
    since_option,
    store_option,
    store_url_of,
)
from router.domain.counted import counted
from router.domain.problem import RouterError
from router.service.outside import Disk
from router.service.replay import Counted, Plans, Telling, carry_out, count, events_again, prompts_told
from router.service.rulebook import load
from router.storage.records import EventFilter, PromptFilter
from router.storage.store import Store

Planner: TypeAlias = Callable[[Store, Telling, datetime], Plans]


def act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command count first, then ask, then act."""
    options = (
        click.option("--force", is_flag=True, help="Also what was made before: once more, under a new key."),
        click.option("--dry-run", is_flag=True, help="Only count."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        store_option,
        rules_option,
        format_option,
    )
    return reduce(lambda decorated, option: option(decorated), reversed(options), command)


@click.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Tell only this rule; may be repeated.")
@click.option("--prompt", metavar="NAME", help="Only events of such prompts; * stands for any characters.")
@click.option("--source", metavar="NAME", help="Only events of this source.")
@click.option("--label", metavar="NAME", help="Only events by which this label was gained or lost.")
@since_option
@act_options
def replay_events(
    ids: tuple[str, ...],
    rules: tuple[str, ...],
    prompt: str | None,
    source: str | None,
    label: str | None,
    since: datetime | None,
    **how: Any,
) -> None:
    """Tell again what events changed, by the rules of the file: those of ID, or all that a filter finds.

    The changes are those that were derived then; what is known does not change. What was made before is left alone.
    """
    wanted = EventFilter(prompt=prompt, source=source, label=label, since=since)
    if bool(ids) == (wanted != EventFilter()):
        raise click.UsageError("give IDs, or a filter such as --prompt or --since, one of them")

    def plans(store: Store, telling: Telling, now: datetime) -> Plans:
        return events_again(store, telling, _numbers(store, ids) if ids else wanted, now)

    how["yes"] |= bool(ids)  # who names events has seen which they are
    _act(plans, rules=frozenset(rules) or None, **how)


@click.command("replay")
@click.option("--rule", required=True, metavar="NAME", help="The rule to tell.")
@click.option("--prompt", metavar="NAME", help="Only such prompts; * stands for any characters.")
@click.option("--source", metavar="NAME", help="Only prompts of this source.")
@click.option("--project", metavar="ID", help="Only prompts of this Langfuse project.")
@click.option("--label", metavar="NAME", help="Only prompts of which a version holds this label.")
@act_options
def replay_prompts(
    rule: str, prompt: str | None, source: str | None, project: str | None, label: str | None, **how: Any
) -> None:
    """Tell a rule the present state of prompts: every version that is left, as if it had just been made as it is.

    It fires where it matches, with the origin `backfill`: to fill a new destination for the first time.
    """
    wanted = PromptFilter(like=prompt, source=source, project_id=project, label=label)
    _act(
        lambda store, telling, now: prompts_told(store, telling, wanted, now),
        rules=frozenset({rule}),
        **how,
    )


def _numbers(store: Store, ids: Collection[str]) -> set[int]:
    found = {id: store.event(id) for id in ids}
    if missing := [id for id, event in found.items() if event is None]:
        raise RouterError(f"no event {', '.join(missing)} in the store")
    return {event.event.seq for event in found.values() if event}


def _act(
    plans: Planner,
    *,
    rules: frozenset[str] | None,
    force: bool,
    dry_run: bool,
    yes: bool,
    store_url: str | None,
    rules_path: str,
    format_: Format,
) -> None:
    # messages are stored as they are rendered, so a placeholder must not get into one
    loaded = load_offline(rules_path) if dry_run else load(rules_path, Disk(), missing="error")
    telling = Telling(ruleset=loaded.ruleset, rules=rules, force=force)
    now = datetime.now(UTC)
    with Store.open(store_url_of(store_url, rules_path)) as store:
        found = count(plans(store, telling, now))
        sent = found.made + found.released
        if format_ == "text":
            _print(found, "would be made" if dry_run or not yes else "to be made")
        if not dry_run:
            confirm(f"make and send {counted(sent, 'delivery')}?", of=sent, yes=yes)
        if sent and not dry_run:
            store.save_ruleset(loaded.ruleset.digest, loaded.ruleset.text).result()
            found = carry_out(store, plans(store, telling, now), now)
            if format_ == "text":
                made, released = counted(found.made, "delivery"), counted(found.released, "captured one")
                click.echo(f"{made} made, {released} let go; the running service sends them{_superseded(found)}")
    if format_ == "json":
        print_json({**msgspec.structs.asdict(found), "made": found.made, "dry_run": dry_run})


def _print(found: Counted, verb: str) -> None:
    changes, deliveries = counted(found.changes, "change"), counted(found.made, "delivery")
    click.secho(f"{changes}: {deliveries} {verb}", bold=True)
    for planned in found.deliveries:
        click.echo(f"  + {planned.count:>5}  {planned.rule} → {planned.to}")
    for number, words in (
        (found.released, "captured before, and sent as is"),
        (found.there, "there already, and left alone (--force makes it once more)"),
        (found.held, "held back, and told by the rule when it is time"),
    ):
        if number:
            click.echo(f"    {number:>5}  {words}")


def _superseded(found: Counted) -> str:
    return f"; cancelled, since there is a newer one: {found.superseded}" if found.superseded else ""
