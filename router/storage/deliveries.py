"""The outbox: who may attempt which delivery, and what became of it.

A claim is a lease with a fencing number: while it runs nobody else gets the delivery, and once another claim was
made, whatever the earlier holder still has to say changes nothing. All times are the database's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, assert_never

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from router.domain.delivery import (
    Accepted,
    Answer,
    Claim,
    DeliveryStatus,
    NewDelivery,
    Refused,
    Rejected,
    Retry,
    Thread,
    Trace,
)
from router.domain.destination import Rate
from router.domain.message import DestinationType, Message
from router.storage import destinations as gates
from router.storage import order, threads
from router.storage.bound import among
from router.storage.clock import Millis, duration_ms, from_ms, now_ms, optional_moment, to_ms
from router.storage.statements import add_new, batched
from router.storage.tables import DELIVERY_IS_SENDING, DELIVERY_WAITS, attempts, deliveries, destinations

SettledStatus: TypeAlias = Literal["pending", "retrying", "delivered", "dead", "cancelled"]

_WAITING: Final = ("pending", "retrying")
RETRYABLE: Final[tuple[DeliveryStatus, ...]] = ("dead", "captured", "retrying")
CANCELLABLE: Final[tuple[DeliveryStatus, ...]] = ("pending", "retrying", "dead", "captured")
_LOST: Final = "nothing was heard of this attempt: its router ended"
_FOREVER: Final = 2**62


# Made once: to make a statement takes longer than to execute it, and these are executed all the time.
_MESSAGE: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)
"""Made once: to look a union up costs ten times what decoding by it does."""

_NOW: Final = select(now_ms())
_SENDING: Final = (
    select(deliveries.c.seq, deliveries.c.key, deliveries.c.fence, deliveries.c.order_key)
    .where(among(deliveries.c.key, "keys"), DELIVERY_IS_SENDING)
    .order_by(deliveries.c.seq)
    .with_for_update()
)
_END_DELIVERIES: Final = (
    update(deliveries)
    .where(among(deliveries.c.seq, "seqs"))
    .values(
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        attempts=deliveries.c.attempts - 1 + bindparam("used_up"),
        lease_until=None,
        due_at=func.coalesce(bindparam("new_due", type_=BigInteger), deliveries.c.due_at),
        ended_at=bindparam("ended"),
    )
)
_END_ATTEMPTS: Final = (
    update(attempts)
    .where(among(attempts.c.delivery, "seqs"), attempts.c.finished_at.is_(None))  # of each only the present one
    .values(
        finished_at=bindparam("finished"),
        outcome=bindparam("new_outcome"),
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        excerpt=bindparam("new_excerpt"),
    )
)
_EXPIRE: Final = (
    update(deliveries)
    .where(
        DELIVERY_IS_SENDING,
        deliveries.c.lease_until <= func.coalesce(bindparam("until", type_=BigInteger), now_ms()),
    )
    .values(status="retrying", reason=_LOST, lease_until=None)
    .returning(deliveries.c.seq, deliveries.c.fence)
)
_DUE: Final = (
    select(
        deliveries.c.seq,
        deliveries.c.lane,
        deliveries.c.key,
        deliveries.c.rule,
        deliveries.c.message,
        deliveries.c.attempts,
        deliveries.c.fence,
        deliveries.c.queued_at,
        deliveries.c.about_trouble,
        deliveries.c.trace,
        deliveries.c.arrived_at,
    )
    .where(
        DELIVERY_WAITS,
        deliveries.c.destination == bindparam("name"),
        deliveries.c.type == bindparam("kind"),
        deliveries.c.due_at <= bindparam("now"),
        deliveries.c.queued_at > bindparam("oldest"),
        or_(deliveries.c.order_key.is_(None), ~exists(order.in_front_of(deliveries))),
        or_(deliveries.c.lane.is_(None), ~order.in_its_lane(deliveries)),
    )
    .order_by(deliveries.c.due_at, deliveries.c.seq)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_TAKE: Final = (
    update(deliveries)
    .where(among(deliveries.c.seq, "seqs"))
    .values(
        status="sending",
        attempts=deliveries.c.attempts + 1,
        fence=deliveries.c.fence + 1,
        lease_until=bindparam("until"),
    )
)
_BEGIN: Final = insert(attempts).from_select(
    ("delivery", "fence", "number", "started_at", "reason", "excerpt"),
    select(
        deliveries.c.seq,
        deliveries.c.fence,
        deliveries.c.attempts,
        bindparam("now", type_=BigInteger),
        literal(""),
        literal(""),
    ).where(among(deliveries.c.seq, "seqs")),
    include_defaults=False,
)
_FIRST_DUE: Final = select(
    destinations,
    select(func.min(deliveries.c.due_at))
    .where(deliveries.c.destination == destinations.c.name, deliveries.c.type == destinations.c.type)
    .where(DELIVERY_WAITS)
    .scalar_subquery()
    .label("first_due"),
)
_LEASE_ENDS: Final = (
    select(deliveries.c.destination, deliveries.c.type, func.min(deliveries.c.lease_until))
    .where(DELIVERY_IS_SENDING, deliveries.c.lease_until > 0)  # the latter leads SQLite to the index
    .group_by(deliveries.c.destination, deliveries.c.type)
)


class Wanted(Struct, frozen=True, kw_only=True):
    """What a worker takes of one destination: at most `most` deliveries made for its `type`, each for `lease`.

    None goes out that waits for longer than `max_age`, and no more of them than `rate` allows to all workers.
    """

    type: DestinationType
    most: int
    lease: timedelta
    max_age: timedelta
    rate: Rate | None = None


class Settled(Struct, frozen=True):
    """An attempt's end was recorded. `opened`: until when the destination's breaker is open, if it opened by this."""

    opened: datetime | None = None


class GivenUp(Struct, frozen=True, kw_only=True):
    """A delivery that was given up while it waited."""

    key: str
    destination: str
    reason: str
    about_trouble: bool


def add(connection: Connection, new: Sequence[tuple[NewDelivery, int | None]]) -> list[str]:
    """Store deliveries, each with its prompt's number, due at once; those that are there already are passed over.

    Return the keys of the new ones.
    """
    if not new:
        return []
    now = _now(connection)
    rows = [
        {
            "key": delivery.key,
            "firing": delivery.firing,
            "rule": delivery.rule,
            "action": delivery.action,
            "position": delivery.position,
            "destination": delivery.destination,
            "type": delivery.type,
            "status": delivery.status,
            "message": None if delivery.message is None else msgspec.json.encode(delivery.message).decode(),
            "reason": delivery.reason,
            "prompt": prompt,
            "about_trouble": delivery.about_trouble,
            "order_key": delivery.order,
            "lane": delivery.lane,
            "again": delivery.again,
            "trace": None if delivery.trace is None else msgspec.json.encode(delivery.trace).decode(),
            "arrived_at": None if delivery.arrived_at is None else to_ms(delivery.arrived_at),
            "created_at": now,
            "queued_at": now,
            "due_at": now,
            "attempts": 0,
            "fence": 0,
        }
        for delivery, prompt in new
    ]
    keys = [key for (key,) in add_new(connection, deliveries, rows, "key")]
    named = {(delivery.destination, delivery.type) for delivery, _ in new}
    gates.add(connection, sorted(named))
    return keys


def claim(connection: Connection, wanted: Mapping[str, Wanted]) -> list[Claim]:
    """Take due deliveries of those destinations, the longest due first, as far as breaker, pause, rate and order allow.

    The attempt is counted now. Attempts whose lease ran out are recorded as lost, their deliveries are due.
    """
    _expire(connection, None)
    return take(connection, wanted)


def take(connection: Connection, wanted: Mapping[str, Wanted]) -> list[Claim]:
    """The same without a look at leases that ran out."""
    if not wanted:
        return []
    found = gates.gates(connection, ((name, want.type) for name, want in wanted.items()))
    now = _now(connection)  # others may have spent a destination's rate while we waited for its row
    claims: list[Claim] = []
    for (name, type_), gate in found.items():
        want = wanted[name]
        taken = _claim(connection, name, want, gate.room(want.most, want.rate, now), now)
        claims += taken
        if taken:
            passed = gate.passed([one.key for one in taken], want.rate, now, now + duration_ms(want.lease))
            if passed != gate:
                gates.save(connection, (name, type_), passed)
    return claims


class Settlement(Struct, frozen=True, kw_only=True):
    """How an attempt ended, to be recorded.

    `final` is the delivery's status from now on, `reason` why (None: the outcome's own word); a waiting one is due
    in `next_due` (None: at once). `pause` keeps the destination from being claimed for that long. A refusal does not
    use up the attempt. `begins`: the conversation of which what was posted is the first message.
    """

    claim: Claim
    answer: Answer
    final: SettledStatus
    reason: str | None = None
    next_due: timedelta | None = None
    pause: timedelta | None = None
    begins: Thread | None = None


class _Delivered(Struct, frozen=True):
    """What a group of deliveries become alike."""

    status: SettledStatus
    reason: str
    used_up: int
    due_at: Millis | None


class _Attempted(Struct, frozen=True):
    """How a group of attempts ended alike."""

    outcome: str
    status: int | None
    reason: str
    excerpt: str


def settle(connection: Connection, settlements: Sequence[Settlement]) -> list[Settled | None]:
    """Record how attempts ended. None: that claim was outdated, and nothing was changed.

    Breakers learn of the outcomes; what a delivered one overtook is cancelled. What ended alike is one statement:
    most attempts do.
    """
    now = _now(connection)
    held = _held(connection, (settlement.claim.key for settlement in settlements))
    current: dict[int, tuple[Settlement, int]] = {}
    for place, settlement in enumerate(settlements):
        row = held.get(settlement.claim.key)
        if row is not None and row.fence == settlement.claim.fence:
            current[place] = (settlement, row.seq)
            del held[settlement.claim.key]
            if settlement.final == "delivered" and row.order_key is not None:
                order.overtake(connection, row.seq, now)
            if settlement.begins is not None and settlement.answer.posted is not None:
                threads.begin(connection, settlement.begins, settlement.answer.posted)
    _end_deliveries(connection, current.values(), now)
    _end_attempts(connection, current.values(), now)
    opened = _tell_breakers(connection, {place: settlement for place, (settlement, _) in current.items()}, now)
    return [Settled(opened.get(place)) if place in current else None for place in range(len(settlements))]


def _held(connection: Connection, keys: Iterable[str]) -> dict[str, Row[int, str, int, str | None]]:
    """Return what of those deliveries is being sent, and keep it from others."""
    return {row.key: row for row in connection.execute(_SENDING, {"keys": list(keys)})}


def _end_deliveries(connection: Connection, ended: Iterable[tuple[Settlement, int]], now: Millis) -> None:
    alike: dict[_Delivered, list[int]] = {}
    for settlement, seq in ended:
        waits = settlement.final in _WAITING
        end = _Delivered(
            status=settlement.final,
            reason=_outcome(settlement.answer)[1] if settlement.reason is None else settlement.reason,
            used_up=0 if isinstance(settlement.answer.outcome, Refused) else 1,
            due_at=now + duration_ms(settlement.next_due or timedelta()) if waits else None,
        )
        alike.setdefault(end, []).append(seq)
    for end, seqs in alike.items():
        row = {
            "new_status": end.status,
            "new_reason": end.reason,
            "used_up": end.used_up,
            "new_due": end.due_at,
            "ended": now if end.due_at is None else None,
        }
        connection.execute(_END_DELIVERIES, row | {"seqs": seqs})


def _end_attempts(connection: Connection, ended: Iterable[tuple[Settlement, int]], now: Millis) -> None:
    alike: dict[_Attempted, list[int]] = {}
    for settlement, seq in ended:
        outcome, said = _outcome(settlement.answer)
        end = _Attempted(outcome, settlement.answer.status, said, settlement.answer.excerpt)
        alike.setdefault(end, []).append(seq)
    for end, seqs in alike.items():
        row = {
            "finished": now,
            "new_outcome": end.outcome,
            "new_status": end.status,
            "new_reason": end.reason,
            "new_excerpt": end.excerpt,
        }
        connection.execute(_END_ATTEMPTS, row | {"seqs": seqs})


def _tell_breakers(connection: Connection, ended: Mapping[int, Settlement], now: Millis) -> dict[int, datetime]:
    """Pause destinations that asked for it, and tell their breakers. Return, by place, until when one opened."""
    of: dict[gates.Name, list[int]] = {}
    for place, settlement in ended.items():
        of.setdefault((settlement.claim.destination, settlement.claim.type), []).append(place)
    opened: dict[int, datetime] = {}
    for name, places in sorted(of.items()):
        pauses = [pause for place in places if (pause := ended[place].pause) is not None]
        if pauses:
            gates.pause(connection, name, now + duration_ms(max(pauses)))
        outcomes = [(ended[place].answer.outcome, ended[place].claim.key) for place in places]
        for place, told in zip(places, gates.tell_breaker(connection, name, outcomes, now), strict=True):
            if told is not None and told.open_until is not None:
                opened[place] = told.open_until
    return opened


def release(connection: Connection, claims: Sequence[Claim]) -> None:
    """Give deliveries back as they were before they were claimed; outdated claims are passed over."""
    if not claims:
        return
    rows = [{"of": claim.key, "held": claim.fence} for claim in claims]
    mine = (deliveries.c.key == bindparam("of"), deliveries.c.fence == bindparam("held"), DELIVERY_IS_SENDING)
    seq = select(deliveries.c.seq).where(*mine).scalar_subquery()
    connection.execute(delete(attempts).where(attempts.c.delivery == seq, attempts.c.fence == bindparam("held")), rows)
    connection.execute(
        update(deliveries)
        .where(*mine)
        .values(
            status=case((deliveries.c.attempts > 1, "retrying"), else_="pending"),
            attempts=deliveries.c.attempts - 1,
            lease_until=None,
        ),
        rows,
    )
    of: dict[gates.Name, list[str]] = {}
    for claim in claims:
        of.setdefault((claim.destination, claim.type), []).append(claim.key)
    gates.free_probes(connection, of, _now(connection))


def give_up(connection: Connection, wanted: Mapping[str, Wanted]) -> list[GivenUp]:
    """End what waits for longer than its destination's `max_age`, also behind a breaker or another delivery."""
    now = _now(connection)
    given_up: list[GivenUp] = []
    for name, want in wanted.items():
        last = case((deliveries.c.reason == "", ""), else_=": " + deliveries.c.reason)
        ended = (
            update(deliveries)
            .where(DELIVERY_WAITS, deliveries.c.destination == name, deliveries.c.type == want.type)
            .where(deliveries.c.queued_at <= now - duration_ms(want.max_age))
            .values(status="dead", ended_at=now, reason="older than `max_age`" + last)
            .returning(deliveries.c.key, deliveries.c.reason, deliveries.c.about_trouble)
        )
        given_up += [
            GivenUp(key=key, destination=name, reason=reason, about_trouble=about_trouble)
            for key, reason, about_trouble in connection.execute(ended)
        ]
    return given_up


