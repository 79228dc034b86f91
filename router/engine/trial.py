"""Every template is tried when it is loaded, so that a wrong name is refused by `check` and not found at 3 a.m.

The trial changes are: created, updated and deleted, as text and as chat, each once with everything that Langfuse can
say and once with the least (everything optional null), and one event of each other known type. A rule is tried with
those that it can match: each of its messages once as a whole, and every value shown in them with all of the changes.
The same few values are shown by many rules, so that what becomes of each is worked out once. A rule that may tell
several changes at once is also tried with all of them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Final

import msgspec
from msgspec import Struct

from router.domain.change import Change, Move, Version
from router.domain.event import (
    ACTIONS,
    MONITOR_ALERT,
    PROJECT_NOTIFICATION,
    PROMPT_VERSION,
    ROUTER_SOURCE,
    Action,
    Content,
    Event,
    PromptKey,
    Snapshot,
    User,
)
from router.domain.json import Json
from router.domain.problem import RouterError
from router.domain.routing import ClauseAnswer
from router.engine.action import CompiledAction, write
from router.engine.context import Context, Setting, Told
from router.engine.match import Match
from router.engine.match.clause import Case, FactClause
from router.engine.match.tree import GROUPS, Clause, GroupClause
from router.engine.match.verdict import all_of
from router.engine.ruleset import Rule, Ruleset
from router.engine.template import FOR, Expression, Insert, Piece, Template, Tree
from router.engine.writers.http import checked_path
from router.engine.writers.scene import Scene, Skipped, delivery_scene

TRIED_CLAUSES: Final = frozenset({"type", "action", "prompt_type"})
"""The clauses that decide which trial changes a rule can match."""

TROUBLES: Final = (
    "router.delivery_dead",
    "router.destination_refused",
    "router.breaker_open",
    "router.reload_failed",
    "router.missed",
    "router.source_silent",
    "router.quarantined",
    "router.signature_refused",
)

_THEN = datetime(2026, 1, 1, tzinfo=UTC)
_SETTING: Final = Setting(rule="trial")


def try_rules(ruleset: Ruleset) -> Iterator[tuple[Rule, int, str]]:
    """Yield (rule, position of the action, what) for every action that fails on a change its rule can match."""
    trials = Trials(ruleset.vars)
    for rule in ruleset.rules:
        matched = trials.matched(rule.match)
        for action in rule.actions:
            fault = trials.fault(action, matched)
            if fault is None and tells_several(rule):
                fault = trials.fault_together(action, matched)
            if fault is not None:
                yield rule, action.position, fault


def tells_several(rule: Rule) -> bool:
    return rule.throttle is not None or rule.collect is not None or rule.group == "prompt"


class _To(Struct, frozen=True):
    """A template of a destination's name. What it can find in `vars` was checked already, all of it."""

    template: Template


class _Anything(dict[str, object]):
    """Stands for `vars`: whatever is looked up in it is there."""

    def __missing__(self, _: str) -> "_Anything":
        return self


