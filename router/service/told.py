"""Stored changes, told in words."""

from collections.abc import Iterable
from typing import Final

from router.domain.change import Change
from router.domain.routing import RuleVerdict
from router.engine.context import Setting, Told
from router.engine.explain import nearest_first
from router.engine.plan import judge_all
from router.engine.ruleset import Ruleset
from router.engine.summary import Summary, summary_of
from router.storage.records import ChangeRecord

MOST_VERDICTS: Final = 50


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Return the one that somebody acted on first."""
    return sorted(changes, key=lambda change: (change.origin == "inferred", change.half))


def verdicts(change: Change, record: ChangeRecord, ruleset: Ruleset, digest: str | None) -> list[RuleVerdict]:
    """Return what the rules that decided (those of `digest`) said to a change, the nearest misses first.

    The store keeps the answers of the rules that could match; if the same rules are in force, all are asked again.
    """
    said = judge_all(ruleset, ruleset.rules, change) if digest == ruleset.digest else record.verdicts
    return nearest_first(said)[:MOST_VERDICTS]


def summary(change: Change, ruleset: Ruleset) -> Summary:
    urls = {name: source.project_url for name, source in ruleset.sources.items()}
    return summary_of(Told(change, None), Setting(rule="", project_urls=urls), "full")
