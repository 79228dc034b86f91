"""What Langfuse's public API shows of a prompt without its text, and what it is asked for one version."""

from datetime import datetime

from msgspec import Struct


class Listed(Struct, frozen=True, kw_only=True):
    """What the list of prompts shows of one: of all its versions, or only of those that passed the list's filter.

    `labels` are those of any of these versions, `updated_at` is the newest time of one (None: an old server).
    """

    name: str
    versions: frozenset[int]
    labels: frozenset[str]
    tags: frozenset[str]
    updated_at: datetime | None


class Ask(Struct, frozen=True):
    """Which version of a prompt: the one of that number, or the one that holds that label."""

    version: int | None = None
    label: str | None = None
