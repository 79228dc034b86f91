"""Apprise: one notification, handed over in a thread of its own.

Apprise answers yes or no: no status, no `Retry-After`, and why only in its log. It makes its own connections, so that
neither the address guard nor `proxy` and `ca_file` hold for them.
Source: https://github.com/caronc/apprise/wiki/Development_API.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from router.delivery.request import Notification
from router.domain.delivery import Accepted, Answer, Outcome, Refused, Retry

_LOGGER = logging.getLogger("apprise")
_LOGGER.propagate = False  # it quotes URLs, and with them what is secret


async def send(notification: Notification, deadline: float) -> Answer:
    """Tell the service. `deadline` is in the time of the running loop; a thread that is late then is left to itself."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[Outcome] = loop.create_future()

    def answer(outcome: Outcome) -> None:
        if not said.done():
            said.set_result(outcome)

    def tell() -> None:
        outcome = _tell(notification, deadline - loop.time())
        with suppress(RuntimeError):  # the loop has ended, so nobody waits any more
            loop.call_soon_threadsafe(answer, outcome)

    threading.Thread(target=tell, name="apprise", daemon=True).start()
    return Answer(outcome=await said)


def _tell(notification: Notification, seconds: float) -> Outcome:
    import apprise

    message = notification.message
    with _overheard() as words:
        try:
            service = apprise.Apprise.instantiate(notification.url.reveal(), suppress_exceptions=True)
            if not isinstance(service, apprise.NotifyBase):
                return Refused("Apprise cannot read the destination's `url`")
            service.socket_connect_timeout = service.socket_read_timeout = max(seconds, 1.0)
            sent = service.notify(title=message.title, body=message.body, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # whatever a plugin raises
            return Retry(f"failed in Apprise: {type(error).__name__}")
    if sent:
        return Accepted("Apprise says that it was sent")
    return Retry(f"Apprise says that it was not sent: {' '.join(words) or 'it does not say why'}")


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Yield what Apprise logs in this thread meanwhile."""
    words: list[str] = []
    thread = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                words.append(record.getMessage())

    ear = Ear(logging.WARNING)
    _LOGGER.addHandler(ear)
    try:
        yield words
    finally:
        _LOGGER.removeHandler(ear)
