"""The result of a dry run, in the shape that `dry-run --format json` and the API promise."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from router.delivery.request import shown
from router.domain.change import Change
from router.domain.delivery import NewDelivery
from router.domain.json import Json
from router.domain.routing import Firing, Later, Throttle
from router.engine.context import Setting, Told, author_of, context_of
from router.engine.firing import due_at
from router.engine.preview import Preview
from router.engine.ruleset import Ruleset


def as_json(result: Preview, ruleset: Ruleset) -> dict[str, object]:
    """Return what would happen, as values that can be written as JSON."""
    event = result.event
    snapshot = event.snapshot
    changes = [_change_json(change, ruleset) for change in result.changes]
    first = result.changes[0] if result.changes else None
    return {
        "event": {
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "action": event.action,
            "origin": event.origin,
            "status": result.status,
            "reason": result.reason,
            "prompt": None
            if event.prompt is None or snapshot is None
            else {"project_id": event.prompt.project_id, "name": event.prompt.name, "version": snapshot.version},
        },
        "change": changes[0] if changes else None,
        "changes": changes,
        "rules": result.plan.verdicts[first.id] if first else [],
        "deliveries": list(_deliveries_json(result, ruleset)),
    }


def _change_json(change: Change, ruleset: Ruleset) -> dict[str, object]:
    told = Told(change, None)
    setting = Setting(rule="", project_urls={name: s.project_url for name, s in ruleset.sources.items()})
    context = context_of((told,), setting)
    view = context["change"]
    assert isinstance(view, dict)
    return {
        "action": change.action,
        "version": change.version and change.version.number,
        "origin": change.origin,
        "half": change.half,
        "author": author_of(change.event) if change.version else None,
        **view,
    }


def _deliveries_json(result: Preview, ruleset: Ruleset) -> Iterator[dict[str, object]]:
    order = {change.id: index for index, change in enumerate(result.changes)}
    firings = {firing.id: firing for firing in result.plan.firings}
    for delivery in result.plan.deliveries:
        firing = firings[delivery.firing]
        yield {
            "rule": delivery.rule,
            "change": order[firing.changes[-1]],
            "action": delivery.position,
            "to": delivery.destination,
            "type": delivery.type,
            "mode": firing.mode,
            "status": "pending" if delivery.status == "captured" and firing.mode == "live" else delivery.status,
            "reason": delivery.reason,
            "request": request(delivery, ruleset),
            **_hold_json(firing, result.event.received_at),
        }


def request(delivery: NewDelivery, ruleset: Ruleset) -> Json:
    """Return what would go out, secrets masked; None: there is no message."""
    if delivery.message is None:
        return None
    return shown(delivery.message, ruleset.destinations[delivery.destination], delivery.key)


def _hold_json(firing: Firing, now: datetime) -> dict[str, object]:
    match firing.hold:
        case None:
            return {}
        case Throttle(every=every):
            return {"throttle": span(every)}
        case Later():
            return {"due": due_at(firing, now)}


def span(duration: timedelta) -> str:
    """Return a duration as the rules file writes it."""
    milliseconds = duration // timedelta(milliseconds=1)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"
