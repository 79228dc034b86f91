"""What the router knows about one prompt, each fact with its time."""

from msgspec import Struct

from router.domain.event import Content, PromptKey, Stamp


class VersionFact(Struct, frozen=True, kw_only=True):
    """What is known of one version. A version is its prompt id; numbers are used again after a deletion.

    `as_of`: the newest thing said about it. `labels` are those its newest snapshot that speaks of labels showed
    (None: none did yet); whether it still holds them is decided with `LabelFact`.
    `created`: its creation has been told. `buried`: deleted, for good.
    `untold`: its newest state was read from Langfuse when nothing was known, so fresh that the event which shows the
    same one may still be on its way.
    """

    id: str
    number: int
    as_of: Stamp
    labels: frozenset[str] | None = None
    labels_as_of: Stamp | None = None
    created: bool = False
    buried: bool = False
    untold: bool = False


class LabelFact(Struct, frozen=True):
    """The newest claim to a label: `version_id` (number `version`) was seen to hold it as of then."""

    version_id: str
    version: int
    as_of: Stamp


class TagsFact(Struct, frozen=True):
    """The tags of the prompt (all versions share them)."""

    tags: frozenset[str]
    as_of: Stamp


class Occurred(Struct, frozen=True):
    """The names of all prompts that are known, and every label that a version ever held."""

    prompts: frozenset[str]
    labels: frozenset[str]


class Ledger(Struct, frozen=True, kw_only=True):
    """Everything known about one prompt. `revision` counts its commits; 0: nothing stored yet.

    `contents` holds what was loaded or learnt of the versions' texts, by prompt id; storage loads it on demand.
    """

    prompt: PromptKey
    revision: int = 0
    versions: dict[str, VersionFact] = {}
    labels: dict[str, LabelFact] = {}
    tags: TagsFact | None = None
    contents: dict[str, Content] = {}
