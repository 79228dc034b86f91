"""Changes to judge, and one-line ways to judge them."""

from typing import Any

import msgspec

from router.domain.change import Change
from router.domain.event import Event
from router.domain.json import Json
from router.domain.ledger import Ledger
from router.domain.routing import ClauseVerdict
from router.engine.context import Setting
from router.engine.ledger import change_of, derive, with_contents
from router.engine.match import Judgement, Match, Vocabulary, compile_match
from tests.build import KEY, prompt_event

SETTING = Setting(rule="rule")
NOTHING = Vocabulary()


def changes(*batches: list[Event]) -> tuple[Change, ...]:
    """Return the changes of the last batch."""
    ledger = Ledger(prompt=KEY)
    for batch in batches[:-1]:
        ledger = derive(ledger, batch).ledger
    derived = derive(ledger, batches[-1])
    return tuple(with_contents(change, derived.ledger.contents) for change in derived.changes)


HISTORY = [
    prompt_event("created", 3, ["production", "latest"], updated=0, tags=["shop"]),
    prompt_event("created", 4, ["latest"], updated=10, tags=["shop"]),
    prompt_event("updated", 3, ["production"], updated=10, tags=["shop"]),
]
MOVE = [
    prompt_event("updated", 4, ["production", "latest"], updated=20, tags=["shop"], message="shorter"),
    prompt_event("updated", 3, [], updated=20, tags=["shop"]),
]
BACK = [
    prompt_event("updated", 3, ["production"], updated=30, tags=["shop"]),
    prompt_event("updated", 4, ["latest"], updated=30, tags=["shop"]),
]
(MOVED, HALF) = changes(HISTORY, MOVE)
(_, ROLLED_BACK) = changes(HISTORY, MOVE, BACK)
(QUIET,) = changes([prompt_event("created", 1, ["latest"], updated=0)], [prompt_event("updated", 1, [], updated=9)])
(DELETED,) = changes([prompt_event("created", 1, ["latest"], updated=0)], [prompt_event("deleted", 1, [], updated=9)])
ALERT = change_of(
    msgspec.structs.replace(
        prompt_event("created", 1, updated=0),
        type="monitor-alert",
        action=None,
        prompt=None,
        snapshot=None,
        body={"type": "monitor-alert", "payload": {"severity": "high"}},
    )
)


def compiled(match: dict[str, Any], vocabulary: Vocabulary = NOTHING) -> Match:
    result, faults = compile_match(match, vocabulary)
    assert not faults
    return result


def judged(change: Change, match: dict[str, Any], vocabulary: Vocabulary = NOTHING) -> Judgement:
    return compiled(match, vocabulary).decide(change, SETTING)


def answer(change: Change, **match: Any) -> str:
    return judged(change, match).answer


def verdict(change: Change, **clause: Any) -> ClauseVerdict:
    """Return the verdict of the one clause."""
    return judged(change, clause).clauses[-1]


def faults(match: dict[str, Json], vocabulary: Vocabulary = NOTHING) -> list[str]:
    return [f"{'.'.join(map(str, path))}: {what}" for path, what in compile_match(match, vocabulary)[1]]
