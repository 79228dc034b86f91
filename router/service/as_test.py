"""A stored event as a rule test: what arrived, what was known before, and what the rules in force make of it."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from router.domain.change import Change
from router.domain.event import Event
from router.domain.json import Json, JsonObject
from router.domain.problem import RouterError
from router.engine import redact, toml
from router.engine.before import bodies_before
from router.engine.plan import plan
from router.engine.preview import Preview, preview
from router.engine.ruleset import Ruleset
from router.engine.ruletest import Sent, body_of
from router.engine.summary import one_line
from router.langfuse.wire import Unintelligible, decode, encode_body
from router.service.ruletests import sent
from router.service.told import summary
from router.storage.records import EventDetail
from router.storage.store import Store

LONGEST_SHOWN: Final = 100
"""Characters of what a clause found."""


class Exported(Struct, frozen=True):
    """A `[[tests]]` table, and what whoever keeps it should know."""

    text: str
    notes: tuple[str, ...]


class _Story(Struct, frozen=True):
    """An event with what came before it and what settled with it."""

    event: Event
    previous: tuple[Event, ...] = ()
    together: tuple[Event, ...] = ()

    def told(self, ruleset: Ruleset) -> Preview:
        return preview(ruleset, self.event, self.previous, together=self.together)

    def redacted(self, hidden: frozenset[str]) -> "_Story":
        renamed = redact.Redaction(hidden)

        def other(event: Event) -> Event:
            return _decoded(msgspec.json.encode(renamed.body(event.body)), event)

        return _Story(other(self.event), tuple(map(other, self.previous)), tuple(map(other, self.together)))


def as_test(store: Store, ruleset: Ruleset, found: EventDetail, *, redacted: bool) -> Exported:
    """Return a rule test that passes with `ruleset`. Raises RouterError where there can be none.

    It is told as the rules in force tell it; how they told it then stands in a comment. `redacted`: texts, people and
    ids are replaced always, other names and settings as far as no rule says something else then.
    """
    if found.event.status in ("waiting", "quarantined"):
        why = "waits to be routed" if found.event.status == "waiting" else "was not understood"
        raise RouterError(f"event {found.event.id} {why}: there is nothing that a test could say of it")
    notes: list[str] = []
    story = _story(store, ruleset, found, notes)
    if redacted:
        story = _redacted(story, ruleset, notes)
    result = story.told(ruleset)
    for message in sent(ruleset, result):
        if message.fault:
            raise RouterError(f"no test can pass: the message of {message.rule} to {message.to} {message.fault}")
    if found.event.ruleset not in (None, ruleset.digest):
        notes.append("it was routed by other rules; the test says what those in force do")
    return Exported("\n".join(_written(story, result, ruleset, found, notes, redacted=redacted)) + "\n", tuple(notes))


# ---- what came before, and with it


def _story(store: Store, ruleset: Ruleset, found: EventDetail, notes: list[str]) -> _Story:
    record = found.event
    event = _read(found.body, found)
    if event.prompt is None:
        return _Story(event)
    ids = {change.id for change in found.changes}
    batch = store.changes_told_with(record.seq)
    own = [change for change in batch if change.id in ids and change.origin != "inferred"]
    if not own:
        # what it says was known, so it is enough that the same was said before
        return _Story(event, previous=(_decoded(found.body, event),))
    alone = _Story(event, _events(bodies_before(own, batch), event))
    if _is_faithful(alone, ruleset, batch, own):
        return alone
    acted = [change for change in batch if change.origin != "inferred"]
    others = {change.event.id: change.event for change in acted if change.event.id != record.id}
    whole = _Story(
        event, _events(bodies_before(acted, batch), event), tuple(_at(other, event) for other in others.values())
    )
    if _is_faithful(whole, ruleset, batch, own):
        return whole
    notes.append("what was known before cannot be told exactly, so the change may differ from the one that was")
    return alone


def _is_faithful(story: _Story, ruleset: Ruleset, batch: Sequence[Change], own: Sequence[Change]) -> bool:
    """Tell whether the story changes what the event changed, and lets the rules tell it with the same others."""
    told = {change.id: _facts(change) for change in story.told(ruleset).changes}
    if any(told.get(change.id) != _facts(change) for change in own):
        return False
    ids = {change.id for change in own}
    planned = plan(ruleset, batch, now=story.event.received_at, capture=True)
    firings = [firing for firing in planned.firings if firing.hold is None and ids.intersection(firing.changes)]
    return all(told.keys() >= set(firing.changes) for firing in firings)


def _facts(change: Change) -> object:
    """Return what a change says, without what shows it."""
    replaced = {label: (version.number, version.labels) for label, version in change.replaced.items()}
    bare = msgspec.structs.asdict(change) | {"event": None, "origin": None, "version": None, "replaced": replaced}
    return bare | {"holds": change.version and (change.version.number, change.version.labels, change.version.tags)}


def _events(bodies: Sequence[JsonObject], like: Event) -> tuple[Event, ...]:
    return tuple(_decoded(msgspec.json.encode(body), like) for body in bodies)


def _at(event: Event, like: Event) -> Event:
    return msgspec.structs.replace(event, received_at=like.received_at)


def _read(body: bytes, found: EventDetail) -> Event:
    try:
        return decode(body, found.event.source, found.event.received_at, found.event.origin)
    except Unintelligible as error:
        raise RouterError(f"event {found.event.id} cannot be read: {error.why}") from error


def _decoded(body: bytes, like: Event) -> Event:
    return decode(body, like.source, like.received_at, like.origin)


# ---- hiding


def _redacted(story: _Story, ruleset: Ruleset, notes: list[str]) -> _Story:
    """Hide what must not be told, and of the rest what no rule needs."""
    bare = story.redacted(frozenset())
    needed = _answers(bare, ruleset)
    if changed := sorted(_rules_that_differ(_answers(story, ruleset), needed)):
        notes.append(f"without the texts and people, {_listed(changed)} said something else")
    possible = redact.optional([one.body for one in (story.event, *story.previous, *story.together)])
    hidden = frozenset(possible)
    if _answers(story.redacted(hidden), ruleset) != needed:
        hidden = frozenset()
        for name in possible:
            if _answers(story.redacted(hidden | {name}), ruleset) == needed:
                hidden |= {name}
    if kept := [name for name in possible if name not in hidden]:
        notes.append(f"not replaced, because rules look at it: {_listed(kept)}")
    return story.redacted(hidden)


def _answers(story: _Story, ruleset: Ruleset) -> dict[str, list[tuple[str, ...]]]:
    """Return what each rule says to each change, and to whom it sends something."""
    found = story.told(ruleset)
    answers: dict[str, list[tuple[str, ...]]] = {}
    for change in found.changes:
        for verdict in found.plan.verdicts[change.id]:
            answers.setdefault(verdict.rule, []).append((verdict.verdict,))
    for delivery in found.plan.deliveries:
        answers[delivery.rule].append((delivery.destination, delivery.status))
    return answers


def _rules_that_differ(one: dict[str, list[tuple[str, ...]]], other: dict[str, list[tuple[str, ...]]]) -> set[str]:
    return {rule for rule in {*one, *other} if one.get(rule) != other.get(rule)}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


# ---- writing


def _written(
    story: _Story,
    result: Preview,
    ruleset: Ruleset,
    found: EventDetail,
    notes: Sequence[str],
    *,
    redacted: bool,
) -> Iterator[str]:
    event, record = story.event, found.event
    messages = list(sent(ruleset, result))
    yield "[[tests]]"
    yield f"# {record.status}" + ("" if redacted else f": event {one_line(record.id)}")
    for delivery in found.deliveries:
        yield f"# then: {one_line(delivery.rule)} → {one_line(delivery.destination)}: {delivery.status}"
    for note in notes:
        yield f"# {note}"
    yield f"name = {toml.value(_name(result, ruleset))}"
    yield f"source = {toml.value(event.source)}"
    if event.origin != "webhook":
        yield f"origin = {toml.value(event.origin)}"
    yield f"at = {toml.value(event.received_at.isoformat())}"
    raw = encode_body(event) if redacted else found.body
    yield f"event = {toml.text(raw)}"
    for key, events in (("previous", story.previous), ("together", story.together)):
        if events:
            yield f"{key} = ["
            yield from (f"{toml.text(encode_body(one))}," for one in events)
            yield "]"
    yield from (f"# {line}" for line in _said(result))
    if not messages:
        yield "expect = []"
    for message in messages:
        yield ""
        yield from _expectation(message)


def _name(result: Preview, ruleset: Ruleset) -> str:
    if not result.changes:
        event = result.event
        return one_line(f"{event.prompt.name if event.prompt else event.type}: {result.reason}")
    told = summary(result.changes[0], ruleset)
    return one_line(f"{told.title}: {told.headline}")


def _said(result: Preview) -> Iterator[str]:
    """Yield why each rule that did not say no said what it said, to the change that somebody acted on."""
    for verdict in result.plan.verdicts[result.changes[0].id] if result.changes else ():
        if verdict.verdict in ("match", "error"):
            found = "; ".join(f"{one.clause} is {_short(one.got)}" for one in verdict.clauses)
            yield one_line(f"{verdict.rule}: {verdict.verdict}" + (f", {found}" if found else ""))


def _short(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _expectation(message: Sent) -> Iterator[str]:
    yield "[[tests.expect]]"
    yield f"rule = {toml.value(message.rule)}"
    yield f"to = {toml.value(message.to)}"
    if message.mode != "live":
        yield f"mode = {toml.value(message.mode)}"
    body: Json = toml.without_nulls(body_of(message.request))
    if body not in (None, {}, ""):
        yield f"json = {toml.value(body)}"
