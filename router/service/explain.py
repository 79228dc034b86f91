"""Why somebody was, or was not, told about a prompt: its last events, what the rules said, what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from router.domain.routing import RuleVerdict
from router.engine.explain import nearest_first
from router.engine.plan import judge_all
from router.engine.ruleset import Ruleset
from router.engine.suggest import suggestion
from router.storage.records import (
    ChangeRecord,
    DeliveryRecord,
    EventFilter,
    EventRecord,
    HeldRecord,
)
from router.storage.store import Store

MISSES_SHOWN: Final = 3


class ChangeStory(Struct, frozen=True, kw_only=True):
    """What the rules in force say to a stored change, the nearest misses first; none where the event is forgotten."""

    change: ChangeRecord
    matched: tuple[RuleVerdict, ...]
    missed: tuple[RuleVerdict, ...]


class EventStory(Struct, frozen=True, kw_only=True):
    """An event, and all that came of it. `other_rules`: it was routed by rules that are not in force any more."""

    event: EventRecord
    changes: tuple[ChangeStory, ...]
    held: tuple[HeldRecord, ...]
    deliveries: tuple[DeliveryRecord, ...]
    other_rules: bool


class Explained(Struct, frozen=True, kw_only=True):
    """The last events of a prompt, the newest first. None: `hints` say what may be the matter."""

    prompt: str
    events: tuple[EventStory, ...]
    hints: tuple[str, ...]


def explain(store: Store, ruleset: Ruleset, prompt: str, since: datetime | None, most: int) -> Explained:
    """Return why the prompt's last events were told, or not. Every rule is asked, also those that cannot match."""
    page = store.events(EventFilter(prompt=prompt, since=since), limit=most)
    stories = tuple(_story(store, ruleset, event) for event in page.items)
    hints = () if stories else tuple(_hints(store, prompt))
    return Explained(prompt=prompt, events=stories, hints=hints)


def _story(store: Store, ruleset: Ruleset, event: EventRecord) -> EventStory:
    found = store.event(event.id, source=event.source)
    assert found is not None, "it was listed a moment ago, and retention does not take what is new"
    changes = {change.id: change for change in store.changes([record.id for record in found.changes])}
    return EventStory(
        event=found.event,
        changes=tuple(
            _change_story(record, judge_all(ruleset, ruleset.rules, changes[record.id]) if record.id in changes else ())
            for record in found.changes
        ),
        held=found.held,
        deliveries=found.deliveries,
        other_rules=event.ruleset not in (None, ruleset.digest),
    )


def _change_story(record: ChangeRecord, verdicts: Sequence[RuleVerdict]) -> ChangeStory:
    ranked = nearest_first(verdict for verdict in verdicts if verdict.verdict != "disabled")
    answered = tuple(verdict for verdict in ranked if verdict.verdict != "no")
    return ChangeStory(change=record, matched=answered, missed=tuple(ranked[len(answered) :][:MISSES_SHOWN]))


def _hints(store: Store, prompt: str) -> list[str]:
    """Say what is known where nothing came."""
    hints: list[str] = []
    last = store.events(EventFilter(prompt=prompt), limit=1).items
    if last:
        hints.append(f"its last event came at {last[0].received_at:%Y-%m-%d %H:%M:%S} UTC: give a longer --since")
        return hints
    recent = store.events(EventFilter(), limit=1000).items
    known = dict.fromkeys(event.prompt for event in recent if event.prompt)
    hints.append(f"no event of a prompt of this name ever came{suggestion(prompt, known)}")
    if recent:
        event = recent[0]
        hints.append(f"the last event of all came at {event.received_at:%Y-%m-%d %H:%M:%S} UTC from {event.source}")
    else:
        hints.append("nothing ever came: is the automation in Langfuse active, and does it reach this server?")
    refused = store.events(EventFilter(type="router.signature_refused"), limit=1).items
    if refused:
        at = refused[0].received_at
        hints.append(f"signed webhooks were refused at {at:%Y-%m-%d %H:%M:%S} UTC: see events show {refused[0].id}")
    return hints
