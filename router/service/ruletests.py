"""Tests of rules: files beside the rules that say which event must make which messages. Run through the real plan."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from router.delivery.request import shown
from router.domain.event import ORIGINS, ROUTER_SOURCE, Event, Origin
from router.domain.json import Json, JsonObject
from router.domain.problem import Place, Problem, RulesError
from router.domain.routing import RuleVerdict
from router.engine.coverage import Coverage, coverage
from router.engine.preview import Preview, preview
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import Outside, dotted
from router.engine.rulesfile.document import Document, parse
from router.engine.rulesfile.expand import beside, why
from router.engine.rulesfile.positions import Path
from router.engine.ruletest import Expectation, Sent, failures
from router.engine.suggest import suggestion
from router.langfuse.inline import InlineError, inline_body, times
from router.langfuse.wire import Unintelligible, decode
from router.service.rulebook import load

_DEFAULT_TIME: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When an inline event happens that says nothing else: on a Thursday at noon, UTC."""


class RuleTest(Struct, frozen=True, kw_only=True):
    """One `[[tests]]`, its events decoded. `together`: those that settle with `event`."""

    name: str
    event: Event
    previous: tuple[Event, ...]
    together: tuple[Event, ...]
    expect: tuple[Expectation, ...]
    place: Place


class Suite(Struct, frozen=True):
    """A file of tests, and the rules that it is about."""

    path: str
    ruleset: Ruleset
    tests: tuple[RuleTest, ...]


class Result(Struct, frozen=True, kw_only=True):
    """What came of a test: it passed if there are no `failures`. `near`: what the rules it missed said."""

    file: str
    test: RuleTest
    failures: tuple[str, ...]
    verdicts: tuple[tuple[RuleVerdict, ...], ...]
    near: tuple[RuleVerdict, ...]


def read_tests(path: str, outside: Outside, *, rules: str | None = None) -> Suite:
    """Return the tests in a file; `rules` instead of the rules file that it names.

    Raises RulesError with every fault in it, or in the rules.
    """
    try:
        document = parse(path, outside.read(path))
    except (OSError, ValueError) as error:
        raise RulesError((Problem(Place(path), "", f"cannot be read: {why(error)}"),)) from error
    reader = _Reader(document, outside)
    about = rules or reader.rules()
    if about is None:
        raise RulesError(tuple(reader.problems))
    ruleset = load(about, outside, missing="placeholder").ruleset
    tests = tuple(reader.tests(ruleset))
    if reader.problems:
        raise RulesError(tuple(sorted(reader.problems)))
    return Suite(path, ruleset, tests)


def run(file: Suite) -> Iterator[Result]:
    """Run the tests one by one."""
    for test in file.tests:
        found = preview(file.ruleset, test.event, test.previous, together=test.together)
        differences = tuple(failures(test.expect, list(sent(file.ruleset, found))))
        # rules speak of the change that somebody acted on, not of the losing half that comes with it
        verdicts = tuple(found.plan.verdicts[change.id] for change in found.changes[:1])
        missed = {expectation.rule for expectation in test.expect} if differences else set()
        near = tuple(
            verdict
            for said in verdicts[:1]
            for verdict in said
            if verdict.rule in missed and verdict.verdict != "match"
        )
        if differences and not found.changes:
            differences = (*differences, f"nothing changed: the event is {found.status} ({found.reason})")
        yield Result(file=file.path, test=test, failures=differences, verdicts=verdicts, near=near)


def coverage_of(file: Suite, results: Sequence[Result]) -> Coverage:
    """Return which rules and clauses of the file's rules its tests have seen both ways."""
    rules = {rule.name: [clause.name for clause in rule.match.clauses] for rule in file.ruleset.rules if rule.enabled}
    return coverage(rules, (said for result in results for said in result.verdicts))


