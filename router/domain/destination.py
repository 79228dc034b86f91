"""Where and how messages go: the `[destinations]` of the rules file, decoded.

Every `Text` may hold a secret. `defaults` holds the action keys that stand in the destination: what an action
leaves out comes from there (tables merge at every depth, the action wins). Their secret leaves are `Text` and are
merged in at the moment of sending; all other leaves are plain and are rendered with the action.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from router.domain.message import DestinationType
from router.domain.text import Text

ContentShown: TypeAlias = Literal["full", "summary", "none"]

RETRY: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)


class Rate(Struct, frozen=True):
    """At most `count` attempts a `per`."""

    count: int
    per: timedelta


class Limits(Struct, frozen=True, kw_only=True):
    """How a destination wants to be treated. `timeout` is for a whole attempt, `retry` the waits between attempts."""

    timeout: timedelta = timedelta(seconds=10)
    rate: Rate | None = None
    concurrency: int = 8
    retry: tuple[timedelta, ...] = RETRY
    max_age: timedelta = timedelta(days=3)
    ordered: bool = False
    allow_private: bool = False
    ca_file: str | None = None
    proxy: Text | None = None
    content: ContentShown = "full"


if TYPE_CHECKING:
    DefaultTree: TypeAlias = "bool | int | float | str | Text | list[DefaultTree] | dict[str, DefaultTree] | None"
else:  # as in `router.domain.json`
    DefaultTree = Any
"""Action keys of a destination as they stand in the file, `${…}` already replaced."""


class Destination(Struct, frozen=True, kw_only=True):
    """What all destinations have."""

    name: str
    limits: Limits
    defaults: "dict[str, DefaultTree]" = {}

    @property
    def type(self) -> DestinationType:
        raise NotImplementedError


class SlackDestination(Destination, frozen=True, kw_only=True):
    """An incoming webhook, or a bot: either `webhook_url` or `token`."""

    webhook_url: Text | None = None
    token: Text | None = None
    api_url: Text = Text("https://slack.com/api")

    @property
    def type(self) -> DestinationType:
        return "slack"


class HttpDestination(Destination, frozen=True, kw_only=True):
    """`signing_secrets`: Standard Webhooks secrets (`whsec_` + base64, or any other text as it is)."""

    url: Text
    signing_secrets: tuple[Text, ...] = ()

    @property
    def type(self) -> DestinationType:
        return "http"


class GithubDestination(Destination, frozen=True, kw_only=True):
    """Either a `token`, or a GitHub App: `app_id`, `installation_id` and `private_key` (PEM)."""

    repository: Text
    token: Text | None = None
    app_id: Text | None = None
    installation_id: Text | None = None
    private_key: Text | None = None
    base_url: Text = Text("https://api.github.com")

    @property
    def type(self) -> DestinationType:
        return "github"


class EmailDestination(Destination, frozen=True, kw_only=True):
    """`smtp` is a URL: `smtp://`, `smtps://` or `smtp+starttls://`, with `user:password@` where needed."""

    smtp: Text
    sender: Text
    allowed_domains: tuple[str, ...] = ()

    @property
    def type(self) -> DestinationType:
        return "email"


class LogDestination(Destination, frozen=True, kw_only=True):
    @property
    def type(self) -> DestinationType:
        return "log"


class AppriseDestination(Destination, frozen=True, kw_only=True):
    """One service of Apprise; `url` is Apprise's own kind of URL, with the service's credentials in it."""

    url: Text

    @property
    def type(self) -> DestinationType:
        return "apprise"


AnyDestination: TypeAlias = (
    SlackDestination | HttpDestination | GithubDestination | EmailDestination | LogDestination | AppriseDestination
)
