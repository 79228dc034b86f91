"""The outbox: who may attempt which delivery, and what became of it.

A claim is a lease with a fencing number: while it runs nobody else gets the delivery, and once another claim was
made, whatever the earlier holder still has to say changes nothing. All times are the database's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal, TypeAlias, assert_never

import msgspec
from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from router.domain.delivery import Accepted, Answer, Claim, Refused, Rejected, Retry
from router.domain.message import DestinationType, Message
from router.storage.clock import Millis, duration_ms, from_ms, now_ms
from router.storage.statements import batched
from router.storage.tables import DELIVERY_IS_SENDING, DELIVERY_WAITS, attempts, deliveries, destinations

SettledStatus: TypeAlias = Literal["pending", "retrying", "delivered", "dead", "cancelled"]

_WAITING: Final = ("pending", "retrying")
_LOST: Final = "nothing was heard of this attempt: its router ended"
_FOREVER: Final = 2**62


def claim(
    connection: Connection,
    limits: Mapping[str, int],
    types: Mapping[str, DestinationType],
    lease: Mapping[str, timedelta],
) -> list[Claim]:
    """Take at most `limits[name]` due deliveries of each destination, the oldest due first.

    Only destinations named in `limits` are looked at, and there only deliveries of `types[name]`; paused ones give
    none. The attempt is counted now. Attempts whose lease ran out are recorded as lost, their deliveries are due.
    """
    now = _now(connection)
    _expire(connection, now)
    paused = select(destinations.c.name, destinations.c.type).where(destinations.c.paused_until > now)
    closed = {(name, type_) for name, type_ in connection.execute(paused)}
    return [
        claim
        for name, most in limits.items()
        if most > 0 and (name, types[name]) not in closed
        for claim in _claim(connection, name, types[name], most, now, now + duration_ms(lease[name]))
    ]


def settle(
    connection: Connection,
    claim: Claim,
    answer: Answer,
    *,
    final: SettledStatus,
    reason: str | None = None,
    next_due: timedelta | None = None,
    pause: timedelta | None = None,
) -> bool:
    """Record how an attempt ended. False: the claim was outdated, and nothing was changed.

    `final` is the delivery's status from now on, `reason` why (None: the outcome's own word); a waiting one is due
    in `next_due` (None: at once). `pause` keeps the destination from being claimed for that long. A refusal does not
    use up the attempt.
    """
    now = _now(connection)
    outcome, said = _outcome(answer)
    waits = final in _WAITING
    due = {} if not waits else {"due_at": now + duration_ms(next_due or timedelta())}
    used_up = 0 if isinstance(answer.outcome, Refused) else 1
    settled = connection.execute(
        update(deliveries)
        .where(deliveries.c.key == claim.key, deliveries.c.fence == claim.fence, DELIVERY_IS_SENDING)
        .values(
            status=final,
            reason=said if reason is None else reason,
            attempts=deliveries.c.attempts - 1 + used_up,
            lease_until=None,
            ended_at=None if waits else now,
            **due,
        )
        .returning(deliveries.c.seq)
    ).scalar()
    if settled is None:
        return False
    connection.execute(
        update(attempts)
        .where(attempts.c.delivery == settled, attempts.c.fence == claim.fence)
        .values(finished_at=now, outcome=outcome, status=answer.status, reason=said, excerpt=answer.excerpt)
    )
    if pause is not None:
        _pause(connection, claim, now + duration_ms(pause))
    return True


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


def expire_all(connection: Connection) -> None:
    """Let everything that is being sent wait again: for a server that knows that it is alone."""
    _expire(connection, _FOREVER)


def due_destinations(connection: Connection, types: Mapping[str, DestinationType]) -> dict[str, timedelta]:
    """Return how long each of those destinations, as far as something waits for it, has nothing to claim (0: now)."""
    first_due = (
        select(func.min(deliveries.c.due_at))
        .where(deliveries.c.destination == destinations.c.name, deliveries.c.type == destinations.c.type)
        .where(DELIVERY_WAITS)
        .scalar_subquery()
    )
    waiting = select(destinations.c.name, destinations.c.type, destinations.c.paused_until, first_due)
    sending = (
        select(deliveries.c.destination, deliveries.c.type, func.min(deliveries.c.lease_until))
        .where(DELIVERY_IS_SENDING)
        .group_by(deliveries.c.destination, deliveries.c.type)
    )
    now = _now(connection)
    lease_ends = {(name, type_): until for name, type_, until in connection.execute(sending)}
    due: dict[str, timedelta] = {}
    for name, type_, paused_until, due_at in connection.execute(waiting):
        moments = [moment for moment in (due_at, lease_ends.get((name, type_))) if moment is not None]
        if moments and types.get(name) == type_:
            due[name] = timedelta(milliseconds=max(0, max(min(moments), paused_until or 0) - now))
    return due


def retry(connection: Connection, keys: Iterable[str]) -> list[str]:
    """Let dead and captured deliveries wait again, from the first attempt on. Return the keys of those that do.

    The others are passed over: unknown, in another state, or dead because there was no message to send.
    """
    now = _now(connection)
    retried: list[str] = []
    for some in batched(keys):
        again = (
            update(deliveries)
            .where(deliveries.c.key.in_(some), deliveries.c.status.in_(("dead", "captured")))
            .where(deliveries.c.message.is_not(None))
            .values(status="pending", reason="", attempts=0, queued_at=now, due_at=now, ended_at=None)
            .returning(deliveries.c.key)
        )
        retried.extend(connection.execute(again).scalars())
    return retried


def _now(connection: Connection) -> Millis:
    return connection.execute(select(now_ms())).scalar_one()


def _expire(connection: Connection, until: Millis) -> None:
    """Let what was claimed until then and never settled wait again."""
    lost = connection.execute(
        update(deliveries)
        .where(DELIVERY_IS_SENDING, deliveries.c.lease_until <= until)
        .values(status="retrying", reason=_LOST, lease_until=None)
        .returning(deliveries.c.seq, deliveries.c.fence)
    ).all()
    if lost:
        connection.execute(
            update(attempts)
            .where(attempts.c.delivery == bindparam("of"), attempts.c.fence == bindparam("held"))
            .values(finished_at=now_ms(), outcome="lost", reason=_LOST),
            [{"of": seq, "held": fence} for seq, fence in lost],
        )


def _claim(
    connection: Connection, name: str, type_: DestinationType, most: int, now: Millis, lease_until: Millis
) -> list[Claim]:
    due = (
        select(deliveries.c.seq)
        .where(DELIVERY_WAITS, deliveries.c.destination == name, deliveries.c.type == type_)
        .where(deliveries.c.due_at <= now)
        .order_by(deliveries.c.due_at, deliveries.c.seq)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    picked = connection.execute(due).scalars().all()
    claims: dict[int, Claim] = {}
    for some in batched(picked):
        taken = (
            update(deliveries)
            .where(deliveries.c.seq.in_(some))
            .values(
                status="sending",
                attempts=deliveries.c.attempts + 1,
                fence=deliveries.c.fence + 1,
                lease_until=lease_until,
            )
            .returning(
                deliveries.c.seq,
                deliveries.c.key,
                deliveries.c.message,
                deliveries.c.attempts,
                deliveries.c.fence,
                deliveries.c.queued_at,
                deliveries.c.about_trouble,
            )
        )
        for seq, key, message, attempt, fence, queued_at, about_trouble in connection.execute(taken):
            claims[seq] = Claim(
                key=key,
                destination=name,
                type=type_,
                message=_message(message),
                attempt=attempt,
                fence=fence,
                created_at=from_ms(queued_at),
                lease_until=from_ms(lease_until),
                about_trouble=about_trouble,
            )
    started = [
        {"delivery": seq, "fence": claim.fence, "number": claim.attempt, "started_at": now, "reason": "", "excerpt": ""}
        for seq, claim in claims.items()
    ]
    if started:
        connection.execute(insert(attempts), started)
    return [claims[seq] for seq in picked]


def _message(text: str) -> Message:
    message: Message = msgspec.json.decode(text, type=Message)  # its type is a union, which mypy does not follow here
    return message


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


def _pause(connection: Connection, claim: Claim, until: Millis) -> None:
    paused_until = func.coalesce(destinations.c.paused_until, 0)
    connection.execute(
        update(destinations)
        .where(destinations.c.name == claim.destination, destinations.c.type == claim.type, paused_until < until)
        .values(paused_until=until)
    )
