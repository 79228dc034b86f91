"""Langfuse at work: the webhooks that a scenario makes it send, in the order in which they arrive.

Pure: clock and chance arrive as arguments, and posting the webhooks is somebody else's.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from router.langfuse.bodies import Body, prompt_version
from router.langfuse.model import Langfuse, ids, ticking
from router.langfuse.scenarios import Deed, Scenario, Stage

RESENT: Final = 0.1
"""Of the webhooks, with `duplicates`: sent again, byte for byte, because the answer was lost."""

LATE: Final = 0.3
"""Of the second automation's webhooks: sent one to three steps later."""


class Webhook(Struct, frozen=True):
    """A body to post, the same bytes at every attempt. `step`: the number of the one that it tells of, from 0."""

    id: str
    body: bytes
    step: int


class Step(Struct, frozen=True):
    """Something that is done, and what is sent then: several at a time, begun in this order."""

    number: int
    title: str
    webhooks: tuple[Webhook, ...]


def steps(
    scenario: Scenario,
    *,
    seed: str,
    now: Callable[[], datetime],
    prompts: int | None = None,
    shuffle: bool = False,
    duplicates: bool = False,
) -> Iterator[Step]:
    """Play a scenario in a project of its own. The same seed plays the same story, at other times.

    `now` is asked as the story goes on. `shuffle`: what is sent together arrives in any order. `duplicates`: there
    are two automations with the same URL, the second sometimes late, and some webhooks are sent twice.
    """
    random = Random(seed)  # noqa: S311
    tick, new_id = ticking(now), ids(random)
    langfuse = Langfuse(f"simulated-{random.getrandbits(32):08x}", tick, new_id)
    stage = Stage(langfuse, random, new_id, tick, prompts or scenario.prompts or 1)
    post = _Post(langfuse, seed, tick, shuffle=shuffle, duplicates=duplicates)
    number = -1
    for number, deed in enumerate(scenario.deeds(stage)):
        yield Step(number, deed.title, post.sent(number, deed))
    if rest := post.rest():
        yield Step(number + 1, "What was still on its way arrives", rest)


class _Post:
    """What is between a change and the wire."""

    def __init__(
        self, langfuse: Langfuse, seed: str, now: Callable[[], datetime], *, shuffle: bool, duplicates: bool
    ) -> None:
        self.langfuse = langfuse
        self.random = Random(f"{seed}, on its way")  # noqa: S311
        self.now = now
        self.new_id = ids(Random(f"{seed}, webhooks"))  # noqa: S311
        self.shuffle = shuffle
        self.duplicates = duplicates
        self.late: list[tuple[int, Webhook]] = []
        """With the number of the step in which they are sent."""

    def sent(self, number: int, deed: Deed) -> tuple[Webhook, ...]:
        """Return what is sent in this step: what the deed makes Langfuse send, and what was late before."""
        leaving = [webhook for due, webhook in self.late if due <= number]
        self.late = [(due, webhook) for due, webhook in self.late if due > number]
        leaving += self.webhooks(number, deed)
        if self.duplicates:
            # automations are made for one kind of event: what is about no prompt has but one
            for double in self.webhooks(number, Deed(deed.title, deed.queued)):
                if self.random.random() < LATE:
                    self.late.append((number + self.random.randint(1, 3), double))
                else:
                    leaving.append(double)
            leaving += [webhook for webhook in leaving if self.random.random() < RESENT]
        if self.shuffle:
            self.random.shuffle(leaving)
        return tuple(leaving)

    def rest(self) -> tuple[Webhook, ...]:
        return tuple(webhook for _, webhook in self.late)

    def webhooks(self, number: int, deed: Deed) -> Sequence[Webhook]:
        """Return one automation's webhooks; the rows are read now."""
        rows = [(queued, self.langfuse.read(queued)) for queued in deed.queued]
        bodies: list[Body] = [
            prompt_version(queued.action, row, queued.by, id=self.new_id(), sent_at=self.now())
            for queued, row in rows
            if row is not None
        ]
        bodies += [body | {"id": self.new_id()} for body in deed.other]
        return [Webhook(str(body["id"]), msgspec.json.encode(body), number) for body in bodies]
