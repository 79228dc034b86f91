"""What several commands take and print."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
import rich_click as click

from router.engine.rulesfile.kinds import DURATION, Unfit
from router.service.outside import Disk
from router.service.rulebook import Loaded, load
from router.storage.records import Page
from router.storage.store import Store

if TYPE_CHECKING:
    from rich.progress import Progress

Record = TypeVar("Record")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

rules_option = click.option(
    "--rules", "rules_path", default="rules.toml", show_default=True, metavar="FILE", help="The rules file."
)
format_option = click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)
store_option = click.option(
    "--store", "store_url", metavar="URL", help="The store, e.g. sqlite:///router.db; default: that of the rules file."
)

limit_option = click.option(
    "--limit", metavar="N", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many."
)
cursor_option = click.option("--cursor", metavar="CURSOR", help="Go on where the last page ended.")

Format = Literal["text", "json"]


def choice_option(name: str, choices: Sequence[str], what: str) -> Callable[[Decorated], Decorated]:
    """Return an option with its choices in the help text, where long lists are broken between words."""
    metavar = name.removeprefix("--").upper()
    return click.option(name, type=click.Choice(choices), metavar=metavar, help=f"{what}: {', '.join(choices)}.")


class Moment(click.ParamType[datetime]):
    """A time of ISO 8601, in UTC if it does not say."""

    name = "time"
    wanted = "a time such as 2026-11-23T10:00"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected {self.wanted}, got {value!r}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Since(Moment):
    """A moment, or how long ago that was (`2h`)."""

    name = "since"
    wanted = 'a duration such as "2h", or a time such as 2026-11-23T10:00'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            ago: timedelta = DURATION.read(value)  # type: ignore[assignment]  # what a duration's kind reads
        except Unfit:
            return super().convert(value, param, ctx)
        return datetime.now(UTC) - ago


since_option = click.option("--since", type=Since(), metavar="WHEN", help="Only what came since: 2h, or a time.")


def load_offline(path: str) -> Loaded:
    """Load rules for a command that sends nothing: missing variables become marked placeholders."""
    return load(path, Disk(), missing="placeholder")


def store_url_of(store_url: str | None, rules_path: str) -> str:
    """Return the store's URL: that of the option, else that of the rules file. Raises RulesError."""
    return store_url or load_offline(rules_path).file.store.url.reveal()


def open_store(store_url: str | None, rules_path: str) -> Store:
    """Open the store that the option or the rules file names. Raises RouterError."""
    return Store.open(store_url_of(store_url, rules_path))


def progress_bar() -> "Progress":
    """Return a bar for long work, shown where there is a terminal."""
    # late: most commands have none
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def print_json(value: Any) -> None:
    # as bytes: JSON is UTF-8, whatever the terminal's encoding
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def confirm(question: str, *, of: int, yes: bool) -> None:
    """Ask before acting on `of` things that a filter found. Raises Abort.

    Scripts say `--yes`: without a terminal that is required, also where nothing was found, so that whether a script is
    right does not depend on what is in the store.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on; say --yes")
    try:
        agreed = not of or click.confirm(question, err=True)
    except click.Abort:  # Ctrl-C is an answer here
        agreed = False
    if not agreed:
        raise click.Abort


def print_page(page: Page[Record], line: Callable[[Record], str], nothing: str) -> None:
    """Print a page as lines; `nothing` where it is empty."""
    for item in page.items:
        click.echo(line(item))
    if not page.items:
        click.echo(nothing)
    if page.next_cursor:
        click.echo(f"more: --cursor {page.next_cursor}", err=True)
