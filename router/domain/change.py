"""What an event changed: the value that rules match and templates show."""

from datetime import datetime

from msgspec import Struct, field

from router.domain.event import Action, Content, Event, Origin, PromptKey


class Version(Struct, frozen=True, kw_only=True):
    """One prompt version at one moment. `labels`, `tags` None: unknown. `content` None: not loaded."""

    id: str
    number: int
    labels: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    updated_at: datetime | None = None
    content: Content | None = None


class Move(Struct, frozen=True, order=True):
    """A label that went from one version to another; `from_` is the number of the one that held it last."""

    label: str
    from_: int = field(name="from")
    to: int


class Change(Struct, frozen=True, kw_only=True):
    """What one event changed in the ledger, or an event of another type as it is (then `version` is None).

    `id` is a digest of the facts, so whoever reports the same facts has the same one.
    `event` shows the change; an inferred change has the event that implied it.
    `replaced` holds the version that each gained label was on before; for a plain creation the highest lower
    version under the label "". All label and tag lists are sorted.
    `half` is the losing side of a move, told only to rules that name lost labels.
    `replayed`: it was told before, and somebody asked to have it told again.
    """

    id: str
    event: Event
    type: str
    origin: Origin
    action: Action | None = None
    prompt: PromptKey | None = None
    version: Version | None = None
    labels_gained: tuple[str, ...] = ()
    labels_lost: tuple[str, ...] = ()
    labels_removed: tuple[str, ...] = ()
    tags_gained: tuple[str, ...] = ()
    tags_lost: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    replaced: dict[str, Version] = {}
    versions_left: int | None = None
    assumed: bool = False
    quiet: bool = False
    half: bool = False
    replayed: bool = False

    @property
    def happened_at(self) -> datetime:
        """When somebody did it, as well as the event says: at its row's `updatedAt`.

        The row of a deleted version still has the time of its last update, so a deletion happened when it was told of.
        That of a created one may have been read after later updates; it was made at the latest at its `createdAt`.
        """
        snapshot = self.event.snapshot
        if snapshot is None or self.event.action == "deleted":
            return self.event.timestamp
        created_at = snapshot.content.created_at
        if self.action == "created" and created_at is not None:
            return min(snapshot.updated_at, created_at)
        return snapshot.updated_at