class Trials:
    """The trial changes, and what became of everything that was tried with them. A bit set stands for a set of them:
    bit `n` for the change number `n`.
    """

    def __init__(self, vars: Mapping[str, Json]) -> None:
        self._vars = vars
        self._scenes = [_scene([change], vars) for _, change in TRIALS]
        self._failed: dict[Piece | _To, int] = {}
        self._held: dict[Expression, int] = {}
        self._matched: dict[bytes, int] = {}

    def matched(self, match: Match) -> int:
        """Return the changes that a match can match."""
        if match.groups:
            return _matched(match)
        tried = [(clause.name, clause.wanted) for clause in match.clauses if isinstance(clause, FactClause)]
        key = msgspec.json.encode((match.any_type, [one for one in tried if one[0] in TRIED_CLAUSES]))
        if key not in self._matched:
            self._matched[key] = _matched(match)
        return self._matched[key]

    def context(self, number: int) -> Context:
        """Return the template context of a change."""
        return self._scenes[number].context

    def fault(self, action: CompiledAction, matched: int) -> str | None:
        """Return how the action fails on one of the changes, the first one; None: on none."""
        condition = action.condition
        taken = matched if condition is None else matched & self.held(condition)
        failed = 0 if condition is None else matched & self.failed(condition)
        pieces: list[Piece | _To] = [_To(template) for template in action.to if not template.static]
        texts = [text for target in action.targets for text in _texts(target.writer)]
        pieces += [piece for text in texts for piece in _pieces(text)]
        for piece in pieces:
            failed |= taken & self.failed(piece)
        if failed:
            first = _first(failed)
            tried = [*([] if condition is None else [condition]), *pieces]
            faults = ((piece, self._fault_of(piece, first)) for piece in tried)
            return next(f"`{_words(piece)}` {_failing(first, what)}" for piece, what in faults if what)
        return self._fault_of_whole(action, _first(taken)) if taken and (texts or pieces) else None

    def fault_together(self, action: CompiledAction, matched: int) -> str | None:
        """Return how the action fails on all of the changes at once, held back until then; None: it does not."""
        changes = [change for number, (_, change) in enumerate(TRIALS) if matched >> number & 1]
        if not changes:
            return None
        scene = _scene(changes, self._vars, held=len(changes))
        try:
            if action.condition is None or action.condition.truth(scene.context):
                for target in action.targets:
                    write(target.writer, scene)
        except Skipped:
            return None
        except RouterError as error:
            return f"fails for several changes together: {error}"
        return None

    def failed(self, piece: Piece | _To) -> int:
        """Return the changes for which it cannot be rendered."""
        if piece not in self._failed:
            self._failed[piece] = _set_of(self._fault_of(piece, number) is not None for number in range(len(TRIALS)))
        return self._failed[piece]

    def held(self, condition: Expression) -> int:
        """Return the changes for which it is true."""
        if condition not in self._held:
            self._held[condition] = _set_of(self._is_true(condition, number) for number in range(len(TRIALS)))
        return self._held[condition]

    def _is_true(self, condition: Expression, number: int) -> bool:
        try:
            return condition.truth(self._scenes[number].context)
        except RouterError:
            return False

    def _fault_of(self, piece: Piece | _To, number: int) -> str | None:
        context = self._scenes[number].context
        try:
            match piece:
                case Template(channel="path"):
                    checked_path(piece, context)
                case Template() | Tree():
                    piece.render(context)
                case _To():
                    piece.template.render(context | {"vars": _Anything()})
                case Expression():
                    piece.value(context)
        except RouterError as error:
            return str(error)
        return None

    def _fault_of_whole(self, action: CompiledAction, number: int) -> str | None:
        try:
            for target in action.targets:
                write(target.writer, self._scenes[number])
        except Skipped:
            return None
        except RouterError as error:
            return _failing(number, str(error))
        return None


def _set_of(members: Iterator[bool]) -> int:
    return sum(1 << number for number, member in enumerate(members) if member)


def _first(members: int) -> int:
    return (members & -members).bit_length() - 1


def _failing(number: int, what: str) -> str:
    return f"fails for {TRIALS[number][0]}: {what}"


def _words(piece: Piece | _To) -> str:
    """Return what is tried, as it is written or nearly so."""
    match piece:
        case _To(template=template):
            words = template.source
        case Template(parts=(Insert(expression=expression),)) | (Expression() as expression):
            words = expression.source.strip()
        case Template(source=source):
            words = source
        case Tree():
            words = FOR
    return words if len(words) <= 60 else f"{words[:60]}…"


def _scene(changes: Sequence[Change], vars: Mapping[str, Json], *, held: int = 0) -> Scene:
    # no trial change gains or loses two labels, so every match means the same one
    told = tuple(Told(change, next(iter((*change.labels_gained, *change.labels_lost)), None)) for change in changes)
    setting = msgspec.structs.replace(_SETTING, vars=vars, held=held)
    return delivery_scene(Scene(told=told, setting=setting), "0" * 32)


def _texts(part: object) -> Iterator[Template | Tree]:
    """Yield all that an action itself says in a message."""
    match part:
        case Template() | Tree():
            yield part
        case Struct():
            for name in part.__struct_fields__:
                yield from _texts(getattr(part, name))
        case dict():
            for value in part.values():
                yield from _texts(value)
        case tuple():
            for value in part:
                yield from _texts(value)


def _pieces(text: Template | Tree) -> Iterator[Piece]:
    """Yield every value shown in a text; a path is one, because its segments are checked as a whole."""
    match text:
        case Template(channel="path"):
            if not text.static:
                yield text
        case _:
            yield from text.pieces()


