"""What the two READMEs show of rules loads, and both show the same rule."""

import re
from pathlib import Path
from typing import Final

import pytest
import tomli

from router.engine.lint import lint
from router.service.outside import Disk
from router.service.rulebook import load

ROOT: Final = Path(__file__).parents[2]
ENGLISH: Final = (ROOT / "README.md").read_text()
CHINESE: Final = (ROOT / "docs/README.zh-CN.md").read_text()


def rules(page: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh-CN"])
def test_the_rules_of_a_readme_load_without_a_warning(page: str, tmp_path: Path) -> None:
    text = "\n".join(rules(page))
    (tmp_path / "rules.toml").write_text(text)
    values = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "https://hooks.slack.com/services/x")
    loaded = load(str(tmp_path / "rules.toml"), Disk(values), missing="error")
    assert loaded.ruleset.rules
    assert lint(loaded.file, loaded.ruleset) == ()


def test_both_have_the_same_sections_commands_and_pictures() -> None:
    def shown(page: str) -> tuple[int, list[str], list[str], int]:
        commands = [line.partition("#")[0].strip() for line in re.findall(r"^\$ (.*)$", page, re.MULTILINE)]
        pictures = [Path(name).name for name in re.findall(r"!\[.*?\]\((.*?)\)", page)]
        return page.count("\n## "), commands, pictures, page.count("\n| ")

    assert shown(ENGLISH) == shown(CHINESE)


def test_both_show_the_same_first_rule() -> None:
    assert tomli.loads(rules(ENGLISH)[0]) == tomli.loads(rules(CHINESE)[0])
