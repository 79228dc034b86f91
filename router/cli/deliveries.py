"""`deliveries`: what was sent, what waits, what was given up; and sending it again, or not."""

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import reduce
from typing import Any

import rich_click as click

from router.cli.options import (
    Format,
    choice_option,
    confirm,
    cursor_option,
    format_option,
    limit_option,
    load_offline,
    open_store,
    print_json,
    print_page,
    rules_option,
    since_option,
    store_option,
)
from router.cli.words import print_request, wait_words, when
from router.domain.counted import counted
from router.domain.json import Json
from router.domain.problem import RouterError, RulesError
from router.service.views import request_now
from router.storage.deliveries import CANCELLABLE, RETRYABLE
from router.storage.records import (
    WANTED_STATUSES,
    Chosen,
    DeliveryDetail,
    DeliveryFilter,
    DeliveryRecord,
    WantedStatus,
)
from router.storage.store import Store


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command choose deliveries by what they are about."""
    options = (
        click.option("--destination", metavar="NAME", help="Only deliveries to this destination."),
        click.option("--rule", metavar="NAME", help="Only deliveries of this rule."),
        click.option("--prompt", metavar="NAME", help="Only deliveries about this prompt."),
        since_option,
    )
    return reduce(lambda decorated, option: option(decorated), reversed(options), command)


def act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command act on deliveries by KEY, or on all that a filter finds."""
    options = (
        click.argument("keys", nargs=-1, metavar="[KEY]..."),
        filter_options,
        click.option("--yes", is_flag=True, help="Do not ask."),
        store_option,
        rules_option,
        format_option,
    )
    return reduce(lambda decorated, option: option(decorated), reversed(options), command)


@click.group()
def deliveries() -> None:
    """Look at deliveries, send them again, or give them up."""


@deliveries.command("list")
@store_option
@rules_option
@choice_option("--status", WANTED_STATUSES, "Only deliveries in this state")
@filter_options
@limit_option
@cursor_option
@format_option
def list_(
    store_url: str | None,
    rules_path: str,
    status: WantedStatus | None,
    destination: str | None,
    rule: str | None,
    prompt: str | None,
    since: datetime | None,
    limit: int,
    cursor: str | None,
    format_: Format,
) -> None:
    """List deliveries, the newest first."""
    wanted = DeliveryFilter(status=status, destination=destination, rule=rule, prompt=prompt, since=since)
    with open_store(store_url, rules_path) as store:
        page = store.deliveries(wanted, limit=limit, cursor=cursor)
    if format_ == "json":
        print_json(page)
    else:
        print_page(page, _line, "no deliveries")


def _line(found: DeliveryRecord) -> str:
    about = found.prompt.name if found.prompt else ""
    reason = f"  ({'; '.join(reasons)})" if (reasons := _reasons(found)) else ""
    what = f"{found.rule} → {found.destination}"
    return f"{when(found.created_at)}  {found.status:<9} {found.key}  {what}  {about}{reason}"


@deliveries.command()
@click.argument("key")
@store_option
@rules_option
@format_option
def show(key: str, store_url: str | None, rules_path: str, format_: Format) -> None:
    """Show one delivery: its message as it would be sent, secrets masked, and every attempt with its answer."""
    with open_store(store_url, rules_path) as store:
        found = store.delivery(key)
    if found is None:
        raise RouterError(f"no delivery {key} in the store")
    request = _request(found, rules_path)
    if format_ == "json":
        print_json({"delivery": found.delivery, "request": request, "attempts": found.attempts, "events": found.events})
        return
    delivery = found.delivery
    click.secho(f"delivery {delivery.key}: {delivery.status}", bold=True)
    for name, value in (
        ("rule", f"{delivery.rule} actions[{delivery.position}] ({delivery.mode})"),
        ("to", f"{delivery.destination} ({delivery.type})"),
        ("prompt", delivery.prompt.name if delivery.prompt else ""),
        ("created", when(delivery.created_at)),
        ("waits", wait_words(delivery.wait) if delivery.wait else ""),
        ("reason", delivery.reason),
        ("events", _some([event.id for event in found.events])),
    ):
        if value:
            click.echo(f"  {name:<8} {value}")
    print_request(request)
    for attempt in found.attempts:
        status = f" {attempt.status}" if attempt.status else ""
        click.echo(f"attempt {attempt.number} at {when(attempt.started_at)}: {attempt.outcome or 'under way'}{status}")
        for line in filter(None, (attempt.reason, *attempt.excerpt.splitlines())):
            click.echo(f"    {line}")


