"""The how-to on narrow rules: its rules, its tests, and what it shows of dry-run."""

import re
from pathlib import Path

from tests.acceptance.running import command

PAGE = (Path(__file__).parents[2] / "docs/how-to/narrow-a-rule.md").read_text()


def test_what_the_page_says_is_what_happens(tmp_path: Path) -> None:
    for name, text in re.findall(r"<!-- (\S+) -->\n```toml\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text)
    ran = command("test", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (tmp_path / "body.json").write_text(command("sample", "promoted", folder=tmp_path).stdout)
    ran = command("dry-run", "body.json", "--rule", "risky-model", folder=tmp_path)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown in ran.stdout
