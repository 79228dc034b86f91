"""What routing found out, ready to be stored in one transaction."""

from typing import Literal, TypeAlias

from msgspec import Struct

from router.domain.change import Change
from router.domain.delivery import Mode, NewDelivery
from router.domain.event import EventStatus
from router.domain.json import Json
from router.domain.ledger import Ledger

ClauseAnswer: TypeAlias = Literal["yes", "no", "error"]
RuleAnswer: TypeAlias = Literal["match", "no", "error", "disabled"]


class ClauseVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a clause answered as it did. `inner` holds the clauses of a nested match."""

    clause: str
    wanted: Json
    got: Json
    verdict: ClauseAnswer
    inner: "tuple[ClauseVerdict, ...]" = ()


class RuleVerdict(Struct, frozen=True, kw_only=True):
    """What a rule said to a change, clause by clause. `rule` is the rule's name."""

    rule: str
    verdict: RuleAnswer
    clauses: tuple[ClauseVerdict, ...]


class Firing(Struct, frozen=True, kw_only=True):
    """A rule fires for one or several changes (their ids)."""

    id: str
    rule: str
    mode: Mode
    changes: tuple[str, ...]


class SettledEvent(Struct, frozen=True):
    """How a waiting event ended. `seq` is its number in the store."""

    seq: int
    status: EventStatus
    reason: str = ""


class Routing(Struct, frozen=True, kw_only=True):
    """The result of routing one settled batch: stored whole, or not at all if the ledger moved on meanwhile.

    `ledger` carries the revision that was read, and in `contents` the version contents to store.
    None: the events speak of no prompt. `verdicts` are by change id.
    """

    ledger: Ledger | None
    events: tuple[SettledEvent, ...]
    changes: tuple[Change, ...]
    verdicts: dict[str, tuple[RuleVerdict, ...]]
    firings: tuple[Firing, ...]
    deliveries: tuple[NewDelivery, ...]
    ruleset: str
