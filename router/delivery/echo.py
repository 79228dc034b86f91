"""What others say, without the secrets that they may have echoed: in the form in which they got them, or in another."""

import html
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from router.domain.text import MASK
from router.engine.defaults import secret_texts

SHORTEST_MASKED: Final = 4
"""Shorter secrets are not looked for: they would mask half of every text."""

SHORTEST_ENCODED: Final = 8
"""Bytes of a secret that is also looked for in base64, where it may stand among others."""


def without_secrets(text: str, *holders: object) -> str:
    """Return `text` without the secrets that destinations, sources or settings hold."""
    for secret in sorted({form for holder in holders for form in _forms(holder)}, key=len, reverse=True):
        if len(secret) >= SHORTEST_MASKED:
            text = text.replace(secret, MASK)
    return text


def _forms(holder: object) -> Iterator[str]:
    for text in secret_texts(holder):
        for secret in text.secrets:
            yield from _as_it_may_come_back(secret)


def _as_it_may_come_back(secret: str) -> Iterator[str]:
    """Yield a secret in every form in which an answer may hold it: of a secret URL also the parts after the host."""
    parts = urlsplit(secret) if "://" in secret else None
    wholes = [secret] if parts is None else [secret, parts.path.strip("/"), parts.query, parts.password or ""]
    for whole in {form for one in wholes for form in (one, unquote(one))}:
        yield whole
        yield quote(whole, safe="")
        yield quote(whole)
        yield quote_plus(whole)
        yield html.escape(whole)
        yield json.dumps(whole)[1:-1]
        yield json.dumps(whole, ensure_ascii=False)[1:-1]
        yield from _in_base64(whole.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield the characters of base64 that only the secret decides, whatever stands before and after it."""
    if len(secret) < SHORTEST_ENCODED:
        return
    for before in range(3):
        encoded = b64encode(b"\0" * before + secret).decode()
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        yield encoded[first:end]
        yield encoded[first:end].replace("+", "-").replace("/", "_")
