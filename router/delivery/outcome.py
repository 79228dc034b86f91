"""What an answer means. Decided here and nowhere else.

Reasons quote answers whole: they are cut to length only when the secrets that they may hold are masked.
"""

import ssl
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp
import aiosmtplib
import msgspec
from msgspec import Struct

from router.delivery.guard import AddressRefused
from router.domain.delivery import Accepted, Answer, Outcome, Refused, Rejected, Retry

ENDED: Final = "the connection ended before there was an answer"
LONGEST_RETRY_AFTER: Final = timedelta(days=1)

_TRANSIENT: Final = frozenset({408, 425, 429})
_REFUSES_EVERYBODY: Final = frozenset({401, 403, 410})
_SLACK_WAITS: Final = frozenset(
    {
        "fatal_error",
        "internal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_SLACK_CHANNEL: Final = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "messages_tab_disabled",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
    }
)
_SLACK_REFUSES_EVERYBODY: Final = frozenset(
    {
        "access_denied",
        "accesslimited",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "is_inactive",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
    }
)
_SMTP_AUTHENTICATION: Final = frozenset({530, 534, 535, 538})


_WORDS: Final = {
    "TLS": "tls",
    "no answer within": "timeout",
    "connection refused": "connection_refused",
    "cannot connect": "cannot_connect",
    "cannot resolve host": "dns",
    "connection reset": "ended",
    ENDED: "ended",
    "what came back is not HTTP": "not_http",
    "SMTP 4": "smtp_4xx",
    "SMTP 5": "smtp_5xx",
    "internal error": "fault",
}
"""How reasons without a status begin, and what they are called where there may only be few."""


class SlackAnswer(Struct, frozen=True):
    """What Slack's Web API answers; `ts` is the message's name in its channel."""

    ok: bool
    error: str = ""
    ts: str | None = None


def outcome_of(
    status: int,
    headers: Mapping[str, str],
    now: datetime,
    *,
    accepted: Collection[int] = (),
    templated_path: bool = False,
) -> Outcome:
    """Classify an HTTP status. `accepted`: those that count as accepted; none given: every 2xx.

    A 404 speaks of the address, so of everybody, unless a template made a part of the path.
    """
    said = status_text(status)
    if status in accepted or (not accepted and 200 <= status < 300):
        return Accepted(said)
    if status in _TRANSIENT or status >= 500:
        return Retry(said, after=retry_after(headers.get("retry-after"), now))
    if status in _REFUSES_EVERYBODY or (status == HTTPStatus.NOT_FOUND and not templated_path):
        return Refused(said)
    if 300 <= status < 400:
        return Rejected(f"{said} to {headers.get('location', 'nowhere')}; redirects are not followed")
    if 200 <= status < 300:
        return Rejected(f"{said}, but `expect.status` wanted {' or '.join(map(str, accepted))}")
    return Rejected(said)


def github_outcome(
    status: int, headers: Mapping[str, str], body: str, now: datetime, *, templated_path: bool = False
) -> Outcome:
    """Classify an answer of GitHub, which limits rates with 403 and 429.

    Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api.
    """
    limited = (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "secondary rate limit" in body.lower()
    )
    if status in (403, 429) and limited:
        after = retry_after(headers.get("retry-after"), now) or _reset(headers.get("x-ratelimit-reset"), now)
        return Retry(f"{status_text(status)}: rate limit", after=after or timedelta(minutes=1))
    return outcome_of(status, headers, now, templated_path=templated_path)


def slack_outcome(status: int, headers: Mapping[str, str], body: str, now: datetime) -> Outcome:
    """Classify an answer of an incoming webhook: the words in a 4xx tell whether it is the message or the hook.

    Source: https://api.slack.com/messaging/webhooks#handling_errors.
    """
    outcome = outcome_of(status, headers, now)
    word = _phrase(body)
    if isinstance(outcome, Refused | Rejected) and word:
        reason = f"{outcome.reason}: {word}"
        return Refused(reason) if isinstance(outcome, Refused) else Rejected(reason)
    return outcome