def sent(ruleset: Ruleset, found: Preview) -> Iterator[Sent]:
    """Yield what a test sees of a preview: every message that is not skipped."""
    modes = {firing.id: firing.mode for firing in found.plan.firings}
    for delivery in found.plan.deliveries:
        if delivery.status == "skipped":
            continue
        request = None
        if delivery.message is not None:
            request = shown(delivery.message, ruleset.destinations[delivery.destination], delivery.key)
            request = msgspec.json.decode(msgspec.json.encode(request))  # lists, as they are on the wire
        yield Sent(
            rule=delivery.rule,
            to=delivery.destination,
            mode=modes[delivery.firing],
            request=request,
            fault=delivery.reason if delivery.status == "dead" else "",
        )


class Arrival(Struct, frozen=True):
    """How the events of a test come: from which source, when (None: when they were sent), and by which way."""

    source: str
    at: datetime | None
    origin: Origin


class _Reader:
    """One reading of a file of tests; `problems` gather on the way."""

    def __init__(self, document: Document, outside: Outside) -> None:
        self.document = document
        self.outside = outside
        self.problems: list[Problem] = []

    def fault(self, path: Path, what: str) -> None:
        self.problems.append(Problem(self.document.place(path), dotted(path), what))

    def rules(self) -> str | None:
        """Return the path of the rules file."""
        named = self.document.data.get("rules")
        if isinstance(named, str) and named:
            return beside(self.document.file, named)
        self.fault(("rules",), 'which rules? write rules = "rules.toml"')
        return None

    def tests(self, ruleset: Ruleset) -> Iterator[RuleTest]:
        for key in self.document.data:
            if key not in ("rules", "tests"):
                self.fault((key,), f"unknown key{suggestion(key, ('rules', 'tests'))}")
        tables = self.document.data.get("tests")
        if not isinstance(tables, list) or not tables:
            self.fault(("tests",), "there is none: add [[tests]] with `name`, `event` and `expect`")
            return
        for index, table in enumerate(tables):
            if isinstance(table, Mapping):
                test = self.test(("tests", index), table, ruleset)
                if test is not None:
                    yield test
            else:
                self.fault(("tests", index), "expected a table")

    def test(self, path: Path, table: JsonObject, ruleset: Ruleset) -> RuleTest | None:
        known = ("name", "event", "previous", "together", "expect", "at", "source", "origin")
        for key in table:
            if key not in known:
                self.fault((*path, key), f"unknown key{suggestion(key, known)}")
        name = table.get("name")
        if not isinstance(name, str) or not name:
            self.fault((*path, "name"), "`name` is missing: what the test is about, in a few words")
            name = dotted(path)
        arrival = Arrival(self.source(path, table, ruleset), self.at(path, table), self.origin(path, table))
        events = self.events(path, table, arrival)
        expect = tuple(self.expectations(path, table, ruleset))
        if not events:
            return None
        with_it = len(events) - 1 - len(self.listed(table, "together"))
        return RuleTest(
            name=name,
            event=events[-1],
            previous=tuple(events[:with_it]),
            together=tuple(events[with_it:-1]),
            expect=expect,
            place=self.document.place(path),
        )

    def source(self, path: Path, table: JsonObject, ruleset: Ruleset) -> str:
        source = table.get("source", next(iter(ruleset.sources)))
        if source not in (*ruleset.sources, ROUTER_SOURCE):
            self.fault(
                (*path, "source"), f"no source of this name in the rules{suggestion(str(source), ruleset.sources)}"
            )
        return str(source)

    def at(self, path: Path, table: JsonObject) -> datetime | None:
        if "at" not in table:
            return None
        try:
            at = msgspec.convert(table["at"], datetime)
        except msgspec.ValidationError:
            at = None
        if at is None or at.tzinfo is None:
            self.fault((*path, "at"), 'expected a time with its zone, such as "2026-11-23T10:00:00+01:00"')
            return None
        return at

    def origin(self, path: Path, table: JsonObject) -> Origin:
        named = table.get("origin", "webhook")
        origin = next((origin for origin in ORIGINS if origin == named), None)
        if origin is None:
            self.fault((*path, "origin"), f"none of {', '.join(ORIGINS)}{suggestion(str(named), ORIGINS)}")
        return origin or "webhook"

    # ---- events

    def events(self, path: Path, table: JsonObject, arrival: Arrival) -> list[Event]:
        """Return the history, what comes together with the event, and it; none if one of them cannot be read."""
        written: list[tuple[Path, Json]] = []
        for key in ("previous", "together"):
            if not isinstance(table.get(key, []), list):
                self.fault((*path, key), "expected a list of files and inline events")
                return []
            written += (((*path, key, index), one) for index, one in enumerate(self.listed(table, key)))
        if "event" not in table:
            self.fault(path, "`event` is missing: a file with a webhook's body, or an inline table")
            return []
        written.append(((*path, "event"), table["event"]))
        at = arrival.at
        found: list[Event | JsonObject | None] = [self.event(where, what, arrival) for where, what in written]
        if any(one is None for one in found):
            return []
        known = [one.stamp.updated_at if isinstance(one, Event) and one.snapshot else None for one in found]
        moments = times(
            [at if one is None and index == len(found) - 1 else one for index, one in enumerate(known)],
            at or _DEFAULT_TIME,
        )
        return [
            event
            for (where, _), one, moment in zip(written, found, moments, strict=True)
            if (event := one if isinstance(one, Event) else self.inline(where, one or {}, moment, arrival)) is not None
        ]

    def listed(self, table: JsonObject, key: str) -> list[Json]:
        value = table.get(key)
        return value if isinstance(value, list) else []

    def event(self, path: Path, value: Json, arrival: Arrival) -> Event | JsonObject | None:
        """Return the event in a file or in a text of JSON, an inline one as it is written, or None."""
        if isinstance(value, Mapping):
            return value
        if not isinstance(value, str) or not value:
            self.fault(path, "expected a file with a webhook's body, its JSON, or an inline table")
            return None
        if value.lstrip().startswith("{"):
            return self.decoded(path, value.encode(), arrival, arrival.at or _DEFAULT_TIME)
        try:
            raw = self.outside.read(beside(self.document.file, value)).encode()
        except (OSError, ValueError) as error:
            self.fault(path, f"{value} cannot be read: {why(error)}")
            return None
        return self.decoded(path, raw, arrival, arrival.at or _DEFAULT_TIME)

    def inline(self, path: Path, table: JsonObject, moment: datetime, arrival: Arrival) -> Event | None:
        try:
            body = inline_body(table, moment)
        except InlineError as error:
            self.fault(path, str(error))
            return None
        return self.decoded(path, msgspec.json.encode(body), arrival, arrival.at or moment)

    def decoded(self, path: Path, raw: bytes, arrival: Arrival, at: datetime) -> Event | None:
        try:
            return decode(raw, arrival.source, at, arrival.origin)
        except Unintelligible as error:
            self.fault(path, f"not a webhook's body: {error.why}")
            return None

    # ---- expectations

    def expectations(self, path: Path, table: JsonObject, ruleset: Ruleset) -> Iterator[Expectation]:
        if "expect" not in table:
            self.fault(path, "`expect` is missing: a list of what is sent; [] if nothing may be")
            return
        expect = table["expect"]
        if not isinstance(expect, list):
            self.fault((*path, "expect"), "expected a list of tables such as { rule = …, to = … }")
            return
        rules = [rule.name for rule in ruleset.rules]
        for index, one in enumerate(expect):
            where: Path = (*path, "expect", index)
            try:
                expectation = msgspec.convert(one, Expectation)
            except msgspec.ValidationError as error:
                self.fault(where, str(error))
                continue
            if expectation.rule not in rules:
                self.fault((*where, "rule"), f'no rule "{expectation.rule}"{suggestion(expectation.rule, rules)}')
            if expectation.to is not None and expectation.to not in ruleset.destinations:
                hint = suggestion(expectation.to, ruleset.destinations)
                self.fault((*where, "to"), f'no destination "{expectation.to}"{hint}')
            yield expectation
