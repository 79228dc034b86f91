"""What is held back: changes that a rule matched and tells later, as one.

A window is a stretch of time of one rule and subject. Of a throttled rule it opens with a firing, and what is held
is told at its end; of a collecting one it opens with the first change that is gathered. A held change belongs to its
rule like one that has fired: (change, rule) is unique for both together.

Whoever writes to a window, or holds something for it, takes the lock of its row first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from router.domain.delivery import NewDelivery
from router.domain.routing import Firing, Hold, Later, Throttle
from router.storage import deliveries
from router.storage.clock import Millis, duration_ms, now_ms, to_ms
from router.storage.statements import add_new, batched
from router.storage.tables import CHANGE_IS_HELD, changes, events, firing_changes, firings, windows

MOST_TOLD: Final = 1_000
MOST_BYTES: Final = 32 * 2**20
"""A firing tells so many changes at most, and no more than so many bytes of events; the rest comes in another one."""

_FORGOTTEN_AT_ONCE: Final = 500


class Window(Struct, frozen=True, kw_only=True):
    """Something is held of `rule` about `subject`, and due in `due_in` (not above 0: now)."""

    rule: str
    subject: str
    due_at: Millis
    due_in: timedelta


class Held(Struct, frozen=True, kw_only=True):
    """The changes of a window that can be told together; `more`: they are not all of them."""

    changes: tuple[str, ...]
    more: bool


class Telling(Struct, frozen=True, kw_only=True):
    """What becomes of a window whose time has come: a firing for what was held, and its deliveries.

    `hold`: how the rule holds back from now on; None: it does not. `ruleset` is the digest of the rules that decided.
    """

    window: Window
    firing: Firing
    deliveries: tuple[NewDelivery, ...]
    ruleset: str
    more: bool
    hold: Hold | None


# ---- holding back


def is_free(connection: Connection, rule: str, throttle: Throttle) -> bool:
    """Answer whether `rule` may fire about the throttle's subject now, and if so, begin its time."""
    return _open(connection, rule, throttle.subject, throttle.every)


def hold(connection: Connection, rule: str, later: Later, ids: Sequence[str]) -> list[str]:
    """Hold changes that the rule has neither told nor holds; return which."""
    known: set[str] = set()
    for some in batched(ids):
        query = select(firing_changes.c.change_id).where(
            firing_changes.c.rule == rule, firing_changes.c.change_id.in_(some)
        )
        known.update(connection.execute(query).scalars())
    new = [id_ for id_ in ids if id_ not in known]
    if new:
        _open(connection, rule, later.subject, later.due)
        rows = [{"change_id": id_, "rule": rule, "firing": None, "subject": later.subject} for id_ in new]
        add_new(connection, firing_changes, rows)
    return new


def _open(connection: Connection, rule: str, subject: str, due: timedelta | datetime) -> bool:
    """Lock a window. Begin its time if it is over and nothing is held there: True. Else it may only end earlier."""
    over = {"rule": rule, "subject": subject, "opened_at": 0, "due_at": 0}
    lock = (
        insert(windows)
        .values(over)
        .on_conflict_do_update(index_elements=("rule", "subject"), set_={"rule": windows.c.rule})
    )
    due_at = connection.execute(lock.returning(windows.c.due_at)).scalar()
    now = _now(connection)
    new_due_at = to_ms(due) if isinstance(due, datetime) else now + duration_ms(due)
    this = (windows.c.rule == rule, windows.c.subject == subject)
    # a statement of its own: it has to see what others held until they let go of the lock
    holds = connection.execute(select(exists().where(*_held(rule, subject)))).scalar()
    if not holds and (due_at is None or due_at <= now):
        connection.execute(update(windows).where(*this).values(opened_at=now, due_at=new_due_at))
        return True
    if due_at is None or due_at > new_due_at:
        connection.execute(update(windows).where(*this).values(due_at=new_due_at))
    return False


# ---- telling


def due(connection: Connection, most: int) -> list[Window]:
    """Return the windows in which something is held, those that are due first; never those that wait for a rule."""
    something = exists().where(
        firing_changes.c.rule == windows.c.rule, firing_changes.c.subject == windows.c.subject, CHANGE_IS_HELD
    )
    query = (
        select(windows.c.rule, windows.c.subject, windows.c.due_at)
        .where(windows.c.due_at.is_not(None), something)
        .order_by(windows.c.due_at)
        .limit(most)
    )
    now = _now(connection)
    return [
        Window(rule=rule, subject=subject, due_at=due_at, due_in=timedelta(milliseconds=due_at - now))
        for rule, subject, due_at in connection.execute(query)
    ]


def held(connection: Connection, window: Window) -> Held:
    """Return what is held in a window, as far as one firing can tell it."""
    query = (
        select(changes.c.id, changes.c.event, func.length(events.c.body))
        .join(firing_changes, firing_changes.c.change_id == changes.c.id)
        .join(events, events.c.seq == changes.c.event)
        .where(*_held(window.rule, window.subject))
        .order_by(changes.c.seq)
        .limit(MOST_TOLD + 1)
    )
    ids: list[str] = []
    seen: set[int] = set()
    size = 0
    for id_, event, length in connection.execute(query).all():
        size += 0 if event in seen else length
        seen.add(event)
        if ids and (len(ids) == MOST_TOLD or size > MOST_BYTES):
            return Held(changes=tuple(ids), more=True)
        ids.append(id_)
    return Held(changes=tuple(ids), more=False)


