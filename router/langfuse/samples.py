"""Bodies as Langfuse sends them, to try rules on; each with the bodies that came before it.

They are one short story, played on the model, so they fit together: version 3 of `checkout/cart` is in production,
version 4 asks for one variable more.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Final

from msgspec import Struct

from router.langfuse.bodies import Body, Person, monitor_alert, project_notification, prompt_version
from router.langfuse.model import Langfuse, Queued, ids, ticking

PROJECT: Final = "clkpwwm0m000gmm094odg11gi"
ANN: Final = Person("clk2a7x1q0000mm08ann5h2vd", "Ann", "ann@example.com")
BOB: Final = Person("clk2a7x1q0001mm08bob9k3we", "Bob", "bob@example.com")

CART: Final = "checkout/cart"
CART_TEXTS: Final = tuple(
    f"You help {{{{customer_name}}}} with the cart.\n\nItems:\n{{{{items}}}}\n\nAnswer in {{{{language}}}}{ending}"
    for ending in (
        ".",
        ", in a few sentences.",
        ", in at most three sentences.",
        ", in at most three sentences. Offer a {{customer_tier}} customer what suits the cart.",
    )
)
"""The text of versions 1 to 4: the last one has a variable more."""

CART_CONFIG: Final[Body] = {"model": "gpt-5-mini", "temperature": 0.2, "max_tokens": 400}
CART_MESSAGES: Final = (None, "shorter", "three sentences at most", "ask for the tier")

KINDS: Final = ("created", "promoted", "rolled-back", "deleted", "tags", "monitor-alert", "project-notification")


def sample(kind: str) -> Body:
    """Return the body of what `kind`, one of KINDS, names."""
    return _sample(kind).body


def history(kind: str) -> tuple[Body, ...]:
    """Return the bodies that came before `sample(kind)`, in order."""
    return _sample(kind).history


class _Sample(Struct, frozen=True):
    body: Body
    history: tuple[Body, ...] = ()


class _Story:
    """The model, at work on a Tuesday in November; always the same."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 9, 12, 7, 411_000, tzinfo=UTC)
        self.new_id = ids(Random("samples"))  # noqa: S311
        self.langfuse = Langfuse(PROJECT, ticking(lambda: self.time), self.new_id)
        self.told: list[Body] = []

    def told_of(self, deed: Iterable[Queued]) -> list[Body]:
        """Return the webhooks that something done makes Langfuse send, and let time pass."""
        sent_at = self.time + timedelta(milliseconds=230)
        self.time += timedelta(minutes=23)
        return [
            prompt_version(queued.action, queued.row, queued.by, id=self.new_id(), sent_at=sent_at) for queued in deed
        ]

    def tell(self, deed: Iterable[Queued]) -> None:
        self.told += self.told_of(deed)

    def version(self, number: int) -> list[Queued]:
        """Create the next version of the cart prompt."""
        return self.langfuse.create(
            CART,
            CART_TEXTS[number - 1],
            by=BOB if number == 4 else ANN,
            labels=["production"] if number == 3 else [],
            config=CART_CONFIG,
            commit_message=CART_MESSAGES[number - 1],
        )


@cache
def _sample(kind: str) -> _Sample:
    story = _Story()
    langfuse = story.langfuse
    for number in (1, 2, 3):
        story.tell(story.version(number))
    if kind == "created":
        return _before(story, story.version(4))
    story.tell(story.version(4))
    if kind == "tags":
        return _before(story, reversed(langfuse.set_tags(CART, ["catalogue", "checkout"], by=ANN)))
    if kind == "deleted":
        return _before(story, langfuse.delete_version(CART, 3, by=BOB))
    if kind in ("promoted", "rolled-back"):
        promotion = langfuse.set_labels(CART, 4, ["production"], by=ANN)
        if kind == "promoted":
            return _before(story, promotion)
        story.tell(promotion)
        return _before(story, langfuse.set_labels(CART, 3, ["production"], by=BOB))
    if kind == "monitor-alert":
        return _Sample(sample_alert(story.new_id(), PROJECT, story.time))
    if kind == "project-notification":
        return _Sample(sample_notification(story.new_id(), PROJECT, story.time))
    raise LookupError(f"no sample of {kind}")


def _before(story: _Story, deed: Iterable[Queued]) -> _Sample:
    """The sample is the first webhook of what is done now; the other ones come after it."""
    return _Sample(story.told_of(deed)[0], tuple(story.told))


def sample_alert(id: str, project_id: str, sent_at: datetime) -> Body:
    return monitor_alert(
        "Cost of checkout/cart is above its threshold",
        "The sum of total cost over the last hour is 41.7, above 25.",
        severity="alert",
        project_id=project_id,
        monitor_id="cmi4r0b5y000108l4cart7cost",
        id=id,
        sent_at=sent_at,
    )


def sample_notification(id: str, project_id: str, sent_at: datetime) -> Body:
    return project_notification(
        "The hourly export to the bucket shop-traces failed: access denied.",
        event_type="blob-export-failed",
        severity="ALERT",
        project_id=project_id,
        resource="shop-traces",
        id=id,
        sent_at=sent_at,
    )
