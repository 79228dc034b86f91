"""The how-tos on what happened before: their commands, on a store with a past."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from router.storage.records import DeliveryFilter, DeliveryRecord
from router.storage.store import Store
from tests.acceptance.running import command
from tests.past import promoted_and_rolled_back

DOCS: Final = Path(__file__).parents[2] / "docs/how-to"
RULES: Final = """
[sources.prod]
secret = "s"

[destinations.team]
type = "log"

[[rules]]
name = "production-promoted"
match = { prompt = "checkout/**", labels_gained = "production" }
actions = [{ to = "team" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "rules.test.toml").write_text('rules = "rules.toml"\n')
    with Store.open(f"sqlite:///{tmp_path}/router.db", migrate=True) as store:
        promoted_and_rolled_back(store)
    return tmp_path


def follow(page: str, folder: Path, words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Run every command that a page shows, `words` in the place of others. Return them with what they printed."""
    ran = []
    for block in re.findall(r"```console\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        for line in re.findall(r"^\$ langfuse-router (.*)$", block, re.MULTILINE):
            told, _, file = line.partition(" >> ")
            done = command(*(words.get(word, word) for word in told.split()), folder=folder)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if file:
                with (folder / file).open("a") as opened:
                    opened.write(done.stdout)
            ran.append((line, done.stdout))
    return ran


def texts_of(page: str) -> list[str]:
    return re.findall(r"```text\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def deliveries(folder: Path) -> list[DeliveryRecord]:
    with Store.open(f"sqlite:///{folder}/router.db") as store:
        return list(store.deliveries(DeliveryFilter()).items)


def test_it_is_sent_again_once_or_as_often_as_one_wants(folder: Path) -> None:
    ran = follow("send-it-again.md", folder, {})
    assert ran[2][1] == texts_of("send-it-again.md")[0]
    assert ran[3][1].endswith("3 deliveries made, 0 captured ones let go; the running service sends them\n")
    assert len(deliveries(folder)) == 6, "three, and by force three more"


def test_a_catalogue_is_filled(folder: Path) -> None:
    (rules,) = re.findall(
        r"<!-- rules.toml -->\n```toml\n(.*?)```", (DOCS / "fill-a-catalogue.md").read_text(), re.DOTALL
    )
    (folder / "rules.toml").write_text(rules.replace("${LANGFUSE_WEBHOOK_SECRET}", "s"))
    ran = follow("fill-a-catalogue.md", folder, {})
    assert ran[0][1].startswith("1 change: 1 delivery would be made\n")
    assert ran[1][1] == texts_of("fill-a-catalogue.md")[0]
    (made,) = deliveries(folder)
    shown = command("deliveries", "show", made.key, folder=folder).stdout
    assert '"first_fill": true' in shown
    assert '"version": 3' in shown


def test_what_happened_becomes_a_test(folder: Path) -> None:
    with Store.open(f"sqlite:///{folder}/router.db") as store:
        (event,) = [
            change.event for change in store.changes_told_with(6) if change.moved and change.event.action == "updated"
        ][:1]
    ran = follow("tests-from-what-happened.md", folder, {"EVENT": event.id})
    assert ran[2][1].endswith("1 passed, 0 failed\n")
    assert command("test", folder=folder).stdout.endswith("2 passed, 0 failed\n")
