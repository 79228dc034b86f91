"""`db`: the store's schema."""

import rich_click as click

from router.cli.options import progress_bar, rules_option, store_option
from router.domain.counted import counted
from router.service.outside import Disk
from router.service.rulebook import load
from router.storage.copy import copy_store
from router.storage.database import shown_url
from router.storage.store import Store


@click.group()
def db() -> None:
    """Look after the store."""


@db.command()
@store_option
@rules_option
def upgrade(store_url: str | None, rules_path: str) -> None:
    """Bring the store's schema to this program's version."""
    url = store_url or load(rules_path, Disk(), missing="placeholder").file.store.url.reveal()
    with Store.open(url, migrate=True) as store:
        click.echo(f"the store is at schema {store.schema_version()}")


@db.command()
@click.option("--from", "source", required=True, metavar="URL", help="The store to read.")
@click.option("--to", "target", required=True, metavar="URL", help="An empty database; its schema is made.")
def copy(source: str, target: str) -> None:
    """Copy a whole store to another database: SQLite to PostgreSQL, or back. Stop the service first."""
    with progress_bar() as bar:
        task = bar.add_task("rows", total=None)
        copied = copy_store(source, target, lambda done, total: bar.update(task, completed=done, total=total))
    width = max(len(name) for name in copied)
    for name, count in copied.items():
        click.echo(f"{name:{width}} {count:>12,}")
    click.echo(f"{shown_url(target)}: {counted(sum(copied.values()), 'row')}, counted on both sides")
