"""The ruleset in force: compiled rules, and what they refer to."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from router.domain.change import Change
from router.domain.delivery import Mode
from router.domain.destination import AnyDestination
from router.domain.json import Json
from router.domain.source import Source
from router.engine.action import CompiledAction
from router.engine.context import Setting
from router.engine.cron import Cron
from router.engine.index import Index
from router.engine.match import Match
from router.engine.rulesfile.spec import Group


class Rule(Struct, frozen=True, kw_only=True):
    """One entry of the ruleset; `index` is its place in the file."""

    name: str
    description: str
    enabled: bool
    mode: Mode
    group: Group
    fallback: bool
    throttle: timedelta | None
    collect: timedelta | Cron | None
    match: Match
    actions: tuple[CompiledAction, ...]
    index: int


class Ruleset(Struct, frozen=True, kw_only=True):
    """All rules in force, with what they refer to. `digest` names the rules alone, without destinations and secrets.

    `index` is that of `rules`.
    """

    digest: str
    text: str
    rules: tuple[Rule, ...]
    index: Index
    sources: dict[str, Source]
    destinations: dict[str, AnyDestination]
    vars: Mapping[str, Json]

    def candidates(self, change: Change) -> list[Rule]:
        """Return every rule that can match `change` or err on it, in order; disabled ones, too."""
        return [self.rules[place] for place in self.index.candidates(change)]

    def setting(self, rule: Rule, *, held: int = 0) -> Setting:
        """Return what the rule's templates can name; `held`: how many of the changes were held back."""
        return Setting(
            rule=rule.name,
            description=rule.description,
            held=held,
            vars=self.vars,
            project_urls={name: source.project_url for name, source in self.sources.items()},
        )
