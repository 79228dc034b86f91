"""The index finds every rule that matches or errs, and little else."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.change import Change
from router.domain.event import PromptKey
from router.domain.ledger import Ledger
from router.engine.index import Index
from router.engine.ledger import derive, with_contents
from router.engine.match import Vocabulary, compile_matches
from tests.build import prompt_event
from tests.match.cases import ALERT, DELETED, HALF, MOVED, QUIET, ROLLED_BACK, SETTING, changes, compiled

LABELS = ("production", "staging", "latest")
PROMPTS = ("a", "a/b", "a/b/c", "b", "checkout/cart", "*")

STRINGS: list[Any] = [*PROMPTS, "a/**", "a/*", "**", "a*", "?", "[ab]", "A/**", "**/c", "!a", "!a/**", "!*", "[*]"]
NAMES: list[Any] = [*LABELS, "*", "prod*", "x", "[l]atest"]
SETS: list[Any] = [*NAMES, *({key: name} for key in ("any", "all", "none") for name in NAMES)]
FORMS: dict[str, list[Any]] = {
    "prompt": [*STRINGS, {"prefix": "a"}, {"prefix": ""}, {"prefix": "A", "ignore_case": True}, {"regex": "a/.*"}],
    "action": ["created", "!created", ["updated", "deleted"], "*", {"prefix": "up"}],
    "type": ["prompt-version", "*", "monitor-*", "!monitor-alert", ["router.x", "prompt-**"]],
    "source": ["prod", "dev", "d*", "!dev"],
    "project": ["project", "other", "p*"],
    "origin": ["webhook", "inferred", "!webhook"],
    "author": ["ann", "!ann", "b*"],
    "version": [1, {"gte": 2}],
    "rollback": [True, False],
    "quiet": [True, False],
    "where": [[{"path": "$.type", "gt": 1}]],
    "when": ["1 / 0"],
    **dict.fromkeys(["labels", "labels_gained", "labels_lost", "labels_removed", "tags", "tags_gained"], SETS),
}
EVERY_CLAUSE = [
    match
    for name, forms in FORMS.items()
    for form in forms
    for match in ({name: form}, {"type": "*", "quiet": True, name: form})
]

simple = st.lists(st.sampled_from(list(FORMS)), max_size=3, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({name: st.sampled_from(FORMS[name]) for name in chosen})
)


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.lists(inner.filter(bool) | st.sampled_from(["named", "failing"]), min_size=1, max_size=3)
    groups = st.dictionaries(st.sampled_from(["any", "all", "none"]), members, min_size=1, max_size=2)
    return st.tuples(simple, groups).map(lambda parts: {**parts[0], **parts[1]})


matches = st.recursive(simple, nested, max_leaves=6)

events = st.builds(
    prompt_event,
    st.sampled_from(["created", "updated", "updated", "deleted"]),
    st.integers(1, 4),
    st.none() | st.lists(st.sampled_from(LABELS), unique=True),
    updated=st.integers(0, 20),
    tags=st.none() | st.lists(st.sampled_from(["latest", "x"]), unique=True),
    by=st.sampled_from([None, "Ann", "Bob"]),
)


@st.composite
def some_changes(draw: st.DrawFn) -> list[Change]:
    """Return every change of a story, events that came one by one."""
    key = PromptKey(draw(st.sampled_from(["prod", "dev"])), "project", draw(st.sampled_from(PROMPTS)))
    ledger = Ledger(prompt=key)
    found: list[Change] = []
    for event in draw(st.lists(events, min_size=3, max_size=8)):
        derived = derive(ledger, [msgspec.structs.replace(event, prompt=key, source=key.source)])
        found += (with_contents(change, derived.ledger.contents) for change in derived.changes)
        ledger = derived.ledger
    return found


TYPICAL = [MOVED, HALF, ROLLED_BACK, QUIET, DELETED, ALERT]

KNOWN, _ = compile_matches(
    {"named": {"labels_gained": "production"}, "failing": {"where": [{"path": "$.type", "gt": 1}]}}, {}, {}
)
ALWAYS = [compiled(match) for match in EVERY_CLAUSE]


@settings(max_examples=40, deadline=None)  # each is a few hundred rules against a dozen changes
@given(st.lists(matches, max_size=12), some_changes())
def test_every_rule_that_matches_or_errs_is_a_candidate(written: list[dict[str, Any]], found: list[Change]) -> None:
    rules = [*ALWAYS, *(compiled(match, KNOWN) for match in written)]
    index = Index(rules)
    for change in (*TYPICAL, *found):
        answers = [rule.decide(change, SETTING).answer for rule in rules]
        candidates = index.candidates(change)
        assert candidates == sorted(candidates)
        assert {place for place, answer in enumerate(answers) if answer != "no"} <= set(candidates)


def candidates(*written: dict[str, Any], change: Change = MOVED, known: Vocabulary = KNOWN) -> list[int]:
    return Index([compiled(match, known) for match in written]).candidates(change)


def test_rules_are_found_by_what_fewest_share() -> None:
    """MOVED is an update of checkout/cart by which v4 gained production and had the tag shop."""
    others = [{"action": "updated", "prompt": f"team-{n}/**", "labels_gained": "production"} for n in range(50)]
    assert candidates(*others) == []
    assert candidates(*others, {"prompt": "checkout/**"}, {"prompt": "checkout/cart"}) == [50, 51]
    assert (
        candidates(*({**one, "prompt": "checkout/**", "labels_gained": f"l{n}"} for n, one in enumerate(others))) == []
    )


def test_what_a_rule_needs_is_read_from_each_kind_of_clause() -> None:
    assert candidates(
        {"action": "deleted"},
        {"action": ["!updated"]},
        {"type": "monitor-alert"},
        {"type": "router.*"},
        {"source": "dev"},
        {"labels_gained": "staging"},
        {"labels_gained": {"all": ["production", "staging"]}},
        {"labels_lost": "*"},
        {"tags_gained": "*"},
        {"labels": {"any": "canary"}},
        {"all": [{"labels_gained": "*"}, {"prompt": "search/**"}]},
        {"any": [{"prompt": "search/**"}, {"labels_gained": "staging"}, {"all": [{"action": "created"}]}]},
        {"prompt": {"prefix": "search"}},
        {"any": ["failing", {"labels_gained": "staging"}]},
        {"labels_gained": "prod*"},
        {"any": ["named", {"prompt": "search/**"}]},
        {"none": [{"labels_gained": "production"}]},
        {},
    ) == [13, 14, 15, 16, 17]


def test_quiet_changes_and_losing_halves_ask_only_the_rules_that_want_them() -> None:
    before = [prompt_event("created", 1, ["latest"], updated=0)]
    (quiet,) = changes(before, [prompt_event("updated", 1, [], updated=9)])
    rules: list[dict[str, Any]] = [
        {},
        {"quiet": True},
        {"labels": "latest"},
        {"labels_lost": "latest"},
        {"any": [{"labels_lost": "latest"}]},
    ]
    assert candidates(*rules, change=quiet) == [1, 3, 4]
