"""What the ledger holds now, as changes: every version that is left, as if it had just been made as it is."""

from collections.abc import Iterator

import msgspec

from router.domain.change import Change, Version
from router.domain.event import Action, Event
from router.domain.json import JsonObject
from router.domain.ledger import Ledger
from router.engine.body import body_about
from router.engine.firing import digest
from router.engine.ledger import LATEST, labels_held, tags_now

ACTIONS: tuple[Action, Action] = ("created", "updated")
"""As what a version is told: the first that the rule matches."""


def versions_now(ledger: Ledger) -> Iterator[Version]:
    """Yield the versions that are left, the lowest first; the contents as far as they are loaded."""
    held = labels_held(ledger)
    tags = tags_now(ledger)
    for fact in sorted(ledger.versions.values(), key=lambda fact: (fact.number, fact.id)):
        if not fact.buried:
            yield Version(
                id=fact.id,
                number=fact.number,
                labels=tuple(sorted(label for label, holder in held.items() if holder.id == fact.id)),
                tags=None if tags is None else tuple(sorted(tags)),
                updated_at=fact.as_of.updated_at,
                content=ledger.contents.get(fact.id),
            )


def body_now(ledger: Ledger, version: Version, action: Action) -> JsonObject:
    """Return the body of an event that says it; the same as long as all that it says is the same."""
    sent = ledger.versions[version.id].as_of.sent_at
    bare = body_about(ledger.prompt, version, action, "", sent)
    source = ledger.prompt.source
    return {**bare, "id": f"backfill-{digest(source, msgspec.json.encode(bare, order='sorted').decode())}"}


def change_now(version: Version, event: Event) -> Change:
    """Return the change: everything that the version holds counts as gained, and nothing was before."""
    labels = version.labels or ()
    created = event.action == "created"
    return Change(
        id=digest(event.source, event.id),
        event=event,
        type=event.type,
        origin=event.origin,
        action=event.action,
        prompt=event.prompt,
        version=version,
        labels_gained=labels,
        tags_gained=version.tags or (),
        quiet=not created and not version.tags and not {*labels} - {LATEST},
    )
