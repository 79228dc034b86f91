"""`prompts`: what a person sees of a prompt's past."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli.main import cli
from router.domain.event import PromptKey
from router.domain.problem import RouterError
from router.storage.store import Store
from tests.build import prompt_event
from tests.past import promoted_and_rolled_back, route


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/router.db"
    with Store.open(url, migrate=True) as store:
        promoted_and_rolled_back(store)
        route(
            store, [prompt_event("created", 1, ["latest"], updated=0, tags=["eu"], key=PromptKey("prod", "p", "faq"))]
        )
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["prompts", *arguments])


def test_show_tells_holders_versions_and_the_timeline(url: str) -> None:
    shown = run("show", "checkout/cart", "--store", url).output
    assert "production     v3  since 2026-11-24 12:00:30 by Cy" in shown
    assert "v4  2026-11-24 12:00:20 – 2026-11-24 12:00:30 by Bob" in shown
    assert "“be brief”" in shown
    assert "2026-11-24 12:00:20  updated, v4, production: v3 → v4  (Bob)" in shown


def test_show_compares_two_versions(url: str) -> None:
    shown = run("show", "checkout/cart", "--diff", "3", "4", "--store", url).output
    assert "-text of version 3" in shown
    assert "+text of version 4" in shown
    found = json.loads(run("show", "checkout/cart", "--diff", "3", "4", "--store", url, "--format", "json").output)
    assert (found["from"], found["to"], found["added"], found["removed"]) == (3, 4, 1, 1)


def test_show_as_json_says_what_the_text_says(url: str) -> None:
    found = json.loads(run("show", "checkout/cart", "--store", url, "--format", "json").output)
    assert found["prompt"]["labels"] == {"latest": 4, "production": 3}
    assert [(one["version"], one["by"]) for one in found["labels"] if one["label"] == "production"] == [
        (3, "Cy"),
        (4, "Bob"),
        (3, "Ann"),
    ]
    assert [one["version"] for one in found["versions"]] == [4, 3]


def test_list_names_the_holders(url: str) -> None:
    shown = run("list", "--store", url).output
    assert "checkout/cart  latest v4, production v3" in shown
    assert "faq  latest v1  [eu]" in shown
    found = json.loads(run("list", "--folder", "checkout", "--store", url, "--format", "json").output)
    assert [one["name"] for one in found["items"]] == ["checkout/cart"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("show", "nothing"), "no prompt nothing"),
        (("show", "checkout/cart", "--diff", "3", "9"), "has no v9"),
    ],
)
def test_what_is_not_there_is_said(url: str, arguments: tuple[str, ...], why: str) -> None:
    error = run(*arguments, "--store", url).exception
    assert isinstance(error, RouterError)
    assert why in str(error)


def test_a_name_that_several_projects_have_must_be_said_fully(url: str) -> None:
    with Store.open(url) as store:
        route(store, [prompt_event("created", 1, ["latest"], updated=0, key=PromptKey("prod", "q", "faq"))])
    assert "say which" in str(run("show", "faq", "--store", url).exception)
    assert "latest" in run("show", "faq", "--project", "q", "--store", url).output
