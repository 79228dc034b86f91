"""What the pages say about files, actions, templates and warnings is so."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import tomli

from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.domain.problem import RulesError
from router.engine.context import Setting, Told, context_of
from router.engine.defaults import revealed
from router.engine.ledger import derive, with_contents
from router.engine.lint import lint
from router.engine.preview import preview
from router.engine.template import Channel, compile_template, compile_tree
from router.engine.template.filters import FROM_JINJA, OURS
from router.engine.template.names import KNOWN, Each, Shape
from router.engine.trial import TRIALS, Trials
from router.service.outside import Disk
from router.service.rulebook import Loaded, load
from tests.build import KEY, prompt_event
from tests.match.cases import HISTORY

DOCS: Final = Path(__file__).parents[2] / "docs"
RULES: Final = (DOCS / "reference/rules.md").read_text()
TEMPLATES: Final = (DOCS / "reference/templates.md").read_text()
REPOSITORY: Final = (DOCS / "how-to/keep-rules-in-a-repository.md").read_text()
HEAD: Final = '[sources.prod]\nsecret = "${SECRET}"\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def blocks(page: str, mark: str, language: str = "toml") -> list[str]:
    """Return the blocks of a page that stand under `<!-- mark -->`."""
    return re.findall(rf"<!-- {re.escape(mark)} -->\n```{language}\n(.*?)```", page, re.DOTALL)


def loaded(text: str) -> Loaded:
    Path("rules.toml").write_text(text, encoding="utf-8")
    names = re.findall(r"\$\{(\w+)", text)
    return load("rules.toml", Disk(dict.fromkeys(names, "https://hooks.example.com")), missing="error")


@pytest.mark.parametrize("example", blocks(RULES, "whole"))
def test_an_example_of_composition_is_good_and_without_warnings(example: str) -> None:
    found = loaded(HEAD + example)
    assert found.ruleset.rules
    assert lint(found.file, found.ruleset) == ()


def test_the_warnings_of_the_page_are_those_of_check() -> None:
    (example,) = blocks(RULES, "warned")
    found = loaded(example)
    (told,) = re.findall(r"\$ langfuse-router check rules\.toml\n(.*?)```", RULES, re.DOTALL)
    assert [f"warning: {one}" for one in lint(found.file, found.ruleset)] == told.splitlines()


def test_what_extends_another_is_merged_as_the_page_says() -> None:
    (example,) = [one for one in blocks(RULES, "whole") if "pagerduty-low" in one]
    found = loaded(HEAD + example)
    (action,) = found.ruleset.rules[0].actions
    assert revealed(found.file.destinations["pagerduty-low"].defaults["json"]) == {
        "routing_key": "https://hooks.example.com",
        "event_action": "trigger",
        "payload": {"source": "langfuse", "severity": "info"},
    }
    assert [target.destination for target in action.targets] == ["pagerduty-low"]


@pytest.mark.parametrize(("folder", "to"), [("checkout", "checkout-team"), ("payments", "everybody")])
def test_the_team_of_a_folder_is_told(folder: str, to: str) -> None:
    (example,) = [one for one in blocks(RULES, "whole") if "vars.team" in one]
    rules = loaded(HEAD + example).ruleset
    key = PromptKey("prod", "project", f"{folder}/x")
    result = preview(rules, prompt_event("created", 1, ["production"], updated=0, key=key))
    assert [one.destination for one in result.plan.deliveries] == [to]


def test_the_repository_of_the_how_to_is_good_and_a_mistake_in_it_is_told_as_shown() -> None:
    for name in ("rules.toml", "rules.d/checkout.toml", "templates/promoted.txt"):
        language = "jinja" if name.endswith(".txt") else "toml"
        (text,) = blocks(REPOSITORY, name, language)
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    found = loaded(Path("rules.toml").read_text() + "# ${CHECKOUT_WEBHOOK_URL}\n")
    assert [rule.name for rule in found.ruleset.rules] == ["everything-promoted", "checkout-promoted"]
    assert lint(found.file, found.ruleset) == ()
    template = Path("templates/promoted.txt")
    template.write_text(template.read_text().replace("prompt.commit_message %}", "prompt.commit_mesage %}"))
    (told,) = re.findall(r"\$ langfuse-router check\n(.*)\n1 problem", REPOSITORY)
    with pytest.raises(RulesError) as caught:
        loaded(Path("rules.toml").read_text() + "# ${CHECKOUT_WEBHOOK_URL}\n")
    assert [str(problem) for problem in caught.value.problems] == [told]


# ---- templates


def names_below(shape: Shape, above: str) -> Iterator[str]:
    """Yield every name that leads to a value; of lists of tables those in their items."""
    if isinstance(shape, Each):
        yield above
        yield from (name for name in names_below(shape.item, f"{above}[]") if name != f"{above}[]")
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            yield from names_below(inner, f"{above}.{key}")
    else:
        yield above


def test_the_page_has_every_name_of_the_context_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z_.\[\]]+)` \|", TEMPLATES.partition("## Filters")[0], re.MULTILINE)
    known = [name for root, shape in KNOWN.items() for name in names_below(shape, root)]
    known = [name for name in known if not name.startswith("changes[]")]
    assert sorted(listed) == sorted([*known, "vars"])


def test_the_context_has_every_name_that_templates_may_use_and_no_other() -> None:
    def same(value: object, shape: Shape, path: str) -> None:
        if isinstance(shape, Each):
            assert isinstance(value, list), path
            for item in value:
                same(item, shape.item, f"{path}[]")
        elif isinstance(shape, dict) and value is not None:
            assert isinstance(value, dict), path
            assert value.keys() == shape.keys(), path
            for key, inner in value.items():
                same(inner, shape[key], f"{path}.{key}")

    trials = Trials({})
    for number in range(len(TRIALS)):
        context = trials.context(number)
        assert context.keys() == {*KNOWN, "vars"}
        same({key: value for key, value in context.items() if key != "vars"}, dict(KNOWN), "")


FILTERS: Final = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| .*? \| `(.*)` \| `(.*)` \|$", TEMPLATES, re.MULTILINE)


@pytest.mark.parametrize(("names", "example", "result"), FILTERS, ids=[names for names, *_ in FILTERS])
def test_a_filter_does_what_its_example_shows(names: str, example: str, result: str) -> None:
    name = names.strip("`").split("`")[0]
    assert f"| {name}" in example.replace("\\|", "|")
    channel: Channel = "slack" if name == "slack_link" else "text"
    assert compile_template(example.replace("\\|", "|"), channel).render({}) == result.replace("\\|", "|")


def test_every_filter_of_ours_has_its_row_and_all_others_are_listed() -> None:
    rows = {name for names, *_ in FILTERS for name in re.findall(r"\w+", names)}
    assert rows == set(OURS)
    (listed,) = re.findall(r"As in Jinja: `(.*?)`", TEMPLATES, re.DOTALL)
    assert listed.split() == sorted(FROM_JINJA)


def test_the_tree_becomes_what_the_page_shows() -> None:
    (written,) = blocks(TEMPLATES, "tree")
    (expected,) = blocks(TEMPLATES, "becomes", "json")
    config = {"model": "gpt-4.1"}
    event = prompt_event("updated", 4, ["production", "latest"], updated=20, tags=["shop"], config=config)
    ledger = derive(Ledger(prompt=KEY), HISTORY).ledger
    derived = derive(ledger, [event])
    change = with_contents(derived.changes[0], derived.ledger.contents)
    context = context_of([Told(change, "production")], Setting(rule="r"))
    assert compile_tree(tomli.loads(written), "text").render(context) == json.loads(expected)