def slack_api_outcome(
    status: int, headers: Mapping[str, str], body: str, now: datetime, *, templated_channel: bool = False
) -> Outcome:
    """Classify an answer of Slack's Web API, which says 200 and `"ok": false` for most of what goes wrong.

    What it says of the channel speaks of everybody, unless a template made the channel.
    Source: https://docs.slack.dev/reference/methods/chat.postMessage#errors.
    """
    if status != HTTPStatus.OK:
        return outcome_of(status, headers, now)
    try:
        answer = msgspec.json.decode(body, type=SlackAnswer)
    except msgspec.DecodeError:
        return Retry("HTTP 200, but not an answer of Slack's API")
    if answer.ok:
        return Accepted(status_text(status))
    said = f"Slack: {answer.error or 'not ok'}"
    if answer.error in _SLACK_WAITS:
        return Retry(said, after=retry_after(headers.get("retry-after"), now))
    if answer.error in _SLACK_REFUSES_EVERYBODY or (answer.error in _SLACK_CHANNEL and not templated_channel):
        return Refused(said)
    return Rejected(said)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return what a `Retry-After` header asks for, seconds or a date; at most a day. None: nothing sensible."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), LONGEST_RETRY_AFTER)


def _reset(value: str | None, now: datetime) -> timedelta | None:
    if not value or not value.isdigit():
        return None
    wait = timedelta(seconds=int(value[:12]) - now.timestamp())
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


def failure(error: Exception) -> Outcome:
    """Classify what went wrong before there was an answer. Never lets a URL into the text: it may be a secret."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case AddressRefused():
                return Refused(str(cause))
            case ssl.SSLCertVerificationError() if said := getattr(cause, "verify_message", ""):
                return Retry(f"TLS: {_phrase(said)}")  # aiohttp's own kind says nothing, its cause does
            case aiohttp.ClientConnectorCertificateError():
                pass
            case ssl.SSLError():
                return Retry(f"TLS: {cause.reason or 'failed'}")
            case ConnectionRefusedError():
                return Retry("connection refused")
            case aiohttp.ServerDisconnectedError():
                return Retry(ENDED)
            case ConnectionResetError():
                return Retry("connection reset")
            case aiohttp.ClientHttpProxyError():
                return Retry(f"the proxy answers {status_text(cause.status)}")
            case aiohttp.ClientResponseError() | aiohttp.http_exceptions.HttpProcessingError():
                return Retry("what came back is not HTTP")
            case aiosmtplib.SMTPResponseException():
                return smtp_outcome(cause.code, cause.message)
        cause = cause.__cause__ or cause.__context__
    return _by_kind(error)


def _by_kind(error: Exception) -> Outcome:
    text = str(error).lower()
    if any(word in text for word in ("name or service not known", "getaddrinfo", "no address", "name resolution")):
        return Retry("cannot resolve host")
    match error:
        case aiohttp.ClientPayloadError() | aiosmtplib.SMTPServerDisconnected():
            return Retry(ENDED)
        case aiosmtplib.SMTPConnectError() | OSError():
            return Retry("cannot connect")
        case aiosmtplib.SMTPException():
            return Retry(f"SMTP: {_phrase(str(error))}")  # such as that it knows no STARTTLS
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Refused("the address of the destination cannot be used")
        case _:
            return Retry(f"failed: {type(error).__name__}")


def smtp_outcome(code: int, message: str) -> Outcome:
    """Classify an SMTP reply: 4xx may pass, a failed log-in refuses everybody, other 5xx are final (RFC 5321, 4.2)."""
    said = f"SMTP {code} {_phrase(message)}"
    if code in _SMTP_AUTHENTICATION:
        return Refused(said)
    return Retry(said) if 400 <= code < 500 else Rejected(said)


def _phrase(said: str) -> str:
    """Return what somebody else says so that a sentence can go on after it."""
    return " ".join(said.split()).rstrip(".")


def reason_word(answer: Answer) -> str:
    """Return why an attempt failed in one of few words, for metrics; "": it did not.

    The status where that says it; `answer` for a 2xx with a refusal in it; `unusable` where nothing was sent because
    of the destination's own address or keys; else what kept the answer away.
    """
    if isinstance(answer.outcome, Accepted):
        return ""
    if answer.status is not None and not 200 <= answer.status < 300:
        return str(answer.status) if 100 <= answer.status < 600 else "other"
    if answer.status is not None:
        return "answer"
    unnamed = "unusable" if isinstance(answer.outcome, Refused) else "other"
    return next((word for said, word in _WORDS.items() if answer.outcome.reason.startswith(said)), unnamed)


def status_text(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
