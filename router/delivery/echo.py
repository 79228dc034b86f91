"""What others say, without the secrets that they may have echoed: in the form in which they got them, or in another."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from router.domain.destination import AnyDestination
from router.domain.text import MASK
from router.engine.defaults import secret_texts

SHORTEST_MASKED: Final = 4
"""Shorter secrets are not looked for: they would mask half of every text."""

SHORTEST_PART: Final = 8
"""Letters and digits in a row that every way of writing a secret leaves as they are, and that are looked for alone."""

_PART: Final = re.compile(rf"[A-Za-z0-9]{{{SHORTEST_PART},}}")


def without_secrets(text: str, *holders: object) -> str:
    """Return `text` without the secrets that destinations, sources or settings hold."""
    return mask_of(*holders)(text)


def mask_of(*holders: object) -> Callable[[str], str]:
    """Return what takes their secrets out of a text."""
    found = (secret for holder in holders for held in secret_texts(holder) for secret in held.secrets)
    forms = _forms(tuple(found))

    def mask(text: str) -> str:
        for form in forms:
            text = text.replace(form, MASK)
        return text

    return mask


class Masks:
    """What takes the secrets of a destination out of a text, worked out once for as long as it is the one in force."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[AnyDestination, Callable[[str], str]]] = {}

    def of(self, destination: AnyDestination) -> Callable[[str], str]:
        known = self._known.get(destination.name)
        if known is None or known[0] is not destination:
            known = self._known[destination.name] = (destination, mask_of(destination))
        return known[1]


@lru_cache(maxsize=256)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Return what to look for, the longest first."""
    found = {form for secret in secrets for form in _as_it_may_come_back(secret)}
    return tuple(sorted((form for form in found if len(form) >= SHORTEST_MASKED), key=len, reverse=True))


def _as_it_may_come_back(secret: str) -> Iterator[str]:
    """Yield a secret in every form in which an answer may hold it: of a secret URL also the parts after the host."""
    parts = urlsplit(secret) if "://" in secret else None
    inner = [secret] if parts is None else [parts.path.strip("/"), parts.query, parts.username, parts.password]
    for whole in {form for one in inner if one for form in (one, unquote(one))} | {secret}:
        yield whole
        yield quote(whole, safe="")
        yield quote(whole)
        yield quote_plus(whole)
        yield html.escape(whole)
        yield json.dumps(whole)[1:-1]
        yield json.dumps(whole, ensure_ascii=False)[1:-1]
    for one in inner:
        for part in _PART.findall(unquote(one or "")):
            yield part
            yield from _in_base64(part.encode())


def _in_base64(part: bytes) -> Iterator[str]:
    """Yield the characters of base64 that only this part decides, whatever stands before and after it."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + part).decode()
        yield encoded[-(-before * 8 // 6) : (before + len(part)) * 8 // 6]
