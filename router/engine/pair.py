"""Which version a change replaced: the pair that rollbacks, variables and diffs speak of.

A rule means one label, the one that its match named; the version that held it before is what the change is compared
with.
"""

from typing import Final

from router.domain.change import Change, Version

PREFERRED_LABEL: Final = "production"


def pair(change: Change, label: str | None) -> str | None:
    """Return the gained label by whose former holder `change` is compared, for a rule that means `label`.

    Of several the one that is meant, else `production`, else the first by name; "" for a creation that took no label
    over: it is compared with the highest lower version. None: the change replaced no version.
    """
    for name in (label, PREFERRED_LABEL, *change.labels_gained, ""):
        if name is not None and name in change.replaced:
            return name
    return None


def previous(change: Change, label: str | None) -> Version | None:
    """Return the version that `change` replaced, for a rule that means `label`. None: it replaced none."""
    name = pair(change, label)
    return None if name is None else change.replaced[name]


def moved_from(change: Change, label: str | None) -> int | None:
    """Return the number of the version that held the meant label before."""
    name = pair(change, label)
    return next((move.from_ for move in change.moved if move.label == name), None)


def is_rollback(change: Change, label: str | None) -> bool:
    """Return whether the meant label came from a higher version."""
    number = moved_from(change, label)
    return number is not None and change.version is not None and number > change.version.number
