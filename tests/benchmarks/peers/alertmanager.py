"""Deliveries with 10,000 rules, against Alertmanager with 10,000 routes: from what is sent in to its arrival at a sink.

python -m tests.benchmarks.peers.alertmanager [--events 1500] [--rounds 5]

Rules and routes say the same: {action, exact name or glob, label gained}. All are tried, one matches; every event and
every alert makes one message. Alertmanager keeps what waits in memory; ours is committed, three times on its way.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec

from tests.benchmarks.drain import arrived
from tests.benchmarks.load import BODY_BYTES
from tests.benchmarks.peers.installed import program
from tests.benchmarks.processes import free_port, module, router, rules, running, send_load
from tests.benchmarks.table import Row, paired, run

COMMAND = "python -m tests.benchmarks.peers.alertmanager"
RULES = 10_000
"""Every second one has the exact name of a prompt."""

BATCH = 100
"""Alerts in one request."""

ROUTES = """
route:
  receiver: nobody
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1h
  repeat_interval: 24h
  routes:
"""
RECEIVERS = """
receivers:
- name: nobody
- name: sink
  webhook_configs: [{ url: SINK, send_resolved: false }]
"""


def name(number: int) -> str:
    """Return the name of a prompt as the load has it."""
    return f"team-{number % 7}/prompt-{number}"


def our_rules() -> str:
    return "".join(
        f'[[rules]]\nname = "rule-{n}"\nactions = [{{ to = "sink" }}]\n'
        'match = { action = ["created", "updated"], '
        + (
            f'prompt = "folder-{n}/**", labels_gained = "staging" }}\n'
            if n % 2
            else f'prompt = "{name(n // 2)}", labels_gained = "production" }}\n'
        )
        for n in range(RULES)
    )


def their_routes() -> str:
    return "".join(
        "  - receiver: sink\n    continue: true\n    matchers: ['action=~\"created|updated\"', "
        + (
            f"'prompt=~\"folder-{n}/.*\"', 'labels_gained=\"staging\"']\n"
            if n % 2
            else f"'prompt=\"{name(n // 2)}\"', 'labels_gained=\"production\"']\n"
        )
        for n in range(RULES)
    )


@contextmanager
def alertmanager(folder: Path, sink: str) -> Iterator[str]:
    """Run it with all routes; give its URL. Raises NotInstalled."""
    url = f"http://127.0.0.1:{free_port()}"
    config = folder / "alertmanager.yml"
    config.write_text(ROUTES + their_routes() + RECEIVERS.replace("SINK", sink))
    command = (
        program("prometheus-alertmanager", "prometheus-alertmanager"),
        *(f"--config.file={config}", f"--storage.path={folder}", f"--web.listen-address={url[7:]}"),
        *("--cluster.listen-address=", "--log.level=warn"),
    )
    with running(*command, url=url, log=folder / "alertmanager.log"):
        yield url


def send_alerts(url: str, count: int) -> None:
    """Send alerts about as large as our webhooks; each is a group of its own."""
    alerts = [
        {
            "labels": {"action": "created", "prompt": name(n), "labels_gained": "production", "id": str(uuid4())},
            "annotations": {"prompt": "x" * (BODY_BYTES - 200)},
        }
        for n in range(count)
    ]
    with httpx.Client(timeout=60) as client:
        for first in range(0, count, BATCH):
            body = msgspec.json.encode(alerts[first : first + BATCH])
            answer = client.post(f"{url}/api/v2/alerts", content=body, headers={"content-type": "application/json"})
            answer.raise_for_status()


def rows(events: int, rounds: int) -> Iterator[Row]:
    assert events <= RULES // 2
    with tempfile.TemporaryDirectory() as temporary, module("sink", Path(temporary)) as sink:
        folder = Path(temporary)
        with (
            alertmanager(folder, sink) as peer_url,
            router(folder / "router", rules(sink, "0s", our_rules())) as (url, _),
        ):

            def ours() -> float:
                httpx.delete(sink)
                send_load(f"{url}/webhooks/prod", requests=events, prompts=events)
                return arrived(sink, events)

            def theirs() -> float:
                httpx.delete(sink)
                send_alerts(peer_url, events)
                return arrived(sink, events)

            rate, other, ratio = paired(ours, theirs, rounds)
    yield Row(
        work="deliveries at 10,000 rules, from webhook to sink",
        ours=f"{rate:.0f}/s",
        other=f"Alertmanager {other:.0f}/s",
        ratio=ratio,
        goal="≥ 10",
        command=COMMAND,
    )


if __name__ == "__main__":
    run(__doc__, rows, events=1_500, rounds=5)
