"""`db`: the store's schema."""

import rich_click as click

from router.cli.options import rules_option, store_option
from router.service.outside import Disk
from router.service.rulebook import load
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
