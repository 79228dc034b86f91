"""Langfuse's webhook signature: is a body authentic, and fresh?

Source: langfuse/langfuse packages/shared/src/encryption/signature.ts.
"""

import hmac
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from router.domain.problem import RouterError
from router.domain.source import Source
from router.engine.rulesfile.expand import Placeholder

Reason: TypeAlias = Literal["missing", "malformed", "stale", "future", "mismatch"]

_USUAL: Final = re.compile(r"t=(\d{1,12}),[A-Za-z][A-Za-z0-9_]{0,15}=([0-9a-f]{64})", re.ASCII)
"""A well-formed header; the others say which part of one is wrong."""

_TIMESTAMP: Final = re.compile(r"\d{1,12}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")


class SignatureRefused(RouterError):
    """A request is not authentic. `what` names the part that is wrong and never what would be right.

    `looks_signed`: the header has Langfuse's form. `skew`: how far its time is from ours, where that is the fault
    (positive: it is in the past).
    """

    def __init__(self, reason: Reason, what: str, *, looks_signed: bool = False, skew: timedelta | None = None) -> None:
        super().__init__(what)
        self.reason: Reason = reason
        self.what = what
        self.looks_signed = looks_signed
        self.skew = skew


def sign(body: bytes, secret: str, at: datetime) -> str:
    """Return the header that Langfuse would send: `t=<unix seconds>,v1=<hex>`."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_mac(secret, f'{seconds}.'.encode() + body)}"


def verify_signature(body: bytes, header: str | bytes | None, source: Source, now: datetime) -> None:
    """Return only if one of the source's secrets signed `body` within its tolerance of `now` (timezone-aware).

    `header` is `t=<unix seconds>,v1=<hex HMAC-SHA256 of b"<t>." + body>`; older documentation names the second part
    `s`, so any name is taken. With `plain_signature` a bare hex HMAC-SHA256 of the body will do. The code is checked
    before the age: only who knows a secret is told how far the clocks are apart. Raises SignatureRefused.
    """
    text = _text(header)
    if source.plain_signature and _DIGEST.fullmatch(text):
        if not _signed(body, text, source):
            raise SignatureRefused("mismatch", "it matches no secret of this source", looks_signed=True)
        return
    seconds, digest = _parts(text)
    if not _signed(f"{seconds}.".encode() + body, digest, source):
        raise SignatureRefused("mismatch", "it matches no secret of this source", looks_signed=True)
    if source.tolerance is None:
        return
    age = timedelta(seconds=now.timestamp() - int(seconds))
    if age > source.tolerance:
        raise SignatureRefused(
            "stale",
            f"stale: {_seconds(age)} old, tolerance {_seconds(source.tolerance)}",
            looks_signed=True,
            skew=age,
        )
    if -age > source.tolerance:
        raise SignatureRefused(
            "future",
            f"{_seconds(-age)} in the future, tolerance {_seconds(source.tolerance)}",
            looks_signed=True,
            skew=age,
        )


def _text(header: str | bytes | None) -> str:
    if not header:
        raise SignatureRefused("missing", "there is no x-langfuse-signature header")
    try:
        return (header if isinstance(header, bytes) else header.encode()).decode("ascii")
    except UnicodeError:
        raise SignatureRefused("malformed", "the header holds characters that are not ASCII") from None


def _parts(text: str) -> tuple[str, str]:
    """Return the timestamp and the code of a well-formed header."""
    if usual := _USUAL.fullmatch(text):
        return usual[1], usual[2]
    parts = text.split(",")
    if len(parts) != 2:
        raise SignatureRefused("malformed", f"expected `t=…,v1=…`, got {len(parts)} part{'s' * (len(parts) != 1)}")
    name, equals, seconds = parts[0].partition("=")
    if (name, equals) != ("t", "="):
        raise SignatureRefused("malformed", "the first part is not `t=<unix seconds>`")
    if not _TIMESTAMP.fullmatch(seconds):
        raise SignatureRefused("malformed", "the timestamp is not a number of seconds")
    key, equals, digest = parts[1].partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise SignatureRefused("malformed", "the second part is not `v1=<hex>`")
    if not _DIGEST.fullmatch(digest):
        raise SignatureRefused("malformed", "the code is not 64 hexadecimal digits")
    return seconds, digest


def _signed(message: bytes, digest: str, source: Source) -> bool:
    """Compare with every secret, in constant time and without stopping at the first that fits.

    What stands in place of a missing secret is in the rules file for everybody to read.
    """
    found = False
    for secret in source.secrets:
        if isinstance(secret, Placeholder):
            continue
        found |= hmac.compare_digest(_mac(secret.reveal(), message), digest)
    return found


def _mac(secret: str, message: bytes) -> str:
    mac = _keyed(secret).copy()
    mac.update(message)
    return mac.hexdigest()


@lru_cache(maxsize=100)
def _keyed(secret: str) -> hmac.HMAC:
    """Return a code that has taken its key in: half the work for a small body."""
    return hmac.new(secret.encode(), digestmod="sha256")


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f} s"
