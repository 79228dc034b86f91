"""Prompt events and rules in one line, for tests: only what matters is said, the rest is filled in."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

from msgspec import UNSET, UnsetType

from router.domain.event import PROMPT_VERSION, Action, Content, Event, PromptKey, Snapshot, User
from router.domain.json import Json
from router.engine.compile import compile_ruleset
from router.engine.ruleset import Ruleset
from router.engine.rulesfile import read_rules

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = PromptKey("prod", "project", "checkout/cart")

_numbers = count(1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def prompt_event(
    action: Action,
    version: int,
    labels: Iterable[str] | None = (),
    *,
    updated: float,
    sent: float | None = None,
    received: float | None = None,
    tags: Iterable[str] | None = (),
    id: str | None = None,
    version_id: str | None = None,
    text: Json | UnsetType = UNSET,
    config: Json = None,
    by: str | None = "Ann",
    message: str | None = None,
    key: PromptKey = KEY,
) -> Event:
    """Return an event about version `version` whose row was updated `updated` seconds after noon."""
    sent = updated if sent is None else sent
    text = f"text of version {version}" if text is UNSET else text
    said: dict[str, Json] = {"id": version_id or f"id-{version}", "name": key.name, "version": version}
    said |= {} if labels is None else {"labels": sorted(labels)}
    said |= {} if tags is None else {"tags": sorted(tags)}
    said |= {"type": "text" if isinstance(text, str) else "chat", "prompt": text, "config": config}
    return Event(
        id=id or f"event-{next(_numbers)}",
        source=key.source,
        type=PROMPT_VERSION,
        timestamp=at(sent),
        received_at=at(sent if received is None else received),
        body={"type": PROMPT_VERSION, "action": action, "prompt": {**said, "commitMessage": message}},
        action=action,
        user=User(by, f"{by.lower()}@example.com") if by else None,
        project_id=key.project_id,
        prompt=key,
        snapshot=Snapshot(
            version_id=version_id or f"id-{version}",
            version=version,
            updated_at=at(updated),
            labels=None if labels is None else frozenset(labels),
            tags=None if tags is None else frozenset(tags),
            content=Content(
                type="text" if isinstance(text, str) else "chat",
                prompt=text,
                config=config,
                commit_message=message,
            ),
        ),
    )


class Memory:
    """A rules file that stands nowhere; `${SECRET}` is set."""

    def __init__(self, text: str) -> None:
        self.environment = {"SECRET": "lf-whsec_1"}
        self.text = text

    def read(self, path: str) -> str:
        return self.text

    def glob(self, pattern: str) -> list[str]:
        return []


def ruleset_of(text: str) -> Ruleset:
    """Return what a rules file with this text compiles to."""
    return compile_ruleset(read_rules("rules.toml", Memory(text), missing="error"))