def expire_all(connection: Connection) -> None:
    """Let everything that is being sent wait again: for a server that knows that it is alone."""
    _expire(connection, _FOREVER)


def due_destinations(connection: Connection, wanted: Mapping[str, Wanted]) -> dict[str, timedelta]:
    """Return how long each of those destinations, as far as something waits for it, has nothing to claim (0: now)."""
    now = _now(connection)
    lease_ends = {(name, type_): until for name, type_, until in connection.execute(_LEASE_ENDS)}
    due: dict[str, timedelta] = {}
    for row in connection.execute(_FIRST_DUE).mappings():
        name, type_ = row["name"], row["type"]
        moments = [moment for moment in (row["first_due"], lease_ends.get((name, type_))) if moment is not None]
        if moments and name in wanted and wanted[name].type == type_:
            opens_at = gates.gate_of(row).opens_at(wanted[name].rate, now)
            due[name] = timedelta(milliseconds=max(0, max(min(moments), opens_at) - now))
    return due


def retry(connection: Connection, keys: Iterable[str]) -> list[str]:
    """Let deliveries that are dead, captured or between two attempts go out now, as at first. Return their keys.

    Where order counts, those after which a newer one was delivered are cancelled. The others are passed over:
    unknown, in another state, or dead because there was no message to send.
    """
    now = _now(connection)
    wanted = list(keys)
    overtaken = order.overtaken(connection, wanted, now)
    retried: list[str] = []
    for some in batched(key for key in wanted if key not in overtaken):
        again = (
            update(deliveries)
            .where(deliveries.c.key.in_(some), deliveries.c.status.in_(RETRYABLE))
            .where(deliveries.c.message.is_not(None))
            .values(status="pending", reason="", attempts=0, arrived_at=None, queued_at=now, due_at=now, ended_at=None)
            .returning(deliveries.c.key)
        )
        retried.extend(connection.execute(again).scalars())
    return retried


