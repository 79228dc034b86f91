"""Every template is tried when it is loaded, so that a wrong name is refused by `check` and not found at 3 a.m.

The trial changes are: created, updated and deleted, as text and as chat, each once with everything that Langfuse can
say and once with the least (everything optional null), and one event of each other known type. A rule is tried with
those that it can match; one that may tell several at once also with all of them together.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Final

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
from router.engine.action import Scene, Skipped, write
from router.engine.context import Setting, Told, context_of
from router.engine.match import Match
from router.engine.match.clause import Case
from router.engine.match.tree import GROUPS, Clause, GroupClause
from router.engine.match.verdict import all_of
from router.engine.ruleset import Rule, Ruleset

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


def try_rules(ruleset: Ruleset) -> Iterator[tuple[Rule, int, str]]:
    """Yield (rule, position of the action, what) for every action that fails on a change its rule can match."""
    for rule in ruleset.rules:
        for position, fault in _try_rule(ruleset, rule, list(_trials_of(ruleset, rule))).items():
            yield rule, position, fault


def _trials_of(ruleset: Ruleset, rule: Rule) -> Iterator[tuple[str, tuple[Change, ...], int]]:
    """Yield what the rule is tried with: a name, changes, and how many of them were held back."""
    fitting = [(name, change) for name, change in TRIALS if _can_match(rule.match, change, ruleset.setting(rule))]
    for name, change in fitting:
        yield name, (change,), 0 if rule.collect is None else 1
    holds_back = rule.throttle is not None or rule.collect is not None
    if fitting and (holds_back or rule.group == "prompt"):
        yield "several changes together", tuple(change for _, change in fitting), len(fitting) if holds_back else 0


def _try_rule(ruleset: Ruleset, rule: Rule, trials: list[tuple[str, tuple[Change, ...], int]]) -> dict[int, str]:
    faults: dict[int, str] = {}
    for name, changes, held in trials:
        setting = ruleset.setting(rule, held=held)
        told = tuple(Told(change, rule.match.label(change, setting)) for change in changes)
        context = context_of(told, setting) | {"delivery": {"key": "0" * 32}}
        scene = Scene(told=told, setting=setting, context=context)
        for action in rule.actions:
            if action.position in faults:
                continue
            try:
                if action.condition is None or action.condition.truth(context):
                    for target in action.targets:
                        write(target.writer, scene)
            except Skipped:
                pass
            except RouterError as error:
                faults[action.position] = f"fails for {name}: {error}"
    return faults


def _can_match(match: Match, change: Change, setting: Setting) -> bool:
    if not match.any_type and change.type != PROMPT_VERSION:
        return False
    return _tried(match, Case(change, setting, None)) != "no"


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
    before = Version(id="trial-3", number=3, labels=("production",), tags=(), content=content, updated_at=_THEN)
    gains = full and action != "deleted"
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
        labels_lost=("production",) if full and not gains else (),
        tags_gained=("tag",) if gains else (),
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
