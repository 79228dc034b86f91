"""How often a trouble was told: at first at once, then once in a while, with a count."""

from datetime import timedelta

from sqlalchemy import Connection, select, update

from router.storage.clock import duration_ms, now_ms
from router.storage.statements import add_new
from router.storage.tables import troubles


def trouble_due(connection: Connection, kind: str, subject: str, every: timedelta) -> int | None:
    """Count a trouble. Return how many there were since it was last told if it may be told now, else None."""
    add_new(connection, troubles, [{"kind": kind, "subject": subject, "told_at": 0, "count": 0}])
    this = (troubles.c.kind == kind, troubles.c.subject == subject)
    counted = update(troubles).where(*this).values(count=troubles.c.count + 1)
    count, told_at = connection.execute(counted.returning(troubles.c.count, troubles.c.told_at)).one()
    now = connection.execute(select(now_ms())).scalar_one()
    if told_at + duration_ms(every) > now:
        return None
    connection.execute(update(troubles).where(*this).values(told_at=now, count=0))
    return int(count)