def cancel(connection: Connection, keys: Iterable[str], reason: str, only: Sequence[DeliveryStatus]) -> list[str]:
    """End those deliveries that are in one of the states `only`. Return their keys; others are passed over."""
    now = _now(connection)
    last = case((deliveries.c.reason == "", ""), else_="; before: " + deliveries.c.reason)
    cancelled: list[str] = []
    for some in batched(keys):
        ended = (
            update(deliveries)
            .where(deliveries.c.key.in_(some), deliveries.c.status.in_(only))
            .values(status="cancelled", reason=reason + last, ended_at=now)
            .returning(deliveries.c.key)
        )
        cancelled.extend(connection.execute(ended).scalars())
    return cancelled


def _now(connection: Connection) -> Millis:
    return connection.execute(_NOW).scalar_one()


def _expire(connection: Connection, until: Millis | None) -> None:
    """Let what was claimed until then (None: now) and never settled wait again."""
    lost = connection.execute(_EXPIRE, {"until": until}).all()
    if lost:
        connection.execute(
            update(attempts)
            .where(attempts.c.delivery == bindparam("of"), attempts.c.fence == bindparam("held"))
            .values(finished_at=now_ms(), outcome="lost", reason=_LOST),
            [{"of": seq, "held": fence} for seq, fence in lost],
        )


