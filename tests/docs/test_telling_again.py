"""The how-tos on what happened before: their commands, on a store with a past."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

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


def test_what_happened_becomes_a_test(folder: Path) -> None:
    with Store.open(f"sqlite:///{folder}/router.db") as store:
        (event,) = [
            change.event for change in store.changes_told_with(6) if change.moved and change.event.action == "updated"
        ][:1]
    ran = follow("tests-from-what-happened.md", folder, {"EVENT": event.id})
    assert ran[2][1].endswith("1 passed, 0 failed\n")
    assert command("test", folder=folder).stdout.endswith("2 passed, 0 failed\n")
