"""Clauses on one thing: each looks at it and answers yes, no or error, with what was wanted and what was found."""

from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from router.domain.change import Change
from router.domain.json import Json, JsonObject
from router.domain.routing import ClauseVerdict
from router.engine.body import body_before, body_of
from router.engine.context import Context, Setting, Told, context_of
from router.engine.match.facts import Fact, Look, Unknown
from router.engine.match.pattern import SlowPattern
from router.engine.match.verdict import all_of, verdict, verdict_on, yes_or_no
from router.engine.match.wanted import Numbers, Sets, Strings
from router.engine.match.where import Item
from router.engine.template import Expression, TemplateError
from router.engine.times import Times


class Case:
    """A change as a match looks at it, meaning `label`. What is costly is worked out when a clause asks for it."""

    def __init__(self, change: Change, setting: Setting, label: str | None) -> None:
        self.change = change
        self.setting = setting
        self.label = label

    @cached_property
    def context(self) -> Context:
        return context_of((Told(self.change, self.label),), self.setting)

    @cached_property
    def body(self) -> JsonObject:
        return body_of(self.change)

    @cached_property
    def body_before(self) -> JsonObject | None:
        return body_before(self.change, self.label)


class FactClause(Struct, frozen=True, kw_only=True):
    """A clause on one fact of the change: `look` finds it, `wants` decides on it. `wanted` is as written."""

    name: str
    wanted: Json
    look: Look
    wants: Strings | Sets | Numbers | bool

    def verdict(self, case: Case) -> ClauseVerdict:
        fact = self.look(case.change, case.label)
        if isinstance(fact, Unknown):
            return verdict(self.name, self.wanted, fact.why, "no")
        try:
            answer = yes_or_no(_accept(self.wants, fact))
        except SlowPattern as error:
            return verdict(self.name, self.wanted, str(error), "error")
        return verdict(self.name, self.wanted, list(fact) if isinstance(fact, tuple) else fact, answer)


def _accept(wants: Strings | Sets | Numbers | bool, fact: Fact) -> bool:
    """Raises SlowPattern."""
    match wants:
        case Strings():
            return wants.accept(fact if isinstance(fact, tuple) else (str(fact),))
        case Sets():
            assert isinstance(fact, tuple)
            return wants.accept(fact)
        case Numbers():
            return isinstance(fact, int) and wants.accept(fact)
        case _:
            return fact is wants


class DuringClause(Struct, frozen=True, kw_only=True):
    """The event arrived in one of the times."""

    name: str
    wanted: Json
    times: tuple[Times, ...]

    def verdict(self, case: Case) -> ClauseVerdict:
        arrived = case.change.event.received_at
        clocks = {times.zone: f"{times.local(arrived):%a %Y-%m-%d %H:%M} {times.zone}" for times in self.times}
        holds = any(times.hold(arrived) for times in self.times)
        return verdict(self.name, self.wanted, ", ".join(clocks.values()), yes_or_no(holds))


class WhereClause(Struct, frozen=True, kw_only=True):
    """All items hold."""

    name: str
    items: tuple[Item, ...]

    def verdict(self, case: Case) -> ClauseVerdict:
        inner: list[ClauseVerdict] = []
        for index, item in enumerate(self.items):
            answer, got = item.answer(case.body, None if item.changed is None else case.body_before)
            inner.append(verdict(f"{self.name}[{index}]", item.written, got, answer))
        return verdict_on(self.name, "all", inner, all_of(one.verdict for one in inner))


class WhenClause(Struct, frozen=True, kw_only=True):
    """A Jinja expression over the template context is true."""

    name: str
    wanted: Json
    expression: Expression

    def verdict(self, case: Case) -> ClauseVerdict:
        try:
            holds = self.expression.truth(case.context)
        except TemplateError as error:
            return verdict(self.name, self.wanted, str(error), "error")
        return verdict(self.name, self.wanted, holds, yes_or_no(holds))


SimpleClause: TypeAlias = FactClause | DuringClause | WhereClause | WhenClause
