"""Every example of the matching reference says yes and no to what it says it does."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import tomli

from router.domain.event import Event
from router.engine.match.facts import BOOLS, NUMBERS, SETS, STRINGS
from router.engine.match.wanted import SET_KEYS, TEXT_KEYS
from router.engine.match.where import ITEM_KEYS
from router.engine.preview import preview
from router.engine.template.filters import FROM_JINJA, OURS
from router.engine.template.names import KNOWN
from router.langfuse.inline import inline_body
from router.langfuse.wire import decode
from router.service.outside import Disk
from router.service.rulebook import load
from tests.build import NOON

DOCS: Final = Path(__file__).parents[2] / "docs/reference"
PAGE: Final = (DOCS / "rules.md").read_text()
EXAMPLES: Final = [block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("match")]

RULES: Final = """
[sources.prod]
secret = "s"
[destinations.log]
type = "log"
[matches.managers]
author = ["ann@example.com", "bob@example.com"]
[times.office]
zone = "Europe/Berlin"
days = ["mon-fri"]
hours = ["09:00-18:00"]
[[rules]]
name = "example"
actions = [{ to = "log" }]
"""


def events(story: Any) -> list[Event]:
    """Decode an inline event, or a list of them."""
    found = []
    for number, table in enumerate(story if isinstance(story, list) else [story]):
        words = dict(table)
        at = words.pop("at", None)
        moment = msgspec.convert(at, datetime) if at else NOON + timedelta(seconds=number)
        found.append(decode(msgspec.json.encode(inline_body(words, moment)), "prod", moment))
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0][:60])
def test_an_example_says_what_it_says(example: str, tmp_path: Path) -> None:
    said = tomli.loads(example)
    match = example.partition("yes = ")[0]
    (tmp_path / "rules.toml").write_text(RULES + match)
    ruleset = load(str(tmp_path / "rules.toml"), Disk({}), missing="placeholder").ruleset
    assert said["yes"] or said["no"]
    for expected, stories in (("match", said["yes"]), ("no", said["no"]), ("error", said.get("error", []))):
        for story in stories:
            *previous, event = events(story)
            found = preview(ruleset, event, previous)
            assert found.changes, f"nothing changed: {found.reason}"
            (verdict,) = found.plan.verdicts[found.changes[0].id]
            assert verdict.verdict == expected, f"{story}: {verdict.clauses}"


def test_every_clause_has_an_example() -> None:
    written = "".join(example.partition("yes = ")[0] for example in EXAMPLES)
    for clause in (*STRINGS, *SETS, *NUMBERS, *BOOLS, "where", "when", "any", "all", "none", "during"):
        assert re.search(rf"\b{clause} = ", written), clause


def test_every_operator_and_form_has_an_example() -> None:
    written = "".join(example.partition("yes = ")[0] for example in EXAMPLES)
    for operator in (*ITEM_KEYS, *TEXT_KEYS, *SET_KEYS, "ignore_case", "ne", "gte", "lt"):
        assert re.search(rf"\b{operator} = ", written), operator


def test_the_file_at_the_top_of_the_page_is_a_good_one(tmp_path: Path) -> None:
    (example,) = [block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("include")]
    (tmp_path / "rules.toml").write_text(example)
    assert load(str(tmp_path / "rules.toml"), Disk({}), missing="placeholder").ruleset.rules


def test_every_template_name_and_filter_is_on_its_page() -> None:
    page = (DOCS / "templates.md").read_text()
    words = set(re.findall(r"\w+", page))
    for name, shape in KNOWN.items():
        assert name in words
        if isinstance(shape, dict):
            assert words >= shape.keys(), name
    assert words >= {*OURS, *FROM_JINJA}
