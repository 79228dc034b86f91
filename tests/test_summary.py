"""The built-in messages say what changed: in words, with variables, diffs and as much of the text as may be shown."""

from collections.abc import Sequence

import msgspec
import pytest

from router.domain.change import Change
from router.domain.destination import ContentShown
from router.domain.json import Json
from router.domain.ledger import Ledger
from router.engine.context import Setting, Told, context_of
from router.engine.ledger import derive, with_contents
from router.engine.template import MAX_OUTPUT
from router.engine.writers import email_builtin, slack_builtin
from router.engine.writers.json_body import json_body
from tests.build import KEY, prompt_event

SETTING = Setting(rule="promoted", project_urls={"prod": "https://langfuse.example.com"})
V3 = "You sell shoes.\nAsk for the size.\nBe friendly."
V4 = "You sell shoes.\nAsk for the size.\nAsk for {{customer_tier}}.\nBe friendly."


def promoted(old: Json, new: Json, old_config: Json = None, new_config: Json = None) -> Told:
    """Return the move of `production` from v3 to v4."""
    before = [
        prompt_event("created", 3, ["production", "latest"], updated=0, text=old, config=old_config),
        prompt_event("created", 4, ["latest"], updated=10, text=new, config=new_config),
    ]
    ledger = derive(Ledger(prompt=KEY), before).ledger
    gain = prompt_event("updated", 4, ["production", "latest"], updated=20, text=new, config=new_config, message="tier")
    derived = derive(ledger, [gain])
    (change,) = [change for change in derived.changes if not change.half and not change.quiet]
    return Told(with_contents(change, derived.ledger.contents), "production")


def slack(told: Sequence[Told], shown: ContentShown = "full") -> str:
    return msgspec.json.encode(slack_builtin.blocks(told, SETTING, shown)).decode()


def everywhere(told: Told, shown: ContentShown) -> list[str]:
    """Return the message of every channel that shows a prompt's text."""
    return [
        slack([told], shown),
        email_builtin.text([told], SETTING, shown),
        email_builtin.html([told], SETTING, shown),
    ]


def test_full_messages_show_the_move_the_new_variable_and_a_short_diff() -> None:
    for message in everywhere(promoted(V3, V4), "full"):
        assert "production moved v3 → v4" in message
        assert "new variable: customer_tier (callers must pass it)" in message
        assert "+Ask for {{customer_tier}}." in message
        assert "text against v3: +1 −0 lines" in message
        assert "Ann" in message


def test_a_variable_that_went_is_said_too() -> None:
    for message in everywhere(promoted(V4, V3), "full"):
        assert "variable gone: customer_tier" in message


def test_summaries_count_the_lines_and_none_shows_nothing_of_the_text() -> None:
    for message in everywhere(promoted(V3, V4), "summary"):
        assert "text against v3: +1 −0 lines" in message
        assert "new variable: customer_tier" in message
        assert "+Ask for" not in message
    for message in everywhere(promoted(V3, V4), "none"):
        assert "production moved v3 → v4" in message
        assert "customer_tier" not in message
        assert "+1" not in message


def test_a_config_that_changed_is_shown_like_the_text() -> None:
    told = promoted(V3, V3, {"model": "small", "t": 0}, {"model": "large", "t": 0})
    for message in everywhere(told, "full"):
        assert "the text is the same as in v3" in message
        assert "config against v3: +1 −1 lines" in message
        assert "large" in message
    for message in everywhere(told, "summary"):
        assert "large" not in message


def test_a_config_that_the_event_does_not_say_has_no_diff() -> None:
    told = promoted(V3, V4, {"model": "small"}, {"model": "small"})
    assert told.change.version is not None
    assert told.change.version.content is not None
    silent = msgspec.structs.replace(told.change.version.content, config=msgspec.UNSET)
    change: Change = msgspec.structs.replace(
        told.change, version=msgspec.structs.replace(told.change.version, content=silent)
    )
    context = context_of([Told(change, "production")], SETTING)
    assert context["change"]["config_diff"] == ""  # type: ignore[index]


@pytest.mark.parametrize("kind", ["text", "chat"])
def test_prompts_of_200_kb_make_messages_within_every_limit(kind: str) -> None:
    def prompt(word: str) -> Json:
        text = "\n".join(f"{word} line {number} of a long prompt" for number in range(7_000))
        return text if kind == "text" else [{"role": "system", "content": text}, {"role": "user", "content": "{{x}}"}]

    told = promoted(prompt("old"), prompt("new"))
    blocks = slack_builtin.blocks([told], SETTING, "full")
    for block in blocks:
        assert len(str(block.get("text", {}).get("text", ""))) <= slack_builtin.LONGEST  # type: ignore[union-attr]
    assert "only 2,000 lines were compared" in slack([told])
    assert len(email_builtin.text([told], SETTING, "full")) < 10_000
    for several in ([told], [told] * 10):
        assert len(msgspec.json.encode(json_body(context_of(several, SETTING)))) < MAX_OUTPUT


def test_texts_that_are_too_much_for_a_body_are_cut_and_say_so() -> None:
    told = promoted("old text " * 60_000, "new text " * 60_000)
    body = json_body(context_of([told], SETTING))
    assert len(msgspec.json.encode(body)) < MAX_OUTPUT
    assert "more characters)" in str(body)


def test_a_body_that_is_small_enough_is_whole() -> None:
    context = context_of([promoted(V3, V4)], SETTING)
    body = json_body(context)
    assert body == {key: context[key] for key in ("event", "prompt", "author", "label", "change", "rule")}


def test_a_long_paragraph_is_shown_where_it_differs() -> None:
    paragraph = "This is a paragraph as people write them, without a single line break in it. " * 30
    told = promoted(f"{paragraph}The end was old.", f"{paragraph}The end is new.")
    for message in everywhere(told, "full"):
        assert "The end was old." in message
        assert "The end is new." in message
