"""What leaves the process: a message, joined with its destination's address and secrets. Pure.

Every part that may hold a secret is a `Text`, so the same request can be sent (`reveal`) and shown (masked).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias, assert_never, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Raw, Struct

from router.domain.delivery import Thread
from router.domain.destination import (
    AnyDestination,
    AppriseDestination,
    DefaultTree,
    EmailDestination,
    GithubDestination,
    HttpDestination,
    LogDestination,
    SlackDestination,
)
from router.domain.json import Json
from router.domain.message import (
    AppriseMessage,
    EmailMessage,
    FormBody,
    GithubCommit,
    GithubDispatch,
    GithubMessage,
    GithubWorkflow,
    HttpMessage,
    JsonBody,
    LogMessage,
    Message,
    RawBody,
    SlackMessage,
)
from router.domain.text import MASK, Text
from router.engine.defaults import masked, merge, revealed_json, secret_part

GITHUB_VERSION: Final = "2022-11-28"
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions."""


class WebRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request. `content` is its body as a tree or text in which every `Text` may be secret."""

    method: str
    url: Text
    headers: Mapping[str, Text]
    content: "JsonContent | TextContent"


class JsonContent(Struct, frozen=True):
    """`tree`: written already where nothing of it is secret."""

    tree: DefaultTree | Raw


class TextContent(Struct, frozen=True):
    text: Text


class Mail(Struct, frozen=True, kw_only=True):
    """One mail, ready to be handed to the server at `smtp`."""

    smtp: Text
    sender: Text
    recipients: tuple[Text, ...]
    cc: tuple[Text, ...]
    message: EmailMessage


class Line(Struct, frozen=True):
    """One line for the router's own log."""

    message: LogMessage


class Notification(Struct, frozen=True, kw_only=True):
    """What Apprise is to tell the service at `url`."""

    url: Text
    message: AppriseMessage


Request: TypeAlias = WebRequest | Mail | Line | Notification


class WrongDestination(Exception):
    """The destination in force is of another type than the message was made for."""


def request_of(message: Message, destination: AnyDestination, key: str, root: str | None = None) -> Request:
    """Return what is to be sent under the idempotency `key`. Raises WrongDestination.

    `root`: what the destination calls the message that this one answers.
    """
    match message, destination:
        case SlackMessage(), SlackDestination():
            return _slack(message, destination, root)
        case HttpMessage(), HttpDestination():
            return _http(message, destination, key)
        case GithubDispatch() | GithubWorkflow() | GithubCommit(), GithubDestination():
            return _github(message, destination)
        case EmailMessage(), EmailDestination():
            return _mail(message, destination)
        case LogMessage(), LogDestination():
            return Line(message)
        case AppriseMessage(), AppriseDestination():
            return Notification(url=destination.url, message=message)
        case _:
            raise WrongDestination(f"{destination.name} is a {destination.type} destination now")


def content_bytes(request: WebRequest) -> bytes:
    """Return the body as it goes out."""
    match request.content:
        case JsonContent(tree=tree):
            return revealed_json(tree)
        case TextContent(text=text):
            return text.reveal().encode()
        case _:
            assert_never(request.content)


