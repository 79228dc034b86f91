"""Stored changes, told in words."""

from collections.abc import Iterable

from router.domain.change import Change
from router.engine.context import Setting, Told
from router.engine.ruleset import Ruleset
from router.engine.summary import Summary, summary_of


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Return the one that somebody acted on first."""
    return sorted(changes, key=lambda change: (change.origin == "inferred", change.half))


def summary(change: Change, ruleset: Ruleset) -> Summary:
    urls = {name: source.project_url for name, source in ruleset.sources.items()}
    return summary_of(Told(change, None), Setting(rule="", project_urls=urls), "full")
