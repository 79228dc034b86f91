"""GitHub beyond single requests: tokens of an App's installation, and a file that shall hold something.

Sources: https://docs.github.com/en/rest/repos/contents,
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, TypeAlias

import jwt
import msgspec
from msgspec import Struct

from router.delivery.client import Clients, Reply
from router.delivery.outcome import github_outcome
from router.delivery.request import (
    WebRequest,
    commit_request,
    content_request,
    installation_request,
    repository_request,
)
from router.domain.delivery import Accepted, Answer, Outcome, Refused, Rejected, Retry
from router.domain.destination import GithubDestination
from router.domain.message import GithubCommit
from router.domain.text import Text

Exchange: TypeAlias = Callable[[WebRequest], Awaitable[Reply]]
"""Sends a request and returns what came back."""

BEFORE_IT_EXPIRES: Final = timedelta(minutes=5)
"""An installation's token, which lives for an hour, is not used any more."""

_CONFLICTS: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
_MOST_TRIES: Final = 3


class NoToken(Exception):
    """GitHub gives the App no token. The answer is the attempt's."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("no token")
        self.answer = answer


class _Granted(Struct, frozen=True):
    token: str
    expires_at: datetime


async def authorized(
    destination: GithubDestination, clients: Clients, exchange: Exchange, now: datetime
) -> GithubDestination:
    """Return the destination with a token to use now. Raises NoToken.

    An App's token is kept in memory until shortly before it expires, and nowhere else.
    """
    if destination.token is not None:
        return destination
    assert destination.app_id is not None
    assert destination.installation_id is not None
    assert destination.private_key is not None
    name = (destination.base_url, destination.app_id, destination.installation_id, destination.private_key)
    kept = clients.tokens.get(name)
    if kept is None or kept[1] <= now + BEFORE_IT_EXPIRES:
        try:
            app_token = _app_token(destination, now)
        except (jwt.PyJWTError, ValueError) as error:
            refused = Refused("the App's `private_key` cannot be used: it is no RSA key as PEM")
            raise NoToken(Answer(outcome=refused)) from error
        reply = await exchange(installation_request(destination, app_token))
        if reply.status != HTTPStatus.CREATED:
            outcome = github_outcome(reply.status, reply.headers, reply.text, now)
            raise NoToken(Answer(outcome=_about_the_token(outcome), status=reply.status, excerpt=reply.text))
        granted = msgspec.json.decode(reply.body, type=_Granted)
        kept = clients.tokens[name] = (Text.secret(granted.token), granted.expires_at)
    return msgspec.structs.replace(destination, token=kept[0])


def forget(destination: GithubDestination, clients: Clients) -> None:
    """Do not use the installation's token again: GitHub does not take it any more."""
    for name, kept in list(clients.tokens.items()):
        if kept[0] == destination.token:
            del clients.tokens[name]


async def commit(message: GithubCommit, destination: GithubDestination, exchange: Exchange, now: datetime) -> Answer:
    """Let the file hold what the message says. Nothing is committed if it does already.

    Somebody else may commit between our look and our commit: then we look again.
    """
    answer = Answer(outcome=Retry("the branch moved on at every try"))
    for _ in range(_MOST_TRIES):
        found = await exchange(content_request(message, destination))
        if found.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return _answer(found, message, now)
        sha = _sha(found.body) if found.status == HTTPStatus.OK else None
        if found.status == HTTPStatus.OK and sha is None:
            return Answer(outcome=Rejected(f"{message.path} is no file"), status=found.status, excerpt=found.text)
        if message.content is None and sha is None:
            return await _nothing_to_delete(found, message, destination, exchange, now)
        if message.content is not None and sha == _blob(message.content):
            return Answer(outcome=Accepted("nothing changed, so nothing was committed"), status=found.status)
        done = await exchange(commit_request(message, destination, sha))
        answer = _answer(done, message, now)
        if done.status not in _CONFLICTS:
            return answer
    if answer.status == HTTPStatus.CONFLICT:
        return msgspec.structs.replace(answer, outcome=Retry("HTTP 409 Conflict: the branch moved on at every try"))
    return answer


async def _nothing_to_delete(
    found: Reply, message: GithubCommit, destination: GithubDestination, exchange: Exchange, now: datetime
) -> Answer:
    """A repository that we may not see has no files either: ask for it."""
    if "No commit found" in found.text:
        return _answer(found, message, now)
    repository = await exchange(repository_request(destination))
    if repository.status != HTTPStatus.OK:
        return _answer(repository, message, now)
    return Answer(outcome=Accepted("there is no such file, so nothing was deleted"), status=found.status)


def _answer(reply: Reply, message: GithubCommit, now: datetime) -> Answer:
    outcome = github_outcome(reply.status, reply.headers, reply.text, now, templated_path=message.templated_branch)
    return Answer(outcome=outcome, status=reply.status, excerpt=reply.text)


def _about_the_token(outcome: Outcome) -> Outcome:
    match outcome:
        case Accepted(detail=said):
            return Retry(f"no token for the App: {said}")
        case Retry(reason=said, after=after):
            return Retry(f"no token for the App: {said}", after)
        case refused:
            return type(refused)(f"no token for the App: {refused.reason}")


def _app_token(destination: GithubDestination, now: datetime) -> Text:
    """Return what the App shows to ask for a token. Raises PyJWTError or ValueError for a key that is none."""
    assert destination.app_id is not None
    assert destination.private_key is not None
    claims = {
        "iat": int((now - timedelta(minutes=1)).timestamp()),  # clocks drift
        "exp": int((now + timedelta(minutes=9)).timestamp()),
        "iss": destination.app_id.reveal(),
    }
    return Text.secret(jwt.encode(claims, destination.private_key.reveal(), algorithm="RS256"))


def _sha(body: bytes) -> str | None:
    """Return a file's sha. The answer also holds the file, so it may be cut: the sha stands before that."""
    found = re.match(rb'\{.*?(?<!\\)"sha"\s*:\s*"([0-9a-f]{40,64})"', body.lstrip(), re.DOTALL)
    is_file = re.search(rb'(?<!\\)"type"\s*:\s*"(dir|symlink|submodule)"', body) is None
    return found[1].decode() if found and is_file else None


def _blob(content: str) -> str:
    data = content.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