def signature_headers(secrets: tuple[Text, ...], key: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the Standard Webhooks headers; one signature for each secret, so that receivers can rotate.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
    """
    seconds = int(now.timestamp())
    signed = f"{key}.{seconds}.".encode() + body
    codes = [hmac.digest(_signing_key(secret.reveal()), signed, hashlib.sha256) for secret in secrets]
    return {
        "webhook-id": key,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(code).decode()}" for code in codes),
    }


def shown(message: Message, destination: AnyDestination, key: str) -> Json:
    """Return the request as people may see it, secrets masked. Raises WrongDestination.

    `{method, url, headers, body}` with a JSON body as a value, `{from, recipients, subject, text, html}`,
    `{text, level}`, or `{url, title, body}`.
    """
    request = request_of(message, destination, key)
    match request:
        case WebRequest(content=content):
            return {
                "method": request.method,
                "url": str(request.url),
                "headers": {name: str(value) for name, value in request.headers.items()},
                "body": _masked_body(content),
            }
        case Mail(message=mail):
            return {
                "from": str(request.sender),
                "recipients": list(map(str, request.recipients)),
                **({"cc": list(map(str, request.cc))} if request.cc else {}),
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                **({"headers": mail.headers} if mail.headers else {}),
            }
        case Line(message=line):
            return {"text": line.text, "level": line.level}
        case Notification(message=notification):
            return {"url": str(request.url), "title": notification.title, "body": notification.body}
        case _:
            assert_never(request)


def _masked_body(content: JsonContent | TextContent) -> Json:
    match content:
        case JsonContent(tree=tree):
            return cast("Json", msgspec.json.decode(tree)) if isinstance(tree, Raw) else masked(tree)
        case TextContent(text=text):
            return str(text)
        case _:
            assert_never(content)


# ---- by type


def thread_of(message: Message, destination: AnyDestination) -> Thread | None:
    """Return the conversation that a message belongs to, where the destination keeps some."""
    match message, destination:
        case SlackMessage(thread=str(name)), SlackDestination(token=Text()):
            return Thread(destination=destination.name, channel=str(_channel(message, destination)), name=name)
        case _:
            return None


def _slack(message: SlackMessage, destination: SlackDestination, root: str | None) -> WebRequest:
    """An attachment is the only thing with a bar of colour.

    Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
    https://docs.slack.dev/reference/methods/chat.postMessage.
    """
    body: dict[str, DefaultTree] = {"text": message.text}
    blocks = cast("list[DefaultTree]", list(message.blocks))
    if message.color:
        attachment: dict[str, DefaultTree] = {"color": message.color, "fallback": message.text}
        body = {"attachments": [attachment | ({"blocks": blocks} if blocks else {"text": message.text})]}
    elif blocks:
        body["blocks"] = blocks
    if message.plain:
        body["mrkdwn"] = False
    if destination.token is None:
        if destination.webhook_url is None or message.channel is not None:
            raise WrongDestination(f"{destination.name} is no Slack bot now, so it cannot post to a channel")
        return _json_request("POST", destination.webhook_url, {}, body)
    body |= {"channel": _channel(message, destination)} | ({} if root is None else {"thread_ts": root})
    url = _extended(destination.api_url, "chat.postMessage", {})
    return _json_request("POST", url, {"authorization": _bearer(destination.token)}, body)


def _channel(message: SlackMessage, destination: SlackDestination) -> Text:
    """Return where to post; a channel that is secret stays in the destination until now."""
    channel = destination.defaults.get("channel") if message.channel is None else message.channel
    if channel is None:
        raise WrongDestination(f"{destination.name} says no channel now")
    return _text(channel)


def _http(message: HttpMessage, destination: HttpDestination, key: str) -> WebRequest:
    defaults = destination.defaults
    query = {name: _text(value) for name, value in secret_part(defaults.get("query")).items()}
    query |= {name: Text(value) for name, value in message.query.items()}
    headers = {name.lower(): _text(value) for name, value in secret_part(defaults.get("headers")).items()}
    headers |= {name.lower(): Text(value) for name, value in message.headers.items()}
    headers.setdefault("idempotency-key", Text(key))
    url = _extended(destination.url, message.path, query)
    match message.body:
        case JsonBody() as body:
            secret = secret_part(defaults.get("json"))
            tree = cast("DefaultTree", merge(secret, body.value)) if secret else body.text
            return _json_request(message.method, url, headers, tree)
        case FormBody(fields=fields):
            form = cast("dict[str, DefaultTree]", merge(secret_part(defaults.get("form")), fields))
            headers.setdefault("content-type", Text("application/x-www-form-urlencoded"))
            return WebRequest(method=message.method, url=url, headers=headers, content=TextContent(_form(form)))
        case RawBody(text=text):
            headers.setdefault("content-type", Text("text/plain; charset=utf-8"))
            return WebRequest(method=message.method, url=url, headers=headers, content=TextContent(Text(text)))
        case _:
            assert_never(message.body)


def _github(message: GithubMessage, destination: GithubDestination) -> WebRequest:
    """Sources: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event,
    https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event.
    """
    defaults = destination.defaults
    match message:
        case GithubDispatch():
            secret = secret_part(secret_part(defaults.get("dispatch")).get("client_payload"))
            payload = cast("DefaultTree", merge(secret, message.client_payload))
            body: DefaultTree = {"event_type": message.event_type, "client_payload": payload}
            return _to_github("POST", destination, "/dispatches", body)
        case GithubWorkflow():
            secret = secret_part(secret_part(defaults.get("workflow")).get("inputs"))
            inputs = cast("DefaultTree", merge(secret, message.inputs))
            path = f"/actions/workflows/{quote(message.file, safe='')}/dispatches"
            return _to_github("POST", destination, path, {"ref": message.ref, "inputs": inputs})
        case GithubCommit():
            return commit_request(message, destination, None)
        case _:
            assert_never(message)


def content_request(message: GithubCommit, destination: GithubDestination) -> WebRequest:
    """Ask for the file that a message is about."""
    request = _to_github("GET", destination, _contents(message), None)
    query = {} if message.branch is None else {"ref": Text(message.branch)}
    return msgspec.structs.replace(request, url=_extended(request.url, "", query))


def commit_request(message: GithubCommit, destination: GithubDestination, sha: str | None) -> WebRequest:
    """Let the file hold the message's content, or be gone; `sha` is that of what it holds now."""
    body: dict[str, DefaultTree] = {"message": message.message}
    if message.content is not None:
        body["content"] = base64.b64encode(message.content.encode()).decode()
    if message.branch is not None:
        body["branch"] = message.branch
    if sha is not None:
        body["sha"] = sha
    return _to_github("DELETE" if message.content is None else "PUT", destination, _contents(message), body)


def repository_request(destination: GithubDestination) -> WebRequest:
    return _to_github("GET", destination, "", None)


def installation_request(destination: GithubDestination, app_token: Text) -> WebRequest:
    """Ask for a token of the App's installation, as the App."""
    assert destination.installation_id is not None
    asking = msgspec.structs.replace(destination, token=app_token)
    request = _to_github("POST", asking, "", None)
    path = f"/app/installations/{quote(destination.installation_id.reveal(), safe='')}/access_tokens"
    return msgspec.structs.replace(request, url=_extended(destination.base_url, path, {}))


def _contents(message: GithubCommit) -> str:
    return f"/contents/{quote(message.path, safe='/')}"


def _to_github(method: str, destination: GithubDestination, path: str, body: DefaultTree) -> WebRequest:
    headers = {
        "authorization": _bearer(destination.token or Text.secret("")),
        "accept": Text("application/vnd.github+json"),
        "x-github-api-version": Text(GITHUB_VERSION),
    }
    url = _extended(destination.base_url, f"/repos/{destination.repository.reveal()}{path}", {})
    if body is None:
        return WebRequest(method=method, url=url, headers=headers, content=TextContent(Text("")))
    return _json_request(method, url, headers, body)


def _mail(message: EmailMessage, destination: EmailDestination) -> Mail:
    """Addresses that are secret stay in the destination until now."""
    return Mail(
        smtp=destination.smtp,
        sender=destination.sender,
        recipients=tuple(map(Text, message.recipients)) or _addresses(destination.defaults.get("recipients")),
        cc=tuple(map(Text, message.cc)) or _addresses(destination.defaults.get("cc")),
        message=message,
    )


# ---- shared


def _json_request(method: str, url: Text, headers: Mapping[str, Text], tree: DefaultTree | Raw) -> WebRequest:
    return WebRequest(
        method=method,
        url=url,
        headers={"content-type": Text("application/json"), **headers},
        content=JsonContent(tree),
    )


def _bearer(token: Text) -> Text:
    return Text(f"Bearer {token.reveal()}", f"Bearer {token}")


def _extended(url: Text, path: str, query: Mapping[str, Text]) -> Text:
    if not path and not query:
        return url
    return Text(
        _join(url.reveal(), path, {name: value.reveal() for name, value in query.items()}),
        _join(url.shown, path, {name: value.shown for name, value in query.items()}),
    )


def _join(url: str, path: str, query: Mapping[str, str]) -> str:
    """Lay `path` after the URL's own, what it asks, and then `query`, over what the URL asks."""
    parts = urlsplit(url)
    path, _, own = path.partition("?")
    whole = f"{parts.path.rstrip('/')}/{path.lstrip('/')}" if path else parts.path
    asked = {**dict(parse_qsl(f"{parts.query}&{own}", keep_blank_values=True)), **query}
    return urlunsplit((parts.scheme, parts.netloc, whole, urlencode(asked, safe=MASK, quote_via=quote), ""))


def _form(fields: Mapping[str, DefaultTree]) -> Text:
    """Form fields; a list gives its field several times."""
    pairs = [
        (name, _text(one))
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    return Text(
        urlencode([(name, value.reveal()) for name, value in pairs]),
        urlencode([(name, value.shown) for name, value in pairs], safe=MASK),
    )


def _text(value: DefaultTree) -> Text:
    match value:
        case Text():
            return value
        case str():
            return Text(value)
        case _:
            return Text(revealed_json(value).decode(), msgspec.json.encode(masked(value)).decode())


def _addresses(tree: DefaultTree) -> tuple[Text, ...]:
    found = tree if isinstance(tree, list) else [tree]
    return tuple(_text(address) for address in found if address is not None)


def _signing_key(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
