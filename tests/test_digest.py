"""Many changes in one built-in message: short, complete, and within every channel's limits."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.change import Change
from router.domain.event import Event
from router.domain.ledger import Ledger
from router.domain.problem import RulesError
from router.engine.context import Setting, Told, context_of
from router.engine.ledger import change_of, derive, with_contents
from router.engine.order import in_order
from router.engine.template import MAX_OUTPUT
from router.engine.writers import email_builtin, slack_builtin, slack_limits
from router.engine.writers.json_body import json_body
from router.engine.writers.one_line import ONE_LINE, one_line
from tests.build import KEY, at, prompt_event, ruleset_of

SETTING = Setting(rule="digest", project_urls={"prod": "https://cloud.langfuse.com"})


def changes(*events: Event, known: Sequence[Event] = ()) -> list[Change]:
    assert events[0].prompt is not None
    before = derive(Ledger(prompt=events[0].prompt), known).ledger if known else Ledger(prompt=events[0].prompt)
    derived = derive(before, events)
    return [with_contents(change, derived.ledger.contents) for change in derived.changes if not change.half]


def created(name: str, version: int = 1, labels: Sequence[str] = (), **more: Any) -> list[Change]:
    key = msgspec.structs.replace(KEY, name=name)
    more.setdefault("updated", version)
    return changes(prompt_event("created", version, labels, key=key, **more))


def tell(found: Sequence[Change]) -> tuple[Told, ...]:
    return tuple(Told(change, None) for change in in_order(found))


def line(found: Sequence[Change]) -> str:
    return one_line(tell(found), SETTING)


def slack(found: Sequence[Change]) -> list[str]:
    """Return the lines of the Slack blocks."""
    return list(lines(slack_builtin.blocks(tell(found), SETTING, "full")))


def lines(part: Any) -> Iterator[str]:
    if isinstance(part, list | tuple):
        for inner in part:
            yield from lines(inner)
    elif part["type"] == "rich_text_section" or "text" in part:
        yield "".join(inner["text"] for inner in part.get("elements", [part]))
    else:
        yield from lines(part["elements"])


CART = [
    prompt_event("created", 3, ["production"], updated=1, text="Hello {{name}}"),
    prompt_event("created", 4, ["latest"], updated=2, text="Hello {{name}}, {{tier}}"),
]
PROMOTED = changes(
    prompt_event("updated", 4, ["production", "latest"], updated=60, text="Hello {{name}}, {{tier}}"),
    prompt_event("updated", 3, [], updated=60, text="Hello {{name}}"),
    known=CART,
)
DELETED = changes(
    *(prompt_event("deleted", n, ["production"] if n == 7 else [], updated=n, sent=900) for n in range(1, 51)),
    known=[prompt_event("created", n, ["production"] if n == 7 else [], updated=n) for n in range(1, 51)],
)
COPIES = [
    change
    for n in range(500)
    for change in created(f"copies/p{n}", labels=["production", "latest"], updated=n / 100, text="x" * 3000)
]


def test_few_changes_are_told_in_full() -> None:
    found = [*PROMOTED, *created("search", by="Bob")]
    assert line(found) == (
        "2 changes to 2 prompts: search: v1 created (Bob) | checkout/cart: production moved v3 → v4 (Ann)"
    )
    text = email_builtin.text(tell(found), SETTING, "full")
    assert "+Hello {{name}}, {{tier}}" in text
    assert "\n+Hello {{name}}, {{tier}}\n" in "\n".join(slack(found)).replace("```", "\n")


def test_many_changes_are_told_prompt_by_prompt() -> None:
    found = [
        *PROMOTED,
        *created("search", 1, by="Bob"),
        *created("search", 2, by="Bob", updated=5),
        *created("search", 3, ["staging"], by="Bob", updated=7200),
    ]
    assert slack(found) == [
        "4 changes to 2 prompts",
        "search: v1–v3 created; staging set on v3 (Bob)",
        "checkout/cart: production moved v3 → v4 (Ann)\n⚠ new variable: tier (callers must pass it)",
        "2026-11-24 12:00 – 14:00 UTC",
    ]
    blocks: Any = slack_builtin.blocks(tell(found), SETTING, "full")
    links = [item["elements"][0] for item in blocks[0]["elements"][1]["elements"]]
    assert [link["url"] for link in links] == [
        "https://cloud.langfuse.com/project/project/prompts/search?version=3",
        "https://cloud.langfuse.com/project/project/prompts/checkout%2Fcart?version=4",
    ]
    mail = email_builtin.text(tell(found), SETTING, "full").split("\n")
    assert mail[0] == "4 changes to 2 prompts"
    assert "* checkout/cart: production moved v3 → v4 (Ann)" in mail
    assert "    WARNING: new variable: tier (callers must pass it)" in mail
    assert "tier" not in email_builtin.text(tell(found), SETTING, "none")


def test_what_several_people_did_to_one_prompt_names_it_once() -> None:
    found = [*created("search", 1, by="Bob"), *created("search", 2, by="Ann")]
    assert line(found) == "2 changes to search: v1 created (Bob) | v2 created (Ann)"


def test_fifty_versions_deleted_are_one_line() -> None:
    said = "50 changes to checkout/cart by Ann: v1–v50 deleted, none left; production removed from v7"
    assert line(DELETED) == said
    assert email_builtin.subject(tell(DELETED), SETTING) == said
    assert "v1–v50 deleted, none left" in email_builtin.html(tell(DELETED), SETTING, "full")


def test_five_hundred_copies_are_one_line() -> None:
    assert line(COPIES) == (
        "500 changes to 500 prompts by Ann: v1 created; production set on v1 in 500 prompts: "
        "copies/p0, copies/p1, copies/p2 and 497 more"
    )
    assert slack(COPIES)[1].endswith("copies/p18, copies/p19 and 480 more")
    for message in (
        slack_builtin.blocks(tell(COPIES), SETTING, "full"),
        email_builtin.html(tell(COPIES), SETTING, "full"),
    ):
        assert len(msgspec.json.encode(message)) < 10_000


def test_different_things_are_listed_the_latest_last() -> None:
    found = [change for n in range(100) for change in created(f"p{n}", n + 1, by=f"user{n}", updated=n)]
    texts = slack(found)
    assert texts[1].startswith("… and ")
    assert texts[1].endswith(" earlier changes")
    assert len(texts) == 3 + 100 - int(texts[1].split()[2])
    assert texts[-2] == "p99: v100 created (user99)"
    assert email_builtin.text(tell(found), SETTING, "full").count("\n* ") == 100


def test_events_of_no_prompt_are_counted_as_what_they_are() -> None:
    alerts = [
        change_of(Event(id=f"a{n}", source="prod", type="monitor-alert", timestamp=at(n), received_at=at(n), body={}))
        for n in range(4)
    ]
    assert line(alerts).startswith("4 events: ")
    assert line([*alerts, *created("search")]).startswith("5 changes: ")


NAMES = st.text(min_size=1, max_size=300) | st.sampled_from(["<!channel>", "a|b>", "*x*", "@here", "x" * 2000])


@given(st.lists(st.tuples(NAMES, st.text(max_size=20), st.lists(st.text(min_size=1), max_size=3)), min_size=4))
def test_whatever_the_names_a_digest_is_data_within_slacks_limits(found: list[tuple[str, str, list[str]]]) -> None:
    told = tell(
        [
            change
            for n, (name, by, labels) in enumerate(found)
            for change in created(f"{name}{n}", n + 1, labels, by=by or None, updated=n)
        ]
    )
    blocks: Any = slack_builtin.blocks(told, SETTING, "full")
    assert list(slack_limits.faults(blocks)) == []
    assert len(msgspec.json.encode(blocks)) < 20_000
    texts = list(lines(blocks))
    assert texts[0].startswith(f"{len(found)} changes")
    assert "\n" not in email_builtin.subject(told, SETTING)
    assert len(one_line(told, SETTING)) <= ONE_LINE


# ---- bodies for machines


def test_a_few_changes_are_all_in_the_body() -> None:
    body: Any = json_body(context_of(tell(PROMOTED * 2), SETTING))
    assert [change["prompt"]["text"] for change in body["changes"]] == ["Hello {{name}}, {{tier}}"] * 2
    assert "changes_left_out" not in body


@pytest.mark.parametrize(("each", "left_out"), [(3_000, False), (50, True)])
def test_a_body_trims_itself(each: int, left_out: bool) -> None:
    """Without the texts first, then without the earliest changes."""
    found = COPIES if not left_out else [change for n in range(1000) for change in created(f"p{n}" + "y" * 1000)]
    body: Any = json_body(context_of(tell(found), SETTING))
    assert len(msgspec.json.encode(body)) < MAX_OUTPUT
    assert (body["changes_left_out"] > 0) is left_out
    assert len(body["changes"]) + body["changes_left_out"] == len(found)
    assert body["changes"][-1]["prompt"]["name"] == body["prompt"]["name"]
    assert "text" not in body["changes"][0]["prompt"]
    assert body["prompt"]["text"]


# ---- templates that tell several


RULES = """
[sources.prod]
secret = "${SECRET}"
[destinations.log]
type = "log"
[[rules]]
name = "digest"
KEYS
actions = [{ to = "log", text = "TEXT" }]
"""


@pytest.mark.parametrize("keys", ['collect = "1h"', 'throttle = "1h"', 'group = "prompt"'])
def test_templates_of_rules_that_may_tell_several_are_tried_with_several(keys: str) -> None:
    rules = RULES.replace("KEYS", keys)
    ruleset_of(rules.replace("TEXT", "{{ held }} of {{ changes | length }}: {{ changes[-1].prompt.name }}"))
    with pytest.raises(RulesError, match="fails for several changes together"):
        ruleset_of(rules.replace("TEXT", "{% if changes | length > 1 %}{{ 1 // 0 }}{% endif %}"))
    ruleset_of(RULES.replace("KEYS", "").replace("TEXT", "{% if changes | length > 1 %}{{ 1 // 0 }}{% endif %}"))
