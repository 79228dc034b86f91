"""How-to pages: their files load without a warning and pass their tests, and the commands they show are commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from router.cli.main import cli
from router.engine.lint import lint
from router.service.outside import Disk
from router.service.rulebook import load
from router.service.ruletests import read_tests, run

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = (
    "from-langfuse-slack",
    "sync-to-a-repository",
    "trigger-gitlab",
    "several-projects",
    "rotate-secrets",
    "roll-out-with-shadow",
    "add-a-route",
    "behind-a-proxy",
)
SAID: Final = {"sync-to-a-repository": "is only assumed"}
"""The warning that a page itself speaks of."""

FILE: Final = re.compile(r"^( *)<!-- (\S+) -->\n *```\w+\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name; those within a list are indented."""
    text = (DOCS / "how-to" / f"{page}.md").read_text()
    return {
        name: "".join(line.removeprefix(indent) for line in content.splitlines(keepends=True))
        for indent, name, content in FILE.findall(text)
    }


def written(page: str, folder: Path) -> None:
    for name, content in files_of(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def outside(folder: Path) -> Disk:
    """Return a world in which every variable and file is there that the rules ask for."""
    text = "".join(path.read_text() for path in folder.rglob("*.toml"))
    for name in re.findall(r"\$\{file:([^}]+)\}", text):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(address(name))
    return Disk({name: address(name) for name in re.findall(r"\$\{(\w+)\}", text)})


def address(name: str) -> str:
    if "signing" in name:
        return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    return f"https://hooks.slack.com/services/{name}"


@pytest.mark.parametrize("page", PAGES)
def test_the_rules_of_a_page_load_without_a_warning(page: str, tmp_path: Path) -> None:
    written(page, tmp_path)
    loaded = load(str(tmp_path / "rules.toml"), outside(tmp_path), missing="error")
    assert loaded.ruleset.rules
    warnings = [str(one) for one in lint(loaded.file, loaded.ruleset)]
    assert [one for one in warnings if SAID.get(page, "nothing is warned of") not in one] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "rules.test.toml" in files_of(page)])
def test_they_do_what_the_tests_of_the_page_say(page: str, tmp_path: Path) -> None:
    written(page, tmp_path)
    results = list(run(read_tests(str(tmp_path / "rules.test.toml"), outside(tmp_path))))
    assert results
    assert {result.test.name: result.failures for result in results if result.failures} == {}


def test_the_index_has_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert set(re.findall(r"\]\(([\w/.-]+\.md)\)", index)) == pages - {"README.md"}


EVERY: Final = sorted(DOCS.rglob("*.md"))
COMMAND: Final = re.compile(r"^ *\$ ((?:.*\\\n)*.*)", re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every call of the program that stands after a prompt."""
    found = []
    for line in COMMAND.findall(text):
        for part in re.split(r"&&?|\|\|?|;", line.replace("\\\n", " ")):
            words = shlex.split(part.partition(">")[0], comments=True)
            if "langfuse-router" in words and "docker" not in words[0] and "kubectl" not in words[0]:
                at = words.index("langfuse-router")
                if all("=" in word for word in words[:at]):
                    found.append(words[at + 1 :])
    return found


def resolved(arguments: list[str]) -> click.Command:
    """Return the command that the arguments call; raises a click.UsageError if an option is none of it."""
    command: click.Command = cli
    rest = list(arguments)
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest.pop(0))
        assert found is not None, f"no such command: {arguments}"
        command = found
    context = click.Context(command)
    _, left, _ = command.make_parser(context).parse_args(rest)
    assert not left, f"too many words: {left}"
    return command


def leaves(command: click.Command, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its full name."""
    if not isinstance(command, click.Group):
        yield " ".join(names), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, *names, name)


def test_the_reference_has_every_command_with_every_option() -> None:
    parts = (part.partition("\n") for part in (DOCS / "reference/commands.md").read_text().split("\n## "))
    sections = {head: body for head, _, body in parts}
    missing = []
    for name, command in leaves(cli):
        section = sections.get(name) or sections[name.partition(" ")[0]]
        wanted = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        # said once for all commands at the head of the page
        wanted -= {"--help", "--rules", "--store"}
        missing += [f"{name} {option}" for option in sorted(wanted) if option not in section]
    assert missing == []


@pytest.mark.parametrize("page", [page for page in EVERY if commands(page.read_text())], ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_commands(page: Path) -> None:
    for arguments in commands(page.read_text()):
        if not {"…", "$(printf"} & set(arguments):
            resolved(arguments)


@pytest.mark.parametrize("name", [".github/workflows/rules.yml", ".gitlab-ci.yml"])
def test_ci_runs_commands_that_there_are(name: str) -> None:
    text = files_of("test-rules")[name]
    assert yaml.safe_load(text)
    called = re.findall(r"langfuse-router ((?:check|test).*)", text)
    assert [resolved(line.split()).name for line in called] == ["check", "test"]