def _matched(match: Match) -> int:
    return _set_of(_can_match(match, change) for _, change in TRIALS)


def _can_match(match: Match, change: Change) -> bool:
    if not match.any_type and change.type != PROMPT_VERSION:
        return False
    return _tried(match, Case(change, _SETTING, None)) != "no"


def _tried(match: Match, case: Case) -> ClauseAnswer:
    """Return what a match says to a trial change; error: that is decided by more than a trial change can tell."""
    return all_of(_tried_clause(clause, case) for clause in match.clauses)


def _tried_clause(clause: Clause, case: Case) -> ClauseAnswer:
    if isinstance(clause, GroupClause):
        return GROUPS[clause.name](_tried(member.match, case) for member in clause.members)
    return clause.verdict(case).verdict if clause.name in TRIED_CLAUSES else "error"


def _trials() -> Iterator[tuple[str, Change]]:
    for action, chat, full in product(ACTIONS, (False, True), (True, False)):
        name = f"a {action} {'chat' if chat else 'text'} prompt, {'everything' if full else 'the least'} given"
        yield name, _prompt_change(action, chat=chat, full=full)
    for type in (MONITOR_ALERT, PROJECT_NOTIFICATION, *TROUBLES):
        yield f"a {type} event", _other_change(type)


def _prompt_change(action: Action, *, chat: bool, full: bool) -> Change:
    text: Json = [{"role": "user", "content": "Hello {{name}}"}] if chat else "Hello {{name}}"
    prompt = PromptKey("trial", "project", "folder/name")
    content = Content(
        type="chat" if chat else "text",
        prompt=text,
        config={"model": "gpt", "temperature": 1} if full else None,
        commit_message="why" if full else None,
        created_by="user" if full else None,
        created_at=_THEN if full else None,
    )
    snapshot = Snapshot(
        version_id="trial-4",
        version=4,
        updated_at=_THEN,
        labels=frozenset({"production"}) if full else frozenset(),
        tags=frozenset({"tag"}) if full else frozenset(),
        content=content,
    )
    event = Event(
        id="trial",
        source="trial",
        type=PROMPT_VERSION,
        timestamp=_THEN,
        received_at=_THEN,
        body={"id": "trial", "type": PROMPT_VERSION, "action": action, "prompt": {"name": prompt.name}},
        action=action,
        user=User("Ann", "ann@example.com") if full else None,
        project_id=prompt.project_id,
        prompt=prompt,
        snapshot=snapshot,
    )
    earlier = msgspec.structs.replace(
        content,
        prompt=[{"role": "user", "content": "Hi {{you}}"}] if chat else "Hi {{you}}",
        config={"model": "older"},
    )
    before = Version(id="trial-3", number=3, labels=("production",), tags=(), content=earlier, updated_at=_THEN)
    gains = full and action != "deleted"
    loses = full and action != "created"
    return Change(
        id="trial",
        event=event,
        type=PROMPT_VERSION,
        origin="webhook",
        action=action,
        prompt=prompt,
        version=Version(
            id="trial-4",
            number=4,
            labels=tuple(snapshot.labels or ()),
            tags=tuple(snapshot.tags or ()),
            updated_at=_THEN,
            content=content,
        ),
        labels_gained=("production",) if gains else (),
        labels_lost=("production",) if full and not gains else ("staging",) if loses else (),
        labels_removed=("production",) if full and not gains else ("staging",) if loses else (),
        tags_gained=("tag",) if gains else (),
        tags_lost=("old",) if loses and gains else (),
        moved=(Move("production", 3, 4),) if gains else (),
        replaced={"production": before} if gains else {},
        versions_left=3 if full and action == "deleted" else None,
    )


def _other_change(type: str) -> Change:
    source = ROUTER_SOURCE if type.startswith("router.") else "trial"
    event = Event(id="trial", source=source, type=type, timestamp=_THEN, received_at=_THEN, body={"type": type})
    return Change(id="trial", event=event, type=type, origin="webhook")


TRIALS: Final = tuple(_trials())

PROMPT_TRIAL: Final = TRIALS[0][1]
"""A created text prompt with everything that Langfuse can say."""
