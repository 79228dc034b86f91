"""What people and scripts do at Langfuse, scenario by scenario. The simulator makes webhooks of it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Final

from msgspec import Struct

from router.domain.json import Json
from router.langfuse.bodies import Body
from router.langfuse.model import Langfuse, Queued
from router.langfuse.samples import (
    ANN,
    BOB,
    CART,
    CART_CONFIG,
    CART_MESSAGES,
    CART_TEXTS,
    sample_alert,
    sample_notification,
)


class Deed(Struct, frozen=True):
    """Something that is done, in words, and what Langfuse queues for it. `other`: bodies that are about no prompt."""

    title: str
    queued: Sequence[Queued] = ()
    other: Sequence[Body] = ()


class Stage(Struct, frozen=True):
    """Where it is done. `prompts`: how many there are to be, where a scenario can do with any number."""

    langfuse: Langfuse
    random: Random
    new_id: Callable[[], str]
    now: Callable[[], datetime]
    prompts: int


class Scenario(Struct, frozen=True):
    """`prompts` is the usual number; None: the scenario has its own."""

    name: str
    summary: str
    deeds: Callable[[Stage], Iterator[Deed]]
    prompts: int | None = None


TAGGED_VERSIONS: Final = 200
DELETED_VERSIONS: Final = 50
DEEDS_PER_PROMPT: Final = 20


def _working_day(stage: Stage) -> Iterator[Deed]:
    langfuse = stage.langfuse
    for number in (1, 2, 3):
        langfuse.create(
            "shop/cart",
            CART_TEXTS[number - 1],
            by=ANN,
            labels=["production"] if number == 3 else [],
            config=CART_CONFIG,
            commit_message=CART_MESSAGES[number - 1],
        )
    yield Deed(
        f"Ann copies shop/cart to {CART}, with its three versions", langfuse.duplicate("shop/cart", CART, by=ANN)
    )
    fourth = langfuse.create(
        CART,
        CART_TEXTS[3],
        by=BOB,
        labels=["staging"],
        config=CART_CONFIG | {"temperature": 0.4},
        commit_message=CART_MESSAGES[3],
    )
    yield Deed(f"Bob writes {CART} v4, which asks for the customer's tier", fourth)
    yield Deed(f"Ann tags {CART}", langfuse.set_tags(CART, ["catalogue", "checkout"], by=ANN))
    yield Deed(f"Ann promotes {CART} v4 to production", langfuse.set_labels(CART, 4, ["production", "staging"], by=ANN))
    yield Deed(
        "Bob starts support/triage, a chat prompt",
        langfuse.create("support/triage", TRIAGE, by=BOB, type="chat", config=CART_CONFIG, commit_message="a start"),
    )
    alert = sample_alert(stage.new_id(), langfuse.project_id, stage.now())
    yield Deed("A monitor of Langfuse raises an alert: checkout costs too much", other=[alert])
    yield Deed(f"Bob rolls {CART} back to v3", langfuse.set_labels(CART, 3, ["production"], by=BOB))
    yield Deed(f"A script marks {CART} v4 as canary, through the API", langfuse.add_labels(CART, 4, ["canary"]))
    yield Deed(f"Bob deletes {CART} v3, which is in production", langfuse.delete_version(CART, 3, by=BOB))
    yield Deed(
        f"Ann puts {CART} v4 into production again",
        langfuse.set_labels(CART, 4, ["production", "staging", "canary"], by=ANN),
    )
    notification = sample_notification(stage.new_id(), langfuse.project_id, stage.now())
    yield Deed("An export of the project fails", other=[notification])


TRIAGE: Final[Json] = [
    {"role": "system", "content": "You sort the mails that come to {{company}}."},
    {"type": "placeholder", "name": "examples"},
    {"role": "user", "content": "{{mail}}"},
]


def _tag_storm(stage: Stage) -> Iterator[Deed]:
    langfuse = stage.langfuse
    for name, copy in _with_versions(stage, TAGGED_VERSIONS):
        yield Deed(f"Ann copies {name} to {copy}, {TAGGED_VERSIONS} versions", langfuse.duplicate(name, copy, by=ANN))
        yield Deed(f"Ann edits the tags of {copy}", langfuse.set_tags(copy, ["reviewed"], by=ANN))


def _delete_storm(stage: Stage) -> Iterator[Deed]:
    langfuse = stage.langfuse
    for name, copy in _with_versions(stage, DELETED_VERSIONS):
        yield Deed(f"Bob copies {name} to {copy}, {DELETED_VERSIONS} versions", langfuse.duplicate(name, copy, by=BOB))
        yield Deed(f"Bob deletes {copy} with all its versions", langfuse.delete_prompt(copy, by=BOB))


def _folder_copy(stage: Stage) -> Iterator[Deed]:
    for number in range(1, stage.prompts + 1):
        stage.langfuse.create(f"library/prompt-{number:03}", _text(stage.random), by=ANN, labels=["production"])
    copies = stage.langfuse.duplicate_folder("library", "shop", by=ANN)
    yield Deed(f"Ann copies the folder library, {stage.prompts} prompts, to shop", copies)


def _churn(stage: Stage) -> Iterator[Deed]:
    """Anything, anywhere, and now and then several things before Langfuse reads the rows of the first."""
    random = stage.random
    names = [f"team-{number % 7}/prompt-{number:03}" for number in range(stage.prompts)]
    left = stage.prompts * DEEDS_PER_PROMPT
    while left:
        together = min(left, random.choice([1, 1, 1, 1, 2, 3]))
        name = random.choice(names)
        yield Deed(f"{together} × {name}", [queued for _ in range(together) for queued in _anything(stage, name)])
        left -= together


def _anything(stage: Stage, name: str) -> list[Queued]:
    langfuse, random = stage.langfuse, stage.random
    versions = [row.version for row in langfuse.versions(name)]
    by = random.choice([ANN, BOB])
    labels = random.choice([[], ["production"], ["staging"], ["production", "staging"]])
    if not versions or random.random() < 0.3:
        return langfuse.create(name, _text(random), by=random.choice([by, by, None]), labels=labels)
    version = random.choice(versions)
    dice = random.random()
    if dice < 0.6:
        return langfuse.set_labels(name, version, labels, by=by)
    if dice < 0.75:
        return langfuse.add_labels(name, version, ["production"])
    if dice < 0.87:
        return langfuse.set_tags(name, random.sample(["a", "b", "c"], random.randint(0, 2)), by=by)
    if dice < 0.97:
        return langfuse.delete_version(name, version, by=by)
    return langfuse.delete_prompt(name, by=by)


def _with_versions(stage: Stage, versions: int) -> Iterator[tuple[str, str]]:
    """Yield the names of prompts that are there, with so many versions, and of the copies to make of them."""
    for number in range(1, stage.prompts + 1):
        name = f"library/long-lived-{number}"
        for version in range(1, versions + 1):
            stage.langfuse.create(name, _text(stage.random), by=ANN, labels=["production"] if version == 1 else [])
        yield name, f"shop/long-lived-{number}"


def _text(random: Random) -> str:
    """Return a prompt of a usual size."""
    sentences = [
        "You are the assistant of {{company}}.",
        "Answer in {{language}}.",
        "Never promise what {{policy}} does not say.",
        "Ask back if you are not sure.",
        "Use at most {{limit}} words.",
        "The customer is {{customer_name}}.",
    ]
    return "\n".join(random.choice(sentences) for _ in range(random.randint(3, 30)))


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "working-day",
            "create, promote, tag, roll back, delete; a monitor's alert, a notification",
            _working_day,
        ),
        Scenario("tag-storm", f"one edit of tags on a prompt of {TAGGED_VERSIONS} versions", _tag_storm, 1),
        Scenario("delete-storm", f"a prompt of {DELETED_VERSIONS} versions is deleted", _delete_storm, 1),
        Scenario("folder-copy", "a folder of 500 prompts is copied", _folder_copy, 500),
        Scenario("churn", f"{DEEDS_PER_PROMPT} random changes to each of 50 prompts, mixed", _churn, 50),
    )
}