def tell(connection: Connection, telling: Telling, at: datetime) -> bool:
    """Store the firing for what was held, whole; False, and nothing is stored, if somebody else did meanwhile."""
    window, ids = telling.window, telling.firing.changes
    this = (windows.c.rule == window.rule, windows.c.subject == window.subject)
    lock = select(windows.c.due_at).where(*this).with_for_update()
    if connection.execute(lock).scalar() != window.due_at or not _all_held(connection, window, ids):
        return False
    row = {
        "id": telling.firing.id,
        "rule": telling.firing.rule,
        "mode": telling.firing.mode,
        "ruleset": telling.ruleset,
        "at": to_ms(at),
    }
    add_new(connection, firings, [row])
    for some in batched(ids):
        connection.execute(
            update(firing_changes)
            .where(*_held(window.rule, window.subject), firing_changes.c.change_id.in_(some))
            .values(firing=telling.firing.id, subject=None)
        )
    prompt = only_prompt(connection, ids)
    deliveries.add(connection, [(delivery, prompt) for delivery in telling.deliveries])
    if not telling.more:
        _close(connection, window, telling.hold)
    return True


def _close(connection: Connection, window: Window, hold: Hold | None) -> None:
    """End a window. A throttled rule's next time begins at once, a collecting one's if something came meanwhile."""
    this = (windows.c.rule == window.rule, windows.c.subject == window.subject)
    holds = connection.execute(select(exists().where(*_held(window.rule, window.subject)))).scalar()
    if not holds and not isinstance(hold, Throttle):
        connection.execute(delete(windows).where(*this))
        return
    now = _now(connection)
    connection.execute(update(windows).where(*this).values(opened_at=now, due_at=_due_at(hold, now)))


def _due_at(hold: Hold | None, opened_at: Millis) -> Millis:
    match hold:
        case Throttle(every=every):
            return opened_at + duration_ms(every)
        case Later(due=datetime() as moment):
            return to_ms(moment)
        case Later(due=timedelta() as span):
            return opened_at + duration_ms(span)
        case _:
            return opened_at


# ---- when rules change


def park(connection: Connection, window: Window) -> bool:
    """Let a due window wait for a rule of its name; False: it is not as it was."""
    parked = (
        update(windows)
        .where(windows.c.rule == window.rule, windows.c.subject == window.subject, windows.c.due_at == window.due_at)
        .values(due_at=None)
    )
    return connection.execute(parked).rowcount > 0


def by_rule(connection: Connection) -> dict[str, int]:
    """Return how many changes are held by each rule that has a window."""
    named = dict.fromkeys(connection.execute(select(windows.c.rule).distinct()).scalars(), 0)
    return named | counts(connection)


def counts(connection: Connection) -> dict[str, int]:
    """Return how many changes each rule holds."""
    query = select(firing_changes.c.rule, func.count()).where(CHANGE_IS_HELD).group_by(firing_changes.c.rule)
    return {row[0]: row[1] for row in connection.execute(query)}


def bring_forward(connection: Connection, holds: Mapping[str, Hold | None]) -> None:
    """Let windows end as the rules in force would have it, if that is earlier; what waited for its rule is due."""
    now = _now(connection)
    for rule, hold in holds.items():
        of_rule = update(windows).where(windows.c.rule == rule)
        connection.execute(of_rule.where(windows.c.due_at.is_(None)).values(due_at=now))
        match hold:
            case Throttle(every=span) | Later(due=timedelta() as span):
                due_at: ColumnElement[int] | Millis = windows.c.opened_at + duration_ms(span)
            case _:
                due_at = _due_at(hold, now)
        connection.execute(of_rule.where(windows.c.due_at > due_at).values(due_at=due_at))


def forget(connection: Connection) -> None:
    """Remove some of the windows that are over and hold nothing."""
    key = tuple_(windows.c.rule, windows.c.subject)
    nothing = ~exists().where(
        firing_changes.c.rule == windows.c.rule, firing_changes.c.subject == windows.c.subject, CHANGE_IS_HELD
    )
    over = (
        select(windows.c.rule, windows.c.subject)
        .where(windows.c.due_at <= now_ms(), nothing)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    locked = [tuple(row) for row in connection.execute(over)]
    if locked:
        connection.execute(delete(windows).where(key.in_(locked), nothing))


# ---- shared


def _held(rule: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return (firing_changes.c.rule == rule, firing_changes.c.subject == subject, and_(CHANGE_IS_HELD))


def _all_held(connection: Connection, window: Window, ids: Sequence[str]) -> bool:
    count = 0
    for some in batched(ids):
        query = select(func.count()).where(*_held(window.rule, window.subject), firing_changes.c.change_id.in_(some))
        count += connection.execute(query).scalar_one()
    return count == len(ids)


def only_prompt(connection: Connection, ids: Sequence[str]) -> int | None:
    """Return the number of the prompt that all those changes are of; None: there are several, or none."""
    found: set[int | None] = set()
    for some in batched(ids):
        found.update(connection.execute(select(changes.c.prompt).where(changes.c.id.in_(some)).distinct()).scalars())
    return found.pop() if len(found) == 1 else None


def _now(connection: Connection) -> Millis:
    return connection.execute(select(now_ms())).scalar_one()
