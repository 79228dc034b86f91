"""`simulate`: plays a realistic Langfuse against any URL."""

import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

import rich_click as click

from router.cli.options import Format, format_option, print_json, progress_bar
from router.cli.play import Player, Sent
from router.delivery.client import Clients
from router.domain.counted import counted
from router.domain.destination import Limits
from router.langfuse.scenarios import SCENARIOS
from router.langfuse.simulator import Step, steps

LIST: Final = "list"
REFUSALS_SHOWN: Final = 5


@click.command()
@click.argument("scenario", type=click.Choice([*SCENARIOS, LIST]), metavar="SCENARIO")
@click.option("--url", metavar="URL", help="The webhook's URL, e.g. http://127.0.0.1:8787/webhooks/prod.")
@click.option(
    "--secret",
    metavar="SECRET",
    envvar="LANGFUSE_WEBHOOK_SECRET",
    help="What to sign with; default: $LANGFUSE_WEBHOOK_SECRET.",
)
@click.option("--shuffle", is_flag=True, help="What is sent together arrives in any order.")
@click.option("--duplicates", is_flag=True, help="Two automations with the same URL, and some webhooks sent twice.")
@click.option(
    "--prompts",
    metavar="N",
    type=click.IntRange(1, 100_000),
    help="How many prompts, where a scenario takes any number.",
)
@click.option(
    "--rate", metavar="R", type=click.FloatRange(min=0, min_open=True), help="At most so many webhooks a second."
)
@format_option
def simulate(
    scenario: str,
    url: str | None,
    secret: str | None,
    shuffle: bool,
    duplicates: bool,
    prompts: int | None,
    rate: float | None,
    format_: Format,
) -> None:
    """Play SCENARIO as Langfuse would: its bodies, signatures, concurrency, order and retries.

    `simulate list` tells which scenarios there are. Each run is a new project. Exit status 1 if a webhook was refused
    to the end; after five of them in a row Langfuse switches the automation off, and so nothing more is sent.
    """
    if scenario == LIST:
        for one in SCENARIOS.values():
            click.echo(f"{one.name:<13} {one.summary}")
        return
    if not url or not secret:
        raise click.UsageError(f"say --{'secret' if url else 'url'}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"--url: {url} is no http or https URL")
    chosen = SCENARIOS[scenario]
    if prompts and chosen.prompts is None:
        raise click.UsageError(f"--prompts: {scenario} has its own")
    seed = secrets.token_hex(8)

    def story() -> Iterator[Step]:
        return steps(
            chosen,
            seed=seed,
            now=lambda: datetime.now(UTC),
            prompts=prompts,
            shuffle=shuffle,
            duplicates=duplicates,
        )

    # the same seed plays the same story: once to count it, once to send it
    total = sum(len(step.webhooks) for step in story())
    report = asyncio.run(_play(story(), total, url, secret, rate))
    if format_ == "json":
        print_json(report.as_json(scenario))
    else:
        for line in report.lines(scenario):
            click.echo(line)
    sys.exit(1 if report.refused or report.unsent else 0)


async def _play(story: Iterator[Step], total: int, url: str, secret: str, rate: float | None) -> "Report":
    report = Report(total)
    with progress_bar() as bar:
        task = bar.add_task("", total=total)

        def sent(one: Sent) -> None:
            report.sent.append(one)
            bar.advance(task)

        began = asyncio.get_running_loop().time()
        async with Clients() as clients:
            player = Player(await clients.of(Limits(allow_private=True)), url, secret, rate=rate, sent=sent)
            await player.play(story, lambda step: bar.update(task, description=step.title))
        report.seconds = asyncio.get_running_loop().time() - began
        report.switched_off = player.switched_off
    return report


class Report:
    """What was sent, and how it was answered."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.sent: list[Sent] = []
        self.seconds = 0.0
        self.switched_off = False

    @property
    def refused(self) -> list[Sent]:
        return [one for one in self.sent if not one.accepted]

    @property
    def unsent(self) -> int:
        return self.total - len(self.sent)

    @property
    def answers(self) -> Counter[str]:
        return Counter(f"{one.status} {one.said}".rstrip() if one.accepted else "refused" for one in self.sent)

    def latencies(self) -> dict[str, float]:
        """Return milliseconds from the last attempt's beginning to its answer."""
        times = sorted(one.seconds * 1000 for one in self.sent if one.status is not None)
        if len(times) < 2:
            return dict.fromkeys(("p50", "p95", "p99", "max"), round(times[0], 1)) if times else {}
        cuts = quantiles(times, n=100, method="inclusive")
        found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": times[-1]}
        return {name: round(value, 1) for name, value in found.items()}

    def lines(self, scenario: str) -> Iterator[str]:
        retried = sum(one.attempts > 1 for one in self.sent)
        webhooks = counted(len(self.sent), "webhook")
        yield f"{scenario}: {webhooks} sent in {self.seconds:.1f} s ({self._rate():.0f} a second)"
        for answer, count in self.answers.most_common():
            yield f"  {count:>6}  {answer}"
        if retried:
            yield f"  {retried:>6}  needed more than one attempt"
        if latencies := self.latencies():
            yield "  answered within " + ", ".join(f"{name} {value:g} ms" for name, value in latencies.items())
        for one in self.refused[:REFUSALS_SHOWN]:
            yield f"  refused: {one.webhook.id}: {_reason(one)}"
        if len(self.refused) > REFUSALS_SHOWN:
            yield f"  … and {len(self.refused) - REFUSALS_SHOWN} more"
        if self.switched_off:
            yield (
                "  five executions in a row failed: Langfuse would switch the automation off now, "
                f"so it did not get {counted(self.unsent, 'more webhook')}"
            )

    def as_json(self, scenario: str) -> dict[str, object]:
        return {
            "scenario": scenario,
            "webhooks": self.total,
            "sent": len(self.sent),
            "unsent": self.unsent,
            "answers": dict(self.answers),
            "attempts": sum(one.attempts for one in self.sent),
            "seconds": round(self.seconds, 3),
            "latency_ms": self.latencies(),
            "refused": [{"id": one.webhook.id, "reason": _reason(one)} for one in self.refused],
            "switched_off": self.switched_off,
        }

    def _rate(self) -> float:
        return len(self.sent) / self.seconds if self.seconds else 0.0


def _reason(one: Sent) -> str:
    return f"HTTP {one.status} {one.said}".rstrip() if one.status else one.said
