"""What a prompt says: its text, its variables, its config."""

import pytest
from msgspec import UNSET

from router.domain.event import Content
from router.domain.json import Json
from router.engine.content import config_text, text_of, variables_of

CHAT: list[Json] = [
    {"role": "system", "content": "Be brief.\nSay {{ greeting }}."},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "content": "{{question}}"},
    {"role": "user", "content": [{"type": "text", "text": "{{attachment}}"}]},
]


def test_a_chat_reads_as_one_text() -> None:
    assert text_of(Content(type="chat", prompt=CHAT)) == (
        "system: Be brief.\nSay {{ greeting }}.\n\n"
        "[placeholder: history]\n\n"
        "user: {{question}}\n\n"
        'user: [{"type":"text","text":"{{attachment}}"}]'
    )


def test_the_variables_of_a_chat_are_those_of_its_messages_and_its_placeholders() -> None:
    assert variables_of(Content(prompt=CHAT)) == frozenset({"greeting", "history", "question", "attachment"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{a}} {{ b }} {{a}}", {"a", "b"}),
        ("{{customer_tier}} {{_x1}} {{größe}} {{名前}}", {"customer_tier", "_x1", "größe", "名前"}),
        ("{{{triple}}}", {"triple"}),
        ("{{1st}} {{two words}} {{}} {{ }} {single} {{open", set()),
        ("{{" * 50_000 + " " * 50_000, set()),
    ],
)
def test_variables_are_what_langfuse_takes_for_them(text: str, names: set[str]) -> None:
    assert variables_of(Content(prompt=text)) == frozenset(names)


def test_what_an_event_does_not_say_is_not_known() -> None:
    for content in (None, Content(), Content(prompt=None)):
        assert text_of(content) is None
        assert variables_of(content) is None
    assert config_text(None) is config_text(Content()) is None
    assert config_text(Content(config=None)) == ""


def test_a_config_is_compared_whatever_the_order_of_its_keys() -> None:
    first: Json = {"model": "m", "options": {"b": 1, "a": [1, 2]}}
    second: Json = {"options": {"a": [1, 2], "b": 1}, "model": "m"}
    assert config_text(Content(config=first)) == config_text(Content(config=second))
    assert config_text(Content(config=UNSET)) is None
