"""The same by adnanh/webhook, which checks a signature and runs a command for each webhook. It keeps nothing.

python -m tests.benchmarks.peers.webhook [--requests 3000] [--rounds 5]
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.latency import at_rest
from tests.benchmarks.peers.installed import HERE, program
from tests.benchmarks.processes import SECRET, Server, free_port, router, rules, running
from tests.benchmarks.table import Row, paired, run

COMMAND = "python -m tests.benchmarks.peers.webhook"


@contextmanager
def webhook(folder: Path, command: str, sink: str) -> Iterator[str]:
    """Run that command, with arguments of curl, for every webhook to the URL given. Raises NotInstalled."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    options = ("-ip", "127.0.0.1", "-port", port, "-urlprefix", "webhooks", "-hooks", str(HERE / "hooks.json"))
    env = {"COMMAND": command, "SINK": sink, "SECRET": SECRET}
    with running(program("webhook", "webhook"), "-template", *options, url=url, log=folder / "webhook.log", env=env):
        yield url


def rows(requests: int, rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder, nowhere = Path(name), "http://127.0.0.1:9"
        with (
            webhook(folder, program("true", "coreutils"), nowhere) as peer_url,
            router(folder / "router", rules(nowhere, "1h")) as (url, _),
        ):
            us, peer = Server(url, requests=requests), Server(peer_url, requests=requests, signature="plain")
            us.load()  # the first round warms up
            ours, other, ratio = paired(us.load, peer.load, rounds)
    yield Row(
        work="intake, stored; against running `true` for each",
        ours=f"{ours:.0f}/s, p99 {us.p99:.0f} ms",
        other=f"webhook {other:.0f}/s, p99 {peer.p99:.0f} ms",
        ratio=ratio,
        command=COMMAND,
    )
    with (
        at_rest() as (folder, stopwatch, our_times),
        webhook(folder, program("curl", "curl"), stopwatch.url) as peer_url,
    ):
        ours, other, ratio = paired(our_times, stopwatch.times(peer_url, "plain"), rounds)
    yield Row(
        work="webhook to sink at rest, median; against running `curl`",
        ours=f"{ours:.1f} ms",
        other=f"webhook {other:.1f} ms",
        ratio=ratio,
        command=COMMAND,
    )


if __name__ == "__main__":
    run(__doc__, rows, requests=3_000, rounds=5)
