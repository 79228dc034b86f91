"""What the router made of a story, told so that people see at once what changed, who is told, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import unescape
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from router.cli.words import why
from router.delivery.request import shown
from router.domain.change import Change
from router.domain.counted import counted
from router.domain.event import Event
from router.domain.json import Json
from router.domain.message import EmailMessage, LogMessage, Message, SlackMessage
from router.engine.context import Setting, Told
from router.engine.explain import nearest_first
from router.engine.plan import judge
from router.engine.ruleset import Ruleset
from router.engine.summary import summary_of
from router.langfuse.wire import decode
from router.storage.records import ChangeRecord, DeliveryRecord, EventDetail
from router.storage.store import Store

LINES_SHOWN: Final = 10
"""Of a message; the rest is counted."""

OUTCOMES: Final = {
    "told": ("told something new", "bold green"),
    "other half": ("the other half of a move", "green"),
    "quiet": ("quiet: showed nothing new", "dim"),
    "duplicate": ("duplicate: showed what another one had shown", "yellow"),
    "again": ("again: the very same", "yellow"),
    "stale": ("stale: overtaken by newer ones", "magenta"),
}


class Arrival(Struct, frozen=True):
    """A webhook that was answered. `known`: the same bytes had come before. `late`: after the next thing was done."""

    id: str
    known: bool
    late: bool


class Happening(Struct):
    """Something that was done, and the webhooks that told of it, as they arrived."""

    number: int
    title: str
    at: datetime
    arrivals: list[Arrival] = []


class Account:
    """Tells happenings from what the store has of them."""

    def __init__(self, store: Store, ruleset: Ruleset, source: str, console: Console) -> None:
        self._store = store
        self._ruleset = ruleset
        self._source = source
        self._console = console
        self._setting = Setting(rule="", project_urls={name: s.project_url for name, s in ruleset.sources.items()})
        self._outcomes: Counter[str] = Counter()
        self._messages: Counter[tuple[str, str]] = Counter()

    def tell(self, happenings: Sequence[Happening], intro: str) -> None:
        self._line(Text(intro), 0)
        self._console.print()
        for happening in happenings:
            self._tell(happening)
        self._sum_up(len(happenings))

    # ---- one thing that was done

    def _tell(self, happening: Happening) -> None:
        self._line(Text.assemble((f"{happening.at:%H:%M}  ", "dim"), (happening.title, "bold")), 0)
        details = {arrival.id: self._detail(arrival.id) for arrival in happening.arrivals}
        for detail in sorted(details.values(), key=lambda detail: detail.event.seq):
            for record in filter(_is_told, detail.changes):
                self._change(detail, record)
        self._arrivals(happening, details)
        self._console.print()

    def _detail(self, id: str) -> EventDetail:
        detail = self._store.event(id, source=self._source)
        assert detail is not None, "an event that was accepted is in the store"
        return detail

    def _change(self, detail: EventDetail, record: ChangeRecord) -> None:
        change = _change_of(record, self._event(detail))
        line = summary_of(Told(change, None), self._setting, "none").line
        self._line(Text.assemble((f"{record.action or record.type:<9} ", "cyan"), (line, "cyan bold")), 7, cut=True)
        verdicts = {verdict.rule: verdict for verdict in record.verdicts}
        for delivery in detail.deliveries:
            self._messages[delivery.destination, delivery.type] += delivery.status == "captured"
            reason = why(verdicts[delivery.rule]) if delivery.rule in verdicts else ""
            self._delivery(delivery, reason, said=line)
        if not detail.deliveries:
            # stored are only rules that could have matched
            nearest = nearest_first(judge(self._ruleset, rule, change) for rule in self._ruleset.rules)[0]
            missing = next(clause for clause in nearest.clauses if clause.verdict != "yes")
            text = f"→ nobody: no rule asks for it; {nearest.rule} wants another {missing.clause}"
            self._line(Text(text, "dim"), 9)

    def _event(self, detail: EventDetail) -> Event:
        return decode(detail.body, detail.event.source, detail.event.received_at, origin=detail.event.origin)

    def _delivery(self, delivery: DeliveryRecord, reason: str, *, said: str) -> None:
        to = f"{delivery.destination} ({delivery.type})"
        trial = ("  on trial: kept, not sent", "yellow") if delivery.mode == "shadow" else ""
        self._line(Text.assemble("→ ", (f"{to:<24}", "blue bold"), delivery.rule, trial), 9)
        if reason:
            self._line(Text(f"because {reason}", "dim"), 11, cut=True)
        if delivery.status != "captured":
            self._line(Text(f"{delivery.status}: {delivery.reason}", "red"), 11)
            return
        found = self._store.delivery(delivery.key)
        assert found is not None
        assert found.message is not None
        lines = [line for line in self._message(found.message, delivery) if line != said]
        for line in lines[:LINES_SHOWN]:
            style = {"+": "green", "-": "red"}.get(line[:1], "")
            self._line(Text.assemble(("│ ", "dim"), (line, style)), 11, cut=True)
        if len(lines) > LINES_SHOWN:
            self._line(Text(f"│ … {counted(len(lines) - LINES_SHOWN, 'more line')}", "dim"), 11)

    def _message(self, message: Message, delivery: DeliveryRecord) -> Iterator[str]:
        """Yield a message in short."""
        match message:
            case SlackMessage():
                yield from _slack(message)
            case LogMessage(text=text):
                yield from text.splitlines()
            case _:
                request = shown(message, self._ruleset.destinations[delivery.destination], delivery.key)
                assert isinstance(request, dict)
                if isinstance(message, EmailMessage):
                    yield f"To: {', '.join(request['recipients'])}"
                    yield f"Subject: {request['subject']}"
                else:
                    yield f"{request['method']} {request['url']}"
                    yield _compact(request["body"])

    def _arrivals(self, happening: Happening, details: dict[str, EventDetail]) -> None:
        lines = [Text()]
        for arrival in sorted(happening.arrivals, key=lambda arrival: arrival.late):
            event = self._event(details[arrival.id])
            outcome = "again" if arrival.known else _outcome(details[arrival.id])
            self._outcomes[outcome] += 1
            said = Text.assemble(
                ("later " if arrival.late else "", "magenta"),
                (f"v{event.snapshot.version} " if event.snapshot else "", "dim"),
                (outcome, OUTCOMES[outcome][1]),
            )
            if lines[-1] and lines[-1].cell_len + said.cell_len + 19 > self._console.width:
                lines.append(Text())
            lines[-1].append(", " if lines[-1] else "", "dim").append_text(said)
        for number, line in enumerate(lines):
            self._line(Text.assemble((" " * 10 if number else "arrived   ", "dim"), line), 7)

    # ---- all of it

    def _sum_up(self, things: int) -> None:
        done, arrived = counted(things, "thing"), counted(self._outcomes.total(), "webhook")
        self._line(Text(f"{done} done, {arrived} arrived:", "bold"), 0)
        for outcome, (words, style) in OUTCOMES.items():
            if count := self._outcomes[outcome]:
                self._line(Text.assemble((f"{count:>4} ", style), words), 0)
        self._line(Text(f"{counted(self._messages.total(), 'message')} made and kept, none sent:", "bold"), 0)
        for (destination, type), count in sorted(self._messages.items()):
            self._line(Text.assemble((f"{count:>4} ", "blue bold"), f"to {destination} ({type})"), 0)

    def _line(self, text: Text, indent: int, *, cut: bool = False) -> None:
        line = Text(" " * indent).append_text(text)
        if cut:
            line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line)


def _is_told(record: ChangeRecord) -> bool:
    return not record.facts.quiet and not record.facts.half


def _outcome(detail: EventDetail) -> str:
    if detail.event.status != "routed":
        return detail.event.status
    return "told" if any(map(_is_told, detail.changes)) else "other half"


def _change_of(record: ChangeRecord, event: Event) -> Change:
    """Return a stored change, without the versions' contents."""
    return Change(
        id=record.id,
        event=event,
        type=record.type,
        origin=record.origin,
        action=record.action,
        prompt=event.prompt,
        **msgspec.structs.asdict(record.facts),
    )


def _slack(message: SlackMessage) -> Iterator[str]:
    """Yield what people read of a Slack message, without its markup; of a diff only the lines that differ."""
    yield from _lines(list(message.blocks)) if message.blocks else unescape(message.text).splitlines()


def _lines(block: Json) -> Iterator[str]:
    match block:
        case list():
            for inner in block:
                yield from _lines(inner)
        case {"type": "rich_text_preformatted", "elements": list(inner)}:
            yield from (line for line in _joined(inner).splitlines() if line.startswith(("+", "-")))
        case {"type": "rich_text_section" | "rich_text_quote", "elements": list(inner)}:
            yield from _joined(inner).splitlines()
        case {"type": "plain_text" | "mrkdwn", "text": str(text)}:
            yield from unescape(text).splitlines()
        case {"elements": inner} | {"text": inner}:
            yield from _lines(inner)


def _joined(elements: Sequence[Json]) -> str:
    return "".join(str(inner.get("text", "")) for inner in elements if isinstance(inner, dict))


def _compact(body: Json) -> str:
    return body if isinstance(body, str) else msgspec.json.encode(body).decode()