@deliveries.command()
@choice_option("--status", RETRYABLE, "Which of those a filter finds; default: dead")
@act_options
def retry(**choice: Any) -> None:
    """Send deliveries that are dead, captured or wait for a next attempt now: by KEY, or all that a filter finds.

    They go out under their old keys, and begin their schedule anew.
    """
    _act(
        choice,
        usual="dead",
        question="send {count} again?",
        act=lambda store, keys: store.retry(keys).result(),
        done="will be sent by the running service",
    )


@deliveries.command()
@choice_option("--status", CANCELLABLE, "Which of those a filter finds; default: all that wait")
@act_options
def cancel(**choice: Any) -> None:
    """End deliveries that wait, are dead or captured: by KEY, or all that a filter finds."""
    _act(
        choice,
        usual="waiting",
        question="cancel {count}?",
        act=lambda store, keys: store.cancel(keys, "cancelled by hand").result(),
        done="cancelled",
    )


@deliveries.command()
@act_options
def dismiss(**choice: Any) -> None:
    """Give dead deliveries up for good: by KEY, or all that a filter finds."""
    _act(
        choice,
        usual="dead",
        question="dismiss {count}?",
        act=lambda store, keys: store.cancel(keys, "dismissed", only=("dead",)).result(),
        done="dismissed",
    )


def _act(
    choice: dict[str, Any],
    *,
    usual: WantedStatus,
    question: str,
    act: Callable[[Store, list[str]], list[str]],
    done: str,
) -> None:
    """Act on the deliveries of `choice` (what the options say): those named, or all that a filter finds.

    A filter that says no status means those that are `usual`.
    """
    filters = {name: choice[name] for name in ("destination", "rule", "prompt", "since")}
    status = choice.get("status")
    filtered = status is not None or any(filters.values())
    if bool(choice["keys"]) == filtered:
        raise click.UsageError("give KEYs, or a filter such as --status or --destination, one of them")
    with open_store(choice["store_url"], choice["rules_path"]) as store:
        wanted = DeliveryFilter(status=status or usual, **filters)
        keys = store.delivery_keys(wanted) if filtered else list(choice["keys"])
        count = counted(len(keys), "delivery")
        if filtered:
            if keys and not choice["yes"]:
                click.echo(_where(store.chosen(wanted)), err=True)
            confirm(question.format(count=count), of=len(keys), yes=choice["yes"])
        changed = act(store, keys)
        others = [(key, store.delivery(key)) for key in keys if key not in set(changed)]
    if choice["format_"] == "json":
        print_json({"chosen": len(keys), "changed": changed, "unchanged": [key for key, _ in others]})
    else:
        click.echo(f"{len(changed)} of {count} {done}" if keys else "no such deliveries")
    for key, found in others:
        click.echo(f"{key}: {_state(found)}", err=True)
    sys.exit(1 if others else 0)


def _where(found: Iterable[Chosen]) -> str:
    """Return for which destinations they are, one a line."""
    return "\n".join(f"  {one.count:>5}  {one.destination} ({one.type})" for one in found)


def _state(found: DeliveryDetail | None) -> str:
    if found is None:
        return "not in the store"
    said = "; ".join(_reasons(found.delivery))
    return f"is {found.delivery.status}" + (f" ({said})" if said else "")


def _reasons(delivery: DeliveryRecord) -> list[str]:
    """Return what to know of a delivery's state: how it came to it, and what it waits for."""
    waits = wait_words(delivery.wait) if delivery.wait and delivery.wait.why != "turn" else ""
    return [reason for reason in (delivery.reason, waits) if reason]


def _request(found: DeliveryDetail, rules_path: str) -> Json:
    """Return the request as it would go out now; without a rules file, nothing."""
    try:
        return request_now(found, load_offline(rules_path).ruleset.destinations)
    except RulesError:
        return None


def _some(names: list[str]) -> str:
    """Return the names, the first ten of many."""
    rest = len(names) - 10
    return ", ".join(names[:10]) + (f" and {rest} more" if rest > 0 else "")
