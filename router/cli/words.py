"""How verdicts, requests and times look on a terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_never

import msgspec
import rich_click as click

from router.domain.json import Json
from router.domain.routing import ClauseVerdict, RuleVerdict
from router.storage.records import ChangeRecord, Wait

_MARKS = {"yes": "✓", "no": "✗", "error": "!"}


def clause_lines(clause: ClauseVerdict, indent: str = "  ") -> Iterator[str]:
    """Yield a line for the clause, and deeper ones for what it consists of."""
    wanted, got = (msgspec.json.encode(value).decode() for value in (clause.wanted, clause.got))
    mark = f"{indent}{_MARKS[clause.verdict]} {clause.clause}"
    yield f"{mark}: {clause.got}" if clause.inner else f"{mark}: wanted {wanted}, got {_short(got)}"
    for inner in clause.inner:
        yield from clause_lines(inner, indent + "  ")


def why(verdict: RuleVerdict) -> str:
    """Return what a rule found in a change, in short."""
    return "; ".join(f"{clause.clause} is {_plain(clause.got)}" for clause in verdict.clauses)


def facts_line(change: ChangeRecord) -> str:
    """Return what a stored change says, in one line."""
    facts = change.facts
    words = [change.action or change.type]
    if facts.version:
        words.append(f"v{facts.version.number}")
    words += [f"{move.label}: v{move.from_} → v{move.to}" for move in facts.moved]
    moved = {move.label for move in facts.moved}
    words += [f"+{label}" for label in facts.labels_gained if label not in moved]
    words += [f"−{label}" for label in facts.labels_lost]
    words += [f"tag +{tag}" for tag in facts.tags_gained] + [f"tag −{tag}" for tag in facts.tags_lost]
    words += [word for word in ("assumed", "quiet", "half") if getattr(facts, word)]
    return ", ".join(words)


def wait_words(wait: Wait) -> str:
    """Return why a delivery waits, in words."""
    until = when(wait.until)
    match wait.why:
        case "no destination":
            return "no destination: the rules in force have none of this name and type"
        case "breaker":
            return f"breaker open until {until}: {wait.detail}"
        case "pause":
            return f"paused until {until}, as the destination asked"
        case "order":
            return f"order: behind {wait.detail}"
        case "retry":
            return f"next attempt at {until}"
        case "rate":
            return f"rate: not before {until}"
        case "turn":
            return "its turn comes next"
        case _:
            assert_never(wait.why)


def print_request(request: Json) -> None:
    """Print a request as `dry-run` shows it: the line that matters, then the body."""
    if not isinstance(request, dict):
        return
    if "method" in request:
        click.echo(f"  {request['method']} {request.get('url')}")
        headers = request.get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            click.echo(f"  {name}: {value}")
        _print_body(request.get("body"))
    elif "recipients" in request:
        recipients = request["recipients"]
        click.echo(f"  From: {request.get('from')}")
        click.echo(f"  To: {', '.join(map(str, recipients)) if isinstance(recipients, list | tuple) else recipients}")
        click.echo(f"  Subject: {request.get('subject')}")
        _print_body(request.get("text"))
    elif "title" in request:
        click.echo(f"  {request.get('url')}")
        click.echo(f"  Title: {request['title']}")
        _print_body(request.get("body"))
    else:
        _print_body(request.get("text"))


def _print_body(body: Json) -> None:
    if body is None:
        return
    text = body if isinstance(body, str) else msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
    for line in text.splitlines():
        click.echo(f"    {line}")


def when(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _plain(value: Json) -> str:
    match value:
        case True | False:
            return "yes" if value else "no"
        case str():
            return value
        case list() | tuple():
            return ", ".join(map(_plain, value))
        case _:
            return msgspec.json.encode(value).decode()


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
