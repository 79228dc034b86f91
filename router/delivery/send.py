"""One attempt: the request goes out, the answer is classified. Whatever happens ends in an `Answer`."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final, assert_never

import aiohttp
import msgspec
import structlog

from router.delivery import apprise, github, mail
from router.delivery.client import Client, Clients, Reply, answer_of
from router.delivery.outcome import (
    SlackAnswer,
    failure,
    github_outcome,
    outcome_of,
    slack_api_outcome,
    slack_outcome,
)
from router.delivery.request import (
    Line,
    Mail,
    Notification,
    Request,
    WebRequest,
    WrongDestination,
    content_bytes,
    request_of,
    signature_headers,
)
from router.domain.delivery import Accepted, Answer, Outcome, Refused, Rejected, Retry
from router.domain.destination import AnyDestination, GithubDestination, HttpDestination, SlackDestination
from router.domain.message import (
    GithubCommit,
    GithubDispatch,
    GithubWorkflow,
    HttpMessage,
    LogMessage,
    Message,
    SlackMessage,
)
from router.engine.expect import unmet

log = structlog.get_logger("router.message")

FOR_THE_REST: Final = 0.1
"""Seconds before an attempt's deadline at which we stop reading an answer: at the deadline it would be none."""

EXCERPT: Final = 2_000
REASON: Final = 300
"""Characters of an answer, and of the reason it gives, that are kept for people."""


async def send(
    message: Message, destination: AnyDestination, key: str, clients: Clients, now: datetime, root: str | None = None
) -> Answer:
    """Make one attempt, at most `timeout` long. Never raises, unless it is cancelled.

    `root`: what the destination calls the message that this one answers.
    """
    seconds = destination.limits.timeout.total_seconds()
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(deadline):
            if isinstance(destination, GithubDestination):
                exchange = await _exchanges(destination, key, clients, now, deadline)
                destination = await github.authorized(destination, clients, exchange, now)
            request = request_of(message, destination, key, root)
            answer = await _attempt(request, message, destination, key, clients, now, deadline)
        if isinstance(destination, GithubDestination) and answer.status == HTTPStatus.UNAUTHORIZED:
            github.forget(destination, clients)
    except github.NoToken as error:
        answer = error.answer
    except WrongDestination as error:
        answer = Answer(outcome=Refused(str(error)))
    except TimeoutError:
        answer = Answer(outcome=Retry(f"no answer within {seconds:g} s"))
    except Exception as error:
        answer = Answer(outcome=failure(error))
    return _for_people(answer, clients.masks.of(destination))


async def _attempt(
    request: Request,
    message: Message,
    destination: AnyDestination,
    key: str,
    clients: Clients,
    now: datetime,
    deadline: float,
) -> Answer:
    match request:
        case WebRequest() if isinstance(message, GithubCommit) and isinstance(destination, GithubDestination):
            return await github.commit(
                message, destination, await _exchanges(destination, key, clients, now, deadline), now
            )
        case WebRequest():
            client = await clients.of(destination.limits)
            reply = await _exchange(request, destination, key, client, now, deadline)
            outcome = _outcome(reply, message, destination, now)
            return Answer(
                outcome=outcome, status=reply.status, excerpt=reply.text, posted=_posted(reply, outcome, destination)
            )
        case Mail():
            return await mail.send(request, key, destination.limits)
        case Line(message=line):
            return _write(line, key)
        case Notification():
            return await apprise.send(request, deadline)
        case _:
            assert_never(request)


def _for_people(answer: Answer, mask: Callable[[str], str]) -> Answer:
    """Return the answer as it may be kept: short, and without the secrets that it may have echoed."""
    match answer.outcome:
        case Accepted(detail=said):
            outcome: Outcome = Accepted(mask(said)[:REASON])
        case Retry(reason=said, after=after):
            outcome = Retry(mask(said)[:REASON], after)
        case Rejected(reason=said):
            outcome = Rejected(mask(said)[:REASON])
        case Refused(reason=said):
            outcome = Refused(mask(said)[:REASON])
        case _:
            assert_never(answer.outcome)
    return msgspec.structs.replace(answer, outcome=outcome, excerpt=mask(answer.excerpt)[:EXCERPT])


async def _exchanges(
    destination: AnyDestination, key: str, clients: Clients, now: datetime, deadline: float
) -> github.Exchange:
    """Return what sends one request of several of an attempt."""
    client = await clients.of(destination.limits)

    async def exchange(request: WebRequest) -> Reply:
        return await _exchange(request, destination, key, client, now, deadline)

    return exchange


async def _exchange(
    request: WebRequest, destination: AnyDestination, key: str, client: Client, now: datetime, deadline: float
) -> Reply:
    """A body that breaks off, or takes too long, changes nothing about a status that has been said."""
    body = content_bytes(request)
    headers = {name: value.reveal() for name, value in request.headers.items()}
    if isinstance(destination, HttpDestination) and destination.signing_secrets:
        headers |= signature_headers(destination.signing_secrets, key, now, body)
    async with client.request(request.method, request.url.reveal(), headers=headers, body=body) as response:
        last = None if response.content.is_eof() else deadline - FOR_THE_REST  # a timer costs more than a short answer
        try:
            async with asyncio.timeout_at(last):
                said, whole = await answer_of(response), True
        except (aiohttp.ClientError, TimeoutError):
            said, whole = b"", False
        return Reply(response.status, response.headers, said, whole)


def _outcome(reply: Reply, message: Message, destination: AnyDestination, now: datetime) -> Outcome:
    match message:
        case SlackMessage() if isinstance(destination, SlackDestination) and destination.token is not None:
            templated = message.templated_channel
            return slack_api_outcome(reply.status, reply.headers, reply.text, now, templated_channel=templated)
        case SlackMessage():
            return slack_outcome(reply.status, reply.headers, reply.text, now)
        case GithubDispatch() | GithubWorkflow():
            return github_outcome(reply.status, reply.headers, reply.text, now)
        case HttpMessage():
            outcome = outcome_of(
                reply.status, reply.headers, now, accepted=message.status, templated_path=message.templated_path
            )
            return _expected(reply, message, outcome)
        case _:
            return outcome_of(reply.status, reply.headers, now)


def _expected(reply: Reply, message: HttpMessage, outcome: Outcome) -> Outcome:
    if not message.where or not isinstance(outcome, Accepted):
        return outcome
    if not reply.whole:
        return Retry(f"{outcome.detail}, but the answer broke off before it could be asked what `expect` wants")
    fault = unmet(message.where, reply.body)
    return outcome if fault is None else Rejected(f"{outcome.detail}, but {fault}")


def _posted(reply: Reply, outcome: Outcome, destination: AnyDestination) -> str | None:
    if isinstance(destination, SlackDestination) and destination.token is not None and isinstance(outcome, Accepted):
        return msgspec.json.decode(reply.body, type=SlackAnswer).ts
    return None


def _write(line: LogMessage, key: str) -> Answer:
    getattr(log, line.level)(line.text, delivery_id=key)
    return Answer(outcome=Accepted("logged"))
