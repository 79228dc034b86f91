"""A Slack message as the console shows it."""

from html.parser import HTMLParser

from hypothesis import given

from router.domain.json import JsonObject
from router.domain.message import SlackMessage
from router.engine.context import Told
from router.engine.writers import slack_builtin
from router.service.console.slack import slack_html
from tests.test_slack import SETTING, elements, told


class Page(HTMLParser):
    """What a browser makes of a piece of HTML: its tags, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.said += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.said += data


def shown(*blocks: JsonObject) -> Page:
    return Page(str(slack_html(SlackMessage(text="", blocks=blocks))))


@given(told())
def test_all_that_the_built_in_message_says_is_shown_as_text(one: Told) -> None:
    blocks = slack_builtin.blocks([one], SETTING, "full")
    page = shown(*blocks)
    for element in elements(list(blocks)):
        if element["type"] in ("text", "link"):
            assert str(element["text"]).replace("\r", "") in page.said.replace("\r", "")
    assert set(page.tags) <= {"div", "strong", "s", "q", "pre", "a", "br"}


def test_rich_text_has_its_lists_styles_and_links() -> None:
    line: JsonObject = {
        "type": "rich_text_section",
        "elements": [
            {"type": "link", "url": "https://x.example", "text": "a <b>", "style": {"bold": True}},
            {"type": "text", "text": "gone", "style": {"strike": True, "odd": True}},
            {"type": "text", "text": "two\nlines"},
        ],
    }
    page = shown({"type": "rich_text", "elements": [line, {"type": "rich_text_list", "elements": [line]}]})
    assert page.said == "a <b>gonetwo\nlines" * 2
    assert page.tags.count("strong") == page.tags.count("s") == page.tags.count("a") == 2
    assert page.tags.count("li") == 1
    assert set(page.links) == {"https://x.example"}


def test_a_link_that_a_browser_would_run_is_no_link() -> None:
    bad = {"type": "link", "url": "javascript:alert(1)", "text": "click"}
    page = shown({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [bad]}]})
    assert (page.links, page.said) == ([], "click")


def test_what_is_no_block_kit_breaks_nothing() -> None:
    for elements_ in (None, 5, [5, {"elements": "x"}], [{"type": "rich_text_quote", "elements": [[]]}]):
        shown({"type": "rich_text", "elements": elements_})  # type: ignore[dict-item]
