"""The tutorial, word by word: its files are written, its commands run, and they say what the page shows.

Two things are other than on the page: the port, and Slack, which is a server of the test (so `allow_private` is added).
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from tests.acceptance.receivers import Receiver
from tests.acceptance.running import eventually, free_port

PAGE: Final = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()
BLOCK: Final = re.compile(r"(?:^<!-- ([^>]+) -->\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SLACK: Final = "https://hooks.slack.com/services/T000/B000/xxxx"


class Reader:
    """Somebody who does what the page says, in one folder, with a terminal for `serve`."""

    def __init__(self, folder: Path, slack: str) -> None:
        self.folder = folder
        self.slack = slack
        self.port = free_port()
        # the command as installed is on the path
        self.env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.serving: subprocess.Popen[bytes] | None = None

    def follow(self, page: str) -> None:
        for mark, language, text in BLOCK.findall(page):
            if language == "console" and mark != "not run":
                for command, shown in commands(self.here(text)):
                    self.type(command, shown)
            elif language == "toml":
                name, _, more = mark.partition(", ")
                with (self.folder / name).open("a" if more else "w") as file:
                    file.write(self.here(text))

    def here(self, text: str) -> str:
        text = text.replace("8787", str(self.port)).replace(SLACK, self.slack)
        return text.replace('type = "slack"', 'type = "slack"\nallow_private = true')

    def type(self, command: str, shown: list[str]) -> None:
        words = shlex.split(command)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.env[name] = value
        elif words[0] == "cd":
            self.folder /= words[1]
        elif words[-1] == "serve":
            self.serve(words, shown)
        else:
            eventually(lambda: self.says(command, shown), f"{command}\nsays\n" + "\n".join(shown))

    def says(self, command: str, shown: list[str]) -> bool:
        """Run a command; what looks at what was sent may have to be asked again."""
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if " list" not in command:
            assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
            assert in_order(shown, ran.stdout), f"{command}\n{ran.stdout}{ran.stderr}"
        return in_order(shown, ran.stdout)

    def serve(self, words: list[str], shown: list[str]) -> None:
        log = self.folder / "serve.log"
        with log.open("wb") as out:
            self.serving = subprocess.Popen(words, cwd=self.folder, env=self.env, stdout=out, stderr=out)
        eventually(self.is_up, "the service is up")
        assert in_order(shown, log.read_text())

    def is_up(self) -> bool:
        assert self.serving is not None
        assert self.serving.poll() is None, (self.folder / "serve.log").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def leave(self) -> int | None:
        if self.serving is None:
            return None
        self.serving.send_signal(signal.SIGINT)
        try:
            return self.serving.wait(60)
        finally:
            self.serving.kill()
            self.serving.wait()


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a block with the lines that it is shown to say."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def in_order(shown: list[str], said: str) -> bool:
    """Tell whether all that is shown was said, in that order."""
    at = 0
    for line in shown:
        found = said.find(line.strip(), at)
        if found < 0:
            return False
        at = found + len(line.strip())
    return True


def test_who_follows_the_page_has_messages_in_slack(tmp_path: Path) -> None:
    with Receiver() as slack:
        reader = Reader(tmp_path, f"{slack.url}/services/T000/B000/xxxx")
        try:
            reader.follow(PAGE)
            eventually(lambda: len(slack.arrived) == 10, "the test and nine messages are in Slack, one a second")
        finally:
            ended = reader.leave()
        assert ended == 0
        told = [arrived.json["text"] for arrived in slack.arrived]
    assert told[0].startswith("langfuse-router: a test message")
    # the second day may begin while Slack's rate still holds the end of the first one back
    days = Counter(text for text in told[1:] if not text.startswith(":rewind:"))
    assert days == {
        "checkout/cart: v3 created; production set on v3 (Ann)": 2,
        "checkout/cart: production moved v3 → v4 (Ann)": 4,
        "checkout/cart: production rolled back v4 → v3 (Bob)": 2,
    }
    assert len([text for text in told if text.startswith(":rewind: *checkout/cart* went back from v4 to v3")]) == 1


def test_the_message_of_the_page_is_the_one_that_is_sent(tmp_path: Path) -> None:
    """The quoted message is made of the words that Slack gets, in their order."""
    with Receiver() as slack:
        reader = Reader(tmp_path, f"{slack.url}/services/T000/B000/xxxx")
        try:
            reader.follow(PAGE.partition("## 5.")[0])
            eventually(lambda: len(slack.arrived) == 5, "four messages and the test are in Slack")
        finally:
            reader.leave()
        sent = [re.findall(r'"text":"((?:[^"\\]|\\.)*)"', arrived.body.decode()) for arrived in slack.arrived]
    quoted = re.findall(r"^> (.*)$", PAGE, re.MULTILINE)
    words = [re.sub(r"\*\*|^\\> ", "", line) for line in quoted]
    flat = ["".join(texts[1:]) for texts in sent]
    assert any(in_order(words, text) for text in flat), flat
