"""`doctor`: is everything as the service needs it?"""

import sys
from collections import Counter

import rich_click as click

from router.cli.options import Format, format_option, print_json, rules_option, store_option
from router.domain.counted import counted
from router.domain.json import JsonObject
from router.service.doctor import Finding, examine
from router.service.logging import configure
from router.service.outside import Disk

_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@click.command()
@rules_option
@store_option
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(0.1, 600),
    default=10,
    show_default=True,
    help="Seconds for all of it.",
)
@format_option
def doctor(rules_path: str, store_url: str | None, seconds: float, format_: Format) -> None:
    """Look whether everything is as the service needs it; sends no message.

    Variables, the store, the way to every destination, Langfuse and its API, clocks, the running service, and what
    `check` warns of. Exit status 1 if there is a fault.
    """
    configure()
    found = examine(rules_path, store_url, Disk(), seconds)
    if format_ == "json":
        print_json({"findings": list(map(_as_json, found))})
    else:
        for finding in found:
            click.secho(str(finding), fg=_COLOURS[finding.level])
        levels = Counter(finding.level for finding in found)
        faults, warnings = counted(levels["fault"], "fault"), counted(levels["warning"], "warning")
        click.echo(f"{faults}, {warnings}, {levels['ok']} fine", err=True)
    sys.exit(1 if any(finding.level == "fault" for finding in found) else 0)


def _as_json(finding: Finding) -> JsonObject:
    place = None if finding.place is None else str(finding.place)
    return {
        "level": finding.level,
        "where": finding.where,
        "place": place,
        "what": finding.what,
        "fix": finding.fix,
    }
