"""What `send-test` sends: the built-in message of a destination's type, with the defaults that stand in it."""

from collections.abc import Mapping
from datetime import datetime

from router.domain.change import Change
from router.domain.destination import AnyDestination
from router.domain.event import ROUTER_SOURCE, Event
from router.domain.json import Json
from router.domain.message import Message
from router.domain.problem import RouterError
from router.engine.action import compile_action, write
from router.engine.context import Setting, Told
from router.engine.trial import PROMPT_TRIAL
from router.engine.writers.scene import Scene, Skipped, delivery_scene

HELLO = "router.test"


class NoTest(RouterError):
    """The destination takes no message that says nothing but hello."""


def hello(destination: AnyDestination, vars: Mapping[str, Json], now: datetime, key: str) -> Message:
    """Return a message that tells of nothing but the test.

    Where the destination's own defaults need a prompt, it tells of one that does not exist. Raises NoTest.
    """
    action, faults = compile_action({"to": destination.name}, 0, "send-test", {destination.name: destination}, vars)
    if faults:
        raise NoTest("; ".join(f"{'.'.join(map(str, path))}: {what}" if path else what for path, what in faults))
    (target,) = action.targets
    text = f"a test message to the destination {destination.name}; nothing happened"
    event = Event(
        id=key,
        source=ROUTER_SOURCE,
        type=HELLO,
        timestamp=now,
        received_at=now,
        body={"id": key, "timestamp": now.isoformat(), "type": HELLO, "subject": destination.name, "message": text},
    )
    said = Change(id=key, event=event, type=HELLO, origin="webhook")
    failed: RouterError | None = None
    for change in (said, PROMPT_TRIAL):
        told, setting = (Told(change, None),), Setting(rule="send-test", vars=vars)
        try:
            return write(target.writer, delivery_scene(Scene(told=told, setting=setting), key))
        except Skipped as skipped:
            raise NoTest(str(skipped)) from skipped
        except RouterError as error:
            failed = failed or error
    raise NoTest(str(failed)) from failed
