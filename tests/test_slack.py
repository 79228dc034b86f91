"""Slack messages: what Slack's limits make of them, and that a prompt cannot say anything in them but text."""

from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.change import Change, Move, Version
from router.domain.event import Content, Event, PromptKey, User
from router.domain.json import Json, JsonObject
from router.engine.context import Setting, Told
from router.engine.writers import slack_builtin, slack_limits
from tests.build import NOON

NASTY = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "<!channel>", "<!here|x>", "<@U123>", "<#C123>", "<https://evil.example|click>", "https://evil.example",
            "*bold*", "_i_ ~s~ `c`", "```\nx", "> quote", ":warning:", "@here", "&lt;!channel&gt;", "<!subteam^S1>",
        ]
    ),
    st.lists(st.sampled_from("<>!@#|*_~`:&;\n x"), max_size=30).map("".join),
)  # fmt: skip
SETTING = Setting(rule="r", vars={}, project_urls={"prod": "https://langfuse.example.com"})


@st.composite
def told(draw: st.DrawFn) -> Told:
    key = PromptKey("prod", "project", draw(NASTY))
    labels = tuple(draw(st.lists(NASTY.filter(bool), max_size=3, unique=True)))
    tags = tuple(draw(st.lists(NASTY.filter(bool), max_size=3, unique=True)))
    content = Content(type="text", prompt=draw(NASTY), config={}, commit_message=draw(st.none() | NASTY))
    old = Version(id="v1", number=1, labels=(), tags=(), content=Content(type="text", prompt=draw(NASTY), config={}))
    event = Event(
        id="e", source="prod", type="prompt-version", timestamp=NOON, received_at=NOON, body={}, action="updated",
        user=draw(st.none() | st.builds(User, NASTY, NASTY)), project_id="project", prompt=key,
    )  # fmt: skip
    change = Change(
        id="c", event=event, type="prompt-version", origin="webhook", action="updated", prompt=key,
        version=Version(id="v2", number=2, labels=labels, tags=tags, content=content),
        labels_gained=labels[:1], labels_lost=labels[1:2], tags_gained=tags[:1],
        moved=tuple(Move(label, 1, 2) for label in labels[:1]), replaced=dict.fromkeys(labels[:1], old),
    )  # fmt: skip
    return Told(change, labels[0] if labels else None)


def elements(tree: Json) -> Iterator[JsonObject]:
    """Yield every object of Block Kit in a tree."""
    if isinstance(tree, list | tuple):
        for one in tree:
            yield from elements(one)
    elif isinstance(tree, dict):
        if "type" in tree:
            yield cast("JsonObject", tree)
        for value in tree.values():
            yield from elements(value)


@given(st.lists(told(), min_size=1, max_size=6))
def test_no_text_of_a_prompt_becomes_a_mention_a_link_or_formatting(found: list[Told]) -> None:
    blocks = slack_builtin.blocks(found, SETTING, "full")
    assert list(slack_limits.faults(blocks)) == []
    assert len(blocks) <= slack_limits.MOST_BLOCKS
    for element in elements(list(blocks)):
        # of all that Block Kit has, only these: none of them interprets its text, and none mentions anybody
        assert element["type"] in {
            "rich_text", "rich_text_section", "rich_text_quote", "rich_text_preformatted",
            "rich_text_list", "text", "link", "context", "plain_text",
        }  # fmt: skip
        if element["type"] == "link":
            assert str(element["url"]).startswith("https://langfuse.example.com/project/project/prompts/")
            assert not set(str(element["url"])) & set('<>|" \n')
        if element["type"] in ("text", "link"):
            assert element["text"]
    line = slack_builtin.line(found, SETTING)
    assert not set(line) & set("<>")


@given(told())
def test_only_the_title_and_what_was_gained_or_lost_has_a_style(one: Told) -> None:
    styled = [element for element in elements(list(slack_builtin.blocks([one], SETTING, "full"))) if "style" in element]
    change = one.change
    title = " ".join(change.prompt.name.split() if change.prompt else []) or "(no name)"
    assert [element["text"] for element in styled if element["style"] == {"bold": True}] == [
        title,
        *(f"+{name}" for name in (*change.labels_gained, *change.tags_gained)),
    ]
    assert [element["text"] for element in styled if element["style"] == {"strike": True}] == [*change.labels_lost]


def read_back(blocks: tuple[JsonObject, ...]) -> str:
    texts = [cast("JsonObject", block["text"])["text"] for block in blocks if block["type"] == "section"]
    return "".join(map(str, texts))


@given(
    st.lists(
        st.sampled_from(["word ", "line\n", "<https://x.example|a link> ", "&lt;", "```", "é" * 700]), max_size=200
    )
)
def test_a_long_text_is_split_into_sections_that_lose_nothing(parts: list[str]) -> None:
    text = "".join(parts)[: slack_limits.LONGEST_TEXT]
    blocks = slack_limits.sections(text)
    assert list(slack_limits.faults(blocks)) == []
    assert len(blocks) <= slack_limits.MOST_BLOCKS

    def bare(value: str) -> str:
        return "".join(value.replace("```", "").split())

    assert bare(read_back(blocks)) == bare(text)
    for block in blocks:
        part = str(cast("JsonObject", block["text"])["text"])
        assert len(part) <= slack_limits.LONGEST_SECTION
        assert part.count("<") == part.count(">") or len(blocks) == 1 or text.count("<") != text.count(">")


def test_what_is_longer_than_slack_takes_is_cut_with_a_note() -> None:
    blocks = slack_limits.sections("line of text\n" * 5_000)
    assert len(read_back(blocks)) <= slack_limits.LONGEST_TEXT
    assert blocks[-1] == {
        "type": "context",
        "elements": [{"type": "plain_text", "text": "… 25,000 more characters cut", "emoji": False}],
    }


def test_blocks_are_cut_to_slacks_limits() -> None:
    section: JsonObject = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 5_000}}
    header: JsonObject = {"type": "header", "text": {"type": "plain_text", "text": "x" * 500}}
    blocks = slack_limits.fitted([header, *[section] * 60])
    assert list(slack_limits.faults(blocks)) == []
    assert len(blocks) == slack_limits.MOST_BLOCKS
    assert "12 more blocks were cut" in str(blocks[-1])


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "sektion"}, "no block has the type 'sektion'"),
        ({"text": "x"}, "no block has the type None"),
        ({"type": "section"}, "text or fields attribute must be specified"),
        ({"type": "divider", "block_id": "x" * 300}, "block_id cannot exceed 255 characters"),
    ],
)
def test_what_is_no_block_is_refused_with_a_reason(block: JsonObject, said: str) -> None:
    (fault,) = slack_limits.faults([block])
    assert fault.startswith("blocks[0]: ")
    assert said in fault
