"""What will be sent: rendered, complete, and free of secrets (those are merged in at the moment of sending)."""

from typing import Literal, TypeAlias, cast

import msgspec
from msgspec import Raw, Struct, field

from router.domain.json import Json, JsonObject

DestinationType: TypeAlias = Literal["slack", "http", "github", "email", "log", "apprise"]


class SlackMessage(Struct, frozen=True, kw_only=True, tag="slack"):
    """`text` is the notification's line, and mrkdwn unless `plain`; `blocks` are Block Kit; `color` puts them in an
    attachment.

    `channel`: where to post, None: where the destination says; `templated_channel` tells that a template made it (a
    refusal of the channel then speaks of this message only). `thread` names the conversation that the message belongs
    to (one per prompt and channel); None: it stands for itself.
    """

    text: str
    plain: bool = False
    channel: str | None = None
    templated_channel: bool = False
    thread: str | None = None
    blocks: tuple[JsonObject, ...] = ()
    color: str | None = None


class JsonBody(Struct, frozen=True, tag="json"):
    """`text` is JSON. It is written once, when the message is made, and mostly goes out as it is."""

    text: Raw = field(name="value")

    @classmethod
    def of(cls, value: Json) -> "JsonBody":
        return cls(Raw(msgspec.json.encode(value)))

    @property
    def value(self) -> Json:
        return cast("Json", msgspec.json.decode(self.text))


class FormBody(Struct, frozen=True, tag="form"):
    fields: dict[str, Json]


class RawBody(Struct, frozen=True, tag="body"):
    text: str


class HttpMessage(Struct, frozen=True, kw_only=True, tag="http"):
    """`path` is percent-encoded and extends the destination's URL; `query` and `headers` are rendered text.

    `status` lists the answers that count as accepted; empty: every 2xx. Of these, only one whose JSON passes every item
    of `where` (as in a rule's match) was.
    `templated_path` tells that a part of the path came from a template (a 404 then speaks of this message only).
    """

    method: str = "POST"
    path: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: JsonBody | FormBody | RawBody
    status: tuple[int, ...] = ()
    where: tuple[JsonObject, ...] = ()
    templated_path: bool = False


class GithubDispatch(Struct, frozen=True, kw_only=True, tag="github-dispatch"):
    """A repository_dispatch: at most 10 top-level keys, under 64 KiB."""

    event_type: str
    client_payload: JsonObject


class GithubWorkflow(Struct, frozen=True, kw_only=True, tag="github-workflow"):
    """A workflow_dispatch of the workflow `file`, at most 25 inputs."""

    file: str
    ref: str
    inputs: dict[str, str] = {}


class GithubCommit(Struct, frozen=True, kw_only=True, tag="github-commit"):
    """One file of a repository shall hold `content`; None: it shall be gone. `branch` None: the default branch.

    `templated_branch` tells that a template made the branch (that there is none then speaks of this message only).
    """

    path: str
    content: str | None
    message: str
    branch: str | None = None
    templated_branch: bool = False


class EmailMessage(Struct, frozen=True, kw_only=True, tag="email"):
    """`thread` names the conversation (one per prompt); `headers` are extra ones, without newlines.

    No `recipients`: they are secrets of the destination, merged in when the mail is sent.
    """

    recipients: tuple[str, ...]
    cc: tuple[str, ...] = ()
    subject: str
    text: str
    html: str | None = None
    headers: dict[str, str] = {}
    thread: str | None = None


class LogMessage(Struct, frozen=True, kw_only=True, tag="log"):
    text: str
    level: Literal["debug", "info", "warning", "error"] = "info"


class AppriseMessage(Struct, frozen=True, kw_only=True, tag="apprise"):
    """`title` and `body` are plain text; Apprise cuts them to what the service takes."""

    title: str
    body: str


GithubMessage: TypeAlias = GithubDispatch | GithubWorkflow | GithubCommit
Message: TypeAlias = SlackMessage | HttpMessage | GithubMessage | EmailMessage | LogMessage | AppriseMessage
