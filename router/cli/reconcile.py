"""`reconcile`: look now at what Langfuse's API shows, and catch up on what no webhook told."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator

import rich_click as click
from rich.console import Console
from rich.progress import Progress as Bar

from router.cli.ask import ask_service
from router.cli.options import Format, format_option, load_offline, print_json, rules_option, store_option, store_url_of
from router.domain.counted import counted
from router.domain.json import Json
from router.service.baseline import Progress
from router.service.control import NobodyThere, Question


@click.command()
@rules_option
@store_option
@click.option("--source", metavar="NAME", help="Look at this source only; default: every source that has an API.")
@format_option
def reconcile(rules_path: str, store_url: str | None, source: str | None, format_: Format) -> None:
    """Compare what is known with what Langfuse's API shows, now.

    The running service is asked to do it; where none runs, the command does it itself, and what it finds is routed
    when the service starts. What differs is told only when it was seen by two looks a minute apart.
    """
    with _bar() as progress:
        try:
            result = ask_service(Question(command="reconcile", source=source), rules_path, store_url, progress)
            served = True
        except NobodyThere:
            url = store_url_of(store_url, rules_path)
            result, served = asyncio.run(_look(rules_path, url, source, progress)), False
    if format_ == "json":
        print_json(result)
        return
    for look in result if isinstance(result, list) else ():
        assert isinstance(look, dict)
        _print(look, served=served)


async def _look(rules_path: str, url: str, name: str | None, progress: Progress) -> Json:
    # late: most of the time the service is asked
    from router.delivery.client import Clients
    from router.service.baseline import Baseline
    from router.service.public_api import PublicApis
    from router.service.reconcile import Reconciler, as_json, chosen, tell_missed
    from router.service.troubles import Troubles
    from router.storage.store import Store

    sources = load_offline(rules_path).ruleset.sources
    with Store.open(url) as store:
        async with Clients() as clients:
            apis = PublicApis(clients)
            troubles = Troubles(store, lambda: None)
            reconciler = Reconciler(
                store,
                Baseline(store, apis.of, lambda: None),
                apis.of,
                lambda look: tell_missed(look, troubles),
                lambda: None,
            )
            looks = [await reconciler.look(source, progress) for source in chosen(sources, name)]
            await troubles.close()
    return [as_json(look) for look in looks]


def _print(look: dict[str, Json], *, served: bool) -> None:
    imported = f", {look['imported']} of them imported" if look["imported"] else ""
    prompts, versions = counted(int(str(look["prompts"])), "prompt"), counted(int(str(look["read"])), "version")
    click.echo(f"{look['source']}: {prompts}{imported}, {versions} read")
    missed = look["missed"]
    for change in missed if isinstance(missed, list) else ():
        assert isinstance(change, dict)
        click.echo(f"  missed: {change['what']}")
    if look["waiting"]:
        again = "the service looks again in a minute" if served else "look again in a minute"
        differ = counted(int(str(look["waiting"])), "version")
        click.echo(f"  left to their webhooks for now, though they differ: {differ}; {again}")
    if not missed and not look["waiting"]:
        click.echo("  nothing was missed")
    elif missed and not served:
        click.echo("  told when the service runs")


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    """Show a progress bar where a terminal is, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading prompts")
        yield lambda done, of: bar.update(task, completed=done, total=of)