def _claim(connection: Connection, name: str, want: Wanted, most: int, now: Millis) -> list[Claim]:
    if not most:
        return []
    type_, lease_until = want.type, now + duration_ms(want.lease)
    asked = {"name": name, "kind": type_, "now": now, "oldest": now - duration_ms(want.max_age), "most": most}
    due = connection.execute(_DUE, asked).all()
    picked = set(order.first_of_each_lane((row.seq, row.lane) for row in due))
    if not picked:
        return []
    seqs, until = list(picked), from_ms(lease_until)
    connection.execute(_TAKE, {"seqs": seqs, "until": lease_until})
    connection.execute(_BEGIN, {"seqs": seqs, "now": now})
    return [
        Claim(
            key=key,
            rule=rule,
            destination=name,
            type=type_,
            message=message_of(message),
            attempt=attempts + 1,
            fence=fence + 1,
            created_at=from_ms(queued_at),
            lease_until=until,
            about_trouble=about_trouble,
            trace=None if trace is None else msgspec.json.decode(trace, type=Trace),
            arrived_at=optional_moment(arrived_at),
        )
        for seq, _, key, rule, message, attempts, fence, queued_at, about_trouble, trace, arrived_at in due
        if seq in picked
    ]


def message_of(text: str) -> Message:
    """Return a stored message."""
    return _MESSAGE.decode(text)


def _outcome(answer: Answer) -> tuple[str, str]:
    """Return the word under which an outcome is stored, and its reason."""
    match answer.outcome:
        case Accepted(detail=detail):
            return "accepted", detail
        case Retry(reason=reason):
            return "retry", reason
        case Rejected(reason=reason):
            return "rejected", reason
        case Refused(reason=reason):
            return "refused", reason
    assert_never(answer.outcome)
