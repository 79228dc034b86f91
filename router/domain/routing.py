"""What routing found out, ready to be stored in one transaction."""

from datetime import datetime, timedelta
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


class Throttle(Struct, frozen=True):
    """Fires now if nothing of the rule and `subject` did within `every`; else it is held until that time is over."""

    subject: str
    every: timedelta


class Later(Struct, frozen=True):
    """Is held, and told as one with all that the rule holds for `subject`.

    `due`: how long after the first of it was stored, by the store's clock, or at which moment.
    """

    subject: str
    due: timedelta | datetime


Hold: TypeAlias = Throttle | Later


class Firing(Struct, frozen=True, kw_only=True):
    """A rule fires for one or several changes (their ids, in the order in which they are told).

    `hold` None: it fires at once.
    """

    id: str
    rule: str
    mode: Mode
    changes: tuple[str, ...]
    hold: Hold | None = None


class SettledEvent(Struct, frozen=True):
    """How a waiting event ended. `seq` is its number in the store, `waited` for how long it had been there."""

    seq: int
    status: EventStatus
    reason: str = ""
    waited: timedelta = timedelta()


class Routing(Struct, frozen=True, kw_only=True):
    """The result of routing one settled batch: stored whole, or not at all if the ledger moved on meanwhile.

    `ledger` carries the revision that was read, and in `contents` the version contents to store.
    None: the events speak of no prompt. `verdicts` are by change id. Deliveries of a firing that turns out to be held
    are not stored.
    """

    ledger: Ledger | None
    events: tuple[SettledEvent, ...]
    changes: tuple[Change, ...]
    verdicts: dict[str, tuple[RuleVerdict, ...]]
    firings: tuple[Firing, ...]
    deliveries: tuple[NewDelivery, ...]
    ruleset: str
