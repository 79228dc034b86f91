"""The rules in the pages about firings can be copied as they stand."""

import re
from pathlib import Path

import pytest

from tests.build import ruleset_of

DOCS = Path(__file__).parent.parent / "docs"
HEAD = """
[sources.prod]
secret = "${SECRET}"
[destinations.journal]
type = "log"
[destinations.team]
type = "slack"
webhook_url = "https://hooks.slack.com/services/x"
"""
EXAMPLES = [
    (page, text)
    for page in ("reference/firing.md", "how-to/digests-and-noise.md")
    for text in re.findall(r"^```toml\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_an_example_loads(page: str, text: str) -> None:
    assert ruleset_of(HEAD + text).rules


@pytest.mark.parametrize("page", ["reference/firing.md", "how-to/digests-and-noise.md"])
def test_the_examples_of_a_page_go_together(page: str) -> None:
    ruleset_of(HEAD + "".join(text for where, text in EXAMPLES if where == page))
