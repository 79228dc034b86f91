"""`demo` tells the whole story, with nothing set up, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.acceptance.running import command, eventually


def test_the_demo_tells_the_story(tmp_path: Path) -> None:
    ended = command("demo", folder=tmp_path, env={"TMPDIR": str(tmp_path), "LANGFUSE_WEBHOOK_SECRET": "unused"})
    assert ended.returncode == 0
    assert ended.stderr == ""
    told = [line.strip() for line in ended.stdout.splitlines()]
    story = iter(told)
    for line in (
        # each after the one before
        "created   checkout/cart: v3 created; production set on v3 (Ann)",
        "→ team-checkout (slack)   candidate-to-its-team",
        "10:17  Ann tags checkout/cart",
        "updated   checkout/cart: tags +catalogue +checkout (Ann)",
        "→ catalogue (http)        checkout-tags",
        "│ PUT https://catalogue.example.com/api/prompts/checkout%2Fcart",
        "10:58  Ann promotes checkout/cart v4 to production",
        "updated   checkout/cart: production moved v3 → v4 (Ann)",
        "→ prompt-team (slack)     production-promoted",
        "because action is updated; labels_gained is production; rollback is no",
        "│ ⚠ new variable: customer_tier (callers must pass it)",
        "→ ci (github)             production-promoted",
        "│ :warning: *checkout/cart* v4 needs customer_tier: callers must pass it",
        "→ prompt-team (slack)     new-versions-trial  on trial: kept, not sent",
        "→ oncall (email)          monitor-alerts",
        "→ pagerduty (http)        monitor-alerts",
        "13:01  Bob rolls checkout/cart back to v3",
        "updated   checkout/cart: production rolled back v4 → v3 (Bob)",
        "│ :rewind: *checkout/cart* rolled back from v4 to v3 by Bob",
        "→ pagerduty (http)        production-rolled-back",
        "updated   checkout/cart: canary set on v4 (API user)",
        "deleted   checkout/cart: v3 deleted, 3 left; production removed from v3 (Bob)",
        "│ Subject: checkout/cart: v3 deleted, 3 left; production removed from v3 (Bob)",
        "15:04  Ann puts checkout/cart v4 into production again",
        "updated   checkout/cart: production moved v3 → v4 (Ann)",
        "→ oncall (email)          project-notifications",
        "11 things done, 41 webhooks arrived:",
        "13 told something new",
        "29 messages made and kept, none sent:",
    ):
        assert line in story, f"{line!r} is not told, or not in its place:\n{ended.stdout}"
    assert "duplicate" in ended.stdout
    assert "quiet" in ended.stdout
    assert "stale" in ended.stdout
    assert list(tmp_path.iterdir()) == [], "the store is gone"


def test_kept_up_it_takes_more_until_it_is_interrupted(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "router", "demo", "--keep"],
            env={**os.environ, "COLUMNS": "100"},
            stdout=out,
            stderr=err,
        )
    try:
        said = eventually(lambda: re.search(r"until Ctrl-C.*", _text(tmp_path / "out"), re.S), "the server stays up")[0]
        (base,) = re.findall(r"webhook +(http://\S+)/webhooks/prod", said)
        (secret,) = re.findall(r"--secret (\S+)", said)
        (token,) = re.findall(r"Bearer (\w+)", said)
        (store,) = re.findall(r"events list --store (\S+)", said)
        more = command(
            "simulate", "folder-copy", "--prompts", "2", "--url", f"{base}/webhooks/prod", "--secret", secret,
            folder=tmp_path,
        )  # fmt: skip
        assert more.returncode == 0, more.stdout
        assert httpx.get(f"{base}/health/ready").status_code == 200
        metrics = httpx.get(f"{base}/metrics", headers={"authorization": f"Bearer {token}"})
        assert "langfuse_router_events_total" in metrics.text
        assert "shop/prompt-002" in command("events", "list", "--store", store, folder=tmp_path).stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
