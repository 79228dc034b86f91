"""Rules on trial see what people may see, and nothing else."""

from pathlib import Path

import pytest

from router.domain.problem import RulesError
from router.engine.preview import preview
from router.engine.rulesfile.document import parse
from router.service.dry_run import as_json
from router.service.outside import Disk
from router.service.playground import LONGEST, opening
from router.service.rulebook import Rulebook
from tests.build import prompt_event

IN_FORCE = """\
include = ["rules.d/*.toml"]
[sources.prod]
secret = "${SECRET}"
[destinations.journal]
type = "log"
[destinations.pager]
type = "http"
url = "https://pager.example.com/${SECRET}"
headers = { X-Key = "spelled-out-hush", X-File = "${file:hush.txt}" }
[vars]
team = "${TEAM}"
[[rules]]
name = "all"
actions = [{ to = "journal", text = { file = "line.txt" } }]
"""
INCLUDED = """\
[destinations.chat]
type = "http"
url = "https://chat.example.com"
json = { routing_key = "included-hush" }
[[rules]]
name = "included"
actions = [{ to = "chat" }]
"""
ENVIRONMENT = {"SECRET": "lf-whsec_hush", "TEAM": "cart", "OTHER": "other-hush"}


@pytest.fixture
def rulebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rulebook:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "team.toml").write_text(INCLUDED)
    (tmp_path / "line.txt").write_text("{{ vars.team }}: {{ prompt.name }}")
    (tmp_path / "hush.txt").write_text("file-hush")
    (tmp_path / "rules.toml").write_text(IN_FORCE)
    return Rulebook("rules.toml", Disk(ENVIRONMENT), missing="error")


def sent(rulebook: Rulebook, rules: str) -> str:
    """Return all that is said of a promotion under those rules."""
    loaded = rulebook.tried(rules)
    return str(as_json(preview(loaded.ruleset, prompt_event("updated", 4, ["production"], updated=0)), loaded.ruleset))


def test_the_rules_in_force_are_the_start_and_decide_as_they_do(rulebook: Rulebook) -> None:
    start = opening(rulebook.loaded.file, None)
    assert "hush" not in start
    assert "[destinations" not in start
    event = prompt_event("updated", 4, ["production"], updated=0)
    real = as_json(preview(rulebook.ruleset, event), rulebook.ruleset)
    tried = rulebook.tried(start)
    shown = as_json(preview(tried.ruleset, event), tried.ruleset)
    assert shown["rules"] == real["rules"]
    assert shown["deliveries"] == real["deliveries"]
    assert "cart: checkout/cart" in str(shown["deliveries"])


def test_one_rule_can_be_the_start(rulebook: Rulebook) -> None:
    assert parse("x", opening(rulebook.loaded.file, 0)).data.keys() == {"include", "vars", "rules"} - {"include"}
    included = opening(rulebook.loaded.file, 1)
    assert 'name = "included"' in included
    assert 'name = "all"' not in included


IN_ONE_LINE = """\
include = ["rules.d/*.toml"]
sources = { prod = { secret = "${SECRET}" } }
destinations.journal = { type = "log" }
destinations.pager = { type = "http", url = "https://pager.example.com", headers = { X-Key = "spelled-out-hush" } }
vars.team = "${TEAM}"
rules = [
  { name = "all", actions = [{ to = "journal", text = { file = "line.txt" } }] },
  { name = "pages", match = { labels_gained = "production" }, actions = [{ to = "pager" }] },
]
[vars.channels]
checkout = "journal"
"""


def test_tables_in_one_line_are_there_and_hide_as_well(rulebook: Rulebook) -> None:
    Path("rules.toml").write_text(IN_ONE_LINE)
    short = Rulebook("rules.toml", Disk(ENVIRONMENT), missing="error")
    start = opening(short.loaded.file, None)
    assert "hush" not in start
    assert "destinations" not in start
    event = prompt_event("updated", 4, ["production"], updated=0)
    real, tried = short.ruleset, short.tried(start).ruleset
    assert {rule.name for rule in tried.rules} == {"all", "pages", "included"}
    assert as_json(preview(tried, event), tried) == as_json(preview(real, event), real)
    one = opening(short.loaded.file, 1)
    assert 'name = "pages"' in one
    assert '"all"' not in one
    assert "hush" not in one
    assert "pages" in sent(short, one)


