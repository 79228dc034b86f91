"""`prompts`: what is known of them, and how it came to be so."""

import rich_click as click

from router.cli.options import (
    Format,
    cursor_option,
    format_option,
    limit_option,
    open_store,
    print_json,
    print_page,
    rules_option,
    store_option,
)
from router.cli.replay import replay_prompts
from router.cli.words import facts_line, when
from router.domain.counted import counted
from router.domain.ledger import Ledger, VersionFact
from router.domain.problem import RouterError
from router.engine.ledger import labels_held, tags_now
from router.service.prompts import compared, prompt_history, prompt_view, versions_of
from router.storage.records import ChangeRecord, Holding, PromptDetail, PromptFilter
from router.storage.store import Store

MOST_VERSIONS_SHOWN = 20

source_option = click.option("--source", metavar="NAME", help="Only prompts of this source.")
project_option = click.option("--project", metavar="ID", help="Only prompts of this Langfuse project.")


@click.group()
def prompts() -> None:
    """Look at prompts: who holds which label now and before, since when, by whom."""


@prompts.command("list")
@store_option
@rules_option
@source_option
@project_option
@click.option("--folder", metavar="NAME", help="Only prompts below this folder.")
@limit_option
@cursor_option
@format_option
def list_(
    store_url: str | None,
    rules_path: str,
    source: str | None,
    project: str | None,
    folder: str | None,
    limit: int,
    cursor: str | None,
    format_: Format,
) -> None:
    """List prompts by name, with the versions that hold their labels."""
    wanted = PromptFilter(source=source, project_id=project, folder=folder)
    with open_store(store_url, rules_path) as store:
        page = store.prompts(wanted, limit=limit, cursor=cursor)
    if format_ == "json":
        print_json({"items": [prompt_view(ledger) for ledger in page.items], "next_cursor": page.next_cursor})
    else:
        print_page(page, _line, "no prompts")


def _line(ledger: Ledger) -> str:
    labels = ", ".join(f"{label} v{version.number}" for label, version in sorted(labels_held(ledger).items()))
    tags = f"  [{' '.join(sorted(known))}]" if (known := tags_now(ledger)) else ""
    deleted = all(version.buried for version in ledger.versions.values())
    said = labels or ("deleted" if deleted else "no labels")
    return f"{when(prompt_view(ledger).seen_at)}  {ledger.prompt.source:<10} {ledger.prompt.name}  {said}{tags}"


@prompts.command()
@click.argument("name")
@store_option
@rules_option
@source_option
@project_option
@click.option("--diff", "pair", type=int, nargs=2, metavar="A B", help="Show how version B differs from version A.")
@limit_option
@format_option
def show(
    name: str,
    store_url: str | None,
    rules_path: str,
    source: str | None,
    project: str | None,
    pair: tuple[int, int] | None,
    limit: int,
    format_: Format,
) -> None:
    """Show one prompt: who holds which label and who did before, its versions, and what changed when."""
    with open_store(store_url, rules_path) as store:
        found = _find(store, PromptFilter(source=source, project_id=project, name=name), limit)
    if pair is not None:
        _show_diff(found.ledger, *pair, format_)
    elif format_ == "json":
        print_json(prompt_history(found))
    else:
        _show(found)


def _find(store: Store, wanted: PromptFilter, limit: int) -> PromptDetail:
    """Return the one prompt that is meant. Raises RouterError if there is none, or several."""
    page = store.prompts(wanted, limit=10)
    if not page.items:
        raise RouterError(f"no prompt {wanted.name} in the store")
    if len(page.items) > 1:
        places = ", ".join(
            f"--source {ledger.prompt.source} --project {ledger.prompt.project_id}" for ledger in page.items
        )
        raise RouterError(f"there are several prompts {wanted.name}: say which, {places}")
    found = store.prompt(page.items[0].prompt, limit=limit)
    assert found is not None, "prompts are never removed"
    return found


prompts.add_command(replay_prompts)


# ---- text


def _show(found: PromptDetail) -> None:
    ledger = found.ledger
    click.secho(f"{ledger.prompt.name}  (source {ledger.prompt.source}, project {ledger.prompt.project_id})", bold=True)
    if tags := tags_now(ledger):
        click.echo(f"tags  {' '.join(sorted(tags))}")
    click.secho("labels", bold=True)
    shown = ""
    for holding in found.holdings:
        label = holding.label if holding.label != shown else ""
        if label and not holding.now:
            click.echo(f"  {label:<14} held by no version")
            label = ""
        shown = holding.label
        click.echo(f"  {label:<14} {_holding_line(holding)}")
    click.secho("versions", bold=True)
    versions = versions_of(ledger)
    for version in versions[:MOST_VERSIONS_SHOWN]:
        click.echo(f"  v{version.number:<4} {_version_line(ledger, version)}")
    if len(versions) > MOST_VERSIONS_SHOWN:
        click.echo(f"  … and {counted(len(versions) - MOST_VERSIONS_SHOWN, 'older one')}")
    click.secho("what changed", bold=True)
    for change in found.changes:
        click.echo(f"  {when(change.happened_at)}  {facts_line(change)}{_by(change)}")
    if not found.changes:
        click.echo("  nothing that the router saw")
    if found.more:
        click.echo("more: give a higher --limit", err=True)


def _holding_line(holding: Holding) -> str:
    by = f" by {holding.by}" if holding.by else ""
    assumed = ", assumed: first seen then" if holding.assumed else ""
    if holding.now:
        since = f"since {when(holding.since)}" if holding.since else "since before the router saw it"
        return f"v{holding.version}  {since}{by}{assumed}"
    began = when(holding.since) if holding.since else "before the router saw it"
    ended = when(holding.until) if holding.until else "not known when"
    return f"v{holding.version}  {began} – {ended}{by}{assumed}"


def _version_line(ledger: Ledger, version: VersionFact) -> str:
    content = ledger.contents.get(version.id)
    made = content.created_at if content else None
    message = " ".join(((content.commit_message if content else None) or "").split())
    parts = [
        f"created {when(made)}" if made else f"seen {when(version.as_of.updated_at)}",
        "deleted" if version.buried else "",
        f"“{message}”" if message else "",
    ]
    return "  ".join(filter(None, parts))


def _by(change: ChangeRecord) -> str:
    return f"  ({change.author})" if change.author else ""


# ---- two versions


def _show_diff(ledger: Ledger, old: int, new: int, format_: Format) -> None:
    found = compared(ledger, old, new)
    if format_ == "json":
        print_json(found)
        return
    click.secho(f"{ledger.prompt.name} v{old} → v{new}", bold=True)
    for word, names in (("new variables", found.variables_gained), ("variables gone", found.variables_lost)):
        if names:
            click.echo(f"{word}: {', '.join(names)}")
    for title, diff, added, removed in (
        ("text", found.diff, found.added, found.removed),
        ("config", found.config_diff, found.config_added, found.config_removed),
    ):
        click.echo(f"{title}: +{added} −{removed} lines" if diff else f"{title}: the same")
        for line in diff.split("\n") if diff else ():
            click.secho(f"  {line}", fg={"+": "green", "-": "red"}.get(line[:1]))
