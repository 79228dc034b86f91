"""Other rules over the changes that were stored: which deliveries would come, go or differ. Reads only.

Both sets of rules decide on the same changes, one by one, through the plan that the service uses. So what rules gather
or hold back is compared change by change, not as the one message that it would become.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from router.delivery.request import shown
from router.domain.change import Change
from router.domain.json import Json
from router.engine.context import Setting, Told
from router.engine.deadline import OutOfTime, check
from router.engine.plan import plan
from router.engine.ruleset import Ruleset
from router.engine.summary import summary_of

Kind: TypeAlias = Literal["come", "go", "differ", "same"]


class Sent(Struct, frozen=True, kw_only=True):
    """One delivery of a plan; `request` None: nothing would be sent, and `reason` says why."""

    rule: str
    to: str
    status: str
    request: Json
    reason: str = ""


class Difference(Struct, frozen=True, kw_only=True):
    """What becomes of one delivery: `before` is that of the old rules, `after` that of the new ones."""

    kind: Kind
    change: Change
    before: Sent | None
    after: Sent | None

    @property
    def one(self) -> Sent:
        found = self.after or self.before
        assert found is not None
        return found


class Outcome(Struct, frozen=True, kw_only=True):
    """How many deliveries of all changes are of each kind; `kept` are the first that are not the same.

    `in_time` False: there was no time for the changes that come after these.
    """

    changes: int
    in_time: bool
    counts: Counter[Kind]
    by_rule: Counter[tuple[str, Kind]]
    kept: tuple[Difference, ...]


def outcome(old: Ruleset, new: Ruleset, changes: Iterable[Change], *, keep: int) -> Outcome:
    """Compare over all changes, or as many as there is time for, keeping the first `keep` differences."""
    counts: Counter[Kind] = Counter()
    by_rule: Counter[tuple[str, Kind]] = Counter()
    kept: list[Difference] = []
    number, in_time = 0, True
    try:
        for _, differences in compare(old, new, changes):
            number += 1
            for difference in differences:
                counts[difference.kind] += 1
                if difference.kind != "same":
                    by_rule[difference.one.rule, difference.kind] += 1
                    if len(kept) < keep:
                        kept.append(difference)
    except OutOfTime:
        in_time = False
    return Outcome(changes=number, in_time=in_time, counts=counts, by_rule=by_rule, kept=tuple(kept))


def headline(change: Change) -> str:
    return summary_of(Told(change, None), Setting(rule=""), "none").line


def as_json(found: Outcome) -> dict[str, object]:
    """Return the outcome in the shape that `what-if --format json` and the API promise."""
    return {
        "changes": found.changes,
        "come": found.counts["come"],
        "go": found.counts["go"],
        "differ": found.counts["differ"],
        "same": found.counts["same"],
        "differences": list(map(_difference_json, found.kept)),
    }


def _difference_json(difference: Difference) -> dict[str, object]:
    change = difference.change
    return {
        "kind": difference.kind,
        "rule": difference.one.rule,
        "to": difference.one.to,
        "change": change.id,
        "event": change.event.id,
        "prompt": change.prompt and change.prompt.name,
        "what": headline(change),
        "before": difference.before,
        "after": difference.after,
    }


def compare(old: Ruleset, new: Ruleset, changes: Iterable[Change]) -> Iterator[tuple[Change, tuple[Difference, ...]]]:
    """Yield each change with what becomes of its deliveries. Raises OutOfTime."""
    for change in changes:
        check()
        yield change, tuple(_differences(change, _sent(old, change), _sent(new, change)))


def _sent(ruleset: Ruleset, change: Change) -> dict[tuple[str, str, int], Sent]:
    """Return what would be sent, by rule, destination, and how many there were before of both."""
    found: dict[tuple[str, str, int], Sent] = {}
    planned = plan(ruleset, [change], now=change.event.received_at, ahead=True)
    for delivery in planned.deliveries:
        request: Json = None
        if delivery.message is not None:
            # under one key for both: that an action has another identity is no difference to whoever receives it
            request = shown(delivery.message, ruleset.destinations[delivery.destination], "")
        number = sum(name[:2] == (delivery.rule, delivery.destination) for name in found)
        found[delivery.rule, delivery.destination, number] = Sent(
            rule=delivery.rule,
            to=delivery.destination,
            status=delivery.status,
            request=request,
            reason=delivery.reason,
        )
    return found


def _differences(
    change: Change, before: dict[tuple[str, str, int], Sent], after: dict[tuple[str, str, int], Sent]
) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        kind: Kind = "come" if old is None else "go" if new is None else "same" if old == new else "differ"
        yield Difference(kind=kind, change=change, before=old, after=new)