RULE = '\n[[rules]]\nname = "try"\nactions = [{ to = "journal", text = TEXT }]\n'


@pytest.mark.parametrize(
    "rules",
    [
        RULE.replace("TEXT", '{ file = "hush.txt" }'),
        RULE.replace("TEXT", '{ file = "./hush.txt" }'),
        RULE.replace("TEXT", '{ file = "rules.d/../hush.txt" }'),
        RULE.replace("TEXT", '{ file = "rules.toml" }'),
        RULE.replace("TEXT", '{ file = "rules.d/team.toml" }'),
        'include = ["rules.d/*.toml"]' + RULE.replace("TEXT", '{ file = "rules.d/team.toml" }'),
        RULE.replace("TEXT", '"{{ vars.x }}"') + '[vars]\nx = "${SECRET}"\n',
        RULE.replace("TEXT", '"{{ vars.x }}"') + '[vars]\nx = "${OTHER}"\n',
        RULE.replace("TEXT", '"{{ vars.x }}"') + '[vars]\nx = "${file:hush.txt}"\n',
        RULE.replace("TEXT", '"{{ vars.x }}"') + '[vars]\nx = "${file:rules.d/team.toml}"\n',
        RULE.replace("TEXT", '"""'),
        RULE.replace("TEXT", '"x"') + 'more = """',
        RULE.replace('"journal", text = TEXT', '"pager"'),
        'include = ["hush.*"]' + RULE.replace("TEXT", '"x"'),
        RULE.replace("journal", "x").replace("TEXT", '"x"') + '[destinations.x]\ntype = "log"\ntext = "${SECRET}"\n',
        'include = ["hush.txt"]' + RULE.replace("TEXT", '"x"'),
    ],
)
def test_nothing_that_is_typed_brings_a_secret_in(rulebook: Rulebook, rules: str) -> None:
    try:
        said = sent(rulebook, rules)
    except RulesError as error:
        said = str(error)
    for secret in ("lf-whsec_hush", "other-hush", "file-hush", "included-hush"):
        assert secret not in said


def test_a_typed_pattern_looks_at_no_disk(rulebook: Rulebook) -> None:
    outside = Disk(ENVIRONMENT)
    known = Rulebook("rules.toml", outside, missing="error")
    before = set(outside.seen)
    rule = '[[rules]]\nname = "try"\nactions = [{ to = "journal" }]\n'
    tried = known.tried('include = ["/**/*.toml", "/proc/*/*", "*.toml", "rules.d/*.toml"]\n' + rule)
    assert {rule.name for rule in tried.ruleset.rules} == {"try", "included"}
    assert outside.seen - before <= {Path("rules.d/team.toml").absolute()}


def test_what_is_in_force_is_not_touched(rulebook: Rulebook) -> None:
    before = rulebook.loaded
    with pytest.raises(RulesError, match="unknown clause"):
        rulebook.tried('[[rules]]\nname = "a"\nmatch = { labels_gaind = "x" }\nactions = [{ to = "journal" }]\n')
    rulebook.tried('[[rules]]\nname = "a"\nactions = [{ to = "journal" }]\n')
    assert rulebook.loaded is before
    assert Path("rules.toml").read_text() == IN_FORCE


def test_places_are_those_of_what_was_typed(rulebook: Rulebook) -> None:
    with pytest.raises(RulesError) as caught:
        rulebook.tried('[[rules]]\nname = "a"\nnonsense = 1\nactions = [{ to = "journal" }]\n')
    assert [problem.place.line for problem in caught.value.problems] == [3]


def test_a_large_file_starts_without_its_rules(rulebook: Rulebook) -> None:
    many = "".join(f'[[rules]]\nname = "r{n}"\nactions = [{{ to = "journal" }}]\n' for n in range(LONGEST // 80))
    Path("rules.toml").write_text(IN_FORCE + many)
    file = Rulebook("rules.toml", Disk(ENVIRONMENT), missing="error").loaded.file
    assert "[[rules]]" not in opening(file, None)
    assert 'name = "r7"' in opening(file, 8)
