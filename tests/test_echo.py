"""Secrets that others say back, in whatever way they write them."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from router.delivery.echo import SHORTEST_PART, without_secrets
from router.domain.destination import HttpDestination, Limits
from router.domain.text import Text

WRITINGS: list[Callable[[str], str]] = [
    str,
    repr,
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
    html.escape,
    json.dumps,
]
words = st.text("abcdefXYZ0123456789", min_size=SHORTEST_PART, max_size=40)
others = st.text(max_size=12)


def holding(secret: str) -> HttpDestination:
    return HttpDestination(name="sink", limits=Limits(), url=Text(f"https://x/{secret}", "https://x/***"))


@given(words, others, others, st.lists(st.sampled_from(WRITINGS), min_size=1, max_size=3))
def test_no_long_part_of_a_secret_is_left_however_it_is_written(
    word: str, first: str, last: str, writings: list[Callable[[str], str]]
) -> None:
    secret = said = f"{first}{word}{last}"
    for write in writings:
        said = write(f"before {said} after")
    assert word not in without_secrets(said, holding(secret))


@given(words, others, others, st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
def test_nor_in_base64_whatever_stands_before_and_after_it(
    word: str, before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    said = encode(f"{before}{word}{after}".encode()).decode()
    for piece in without_secrets(said, holding(word)).split("***"):
        for start in range(4):
            whole = piece[start : start + (len(piece) - start) // 4 * 4]
            assert word.encode() not in base64.b64decode(
                whole, altchars=b"-_" if "_" in piece or "-" in piece else None
            )


@given(st.text(min_size=4, max_size=20), others, others)
def test_a_secret_that_is_said_back_as_it_is_is_masked_whole(secret: str, before: str, after: str) -> None:
    said = without_secrets(f"{before}{secret}{after}", holding(secret))
    assert secret not in said or secret in "***"


def test_a_secret_url_is_masked_by_its_parts_and_so_is_a_proxys_password() -> None:
    url = Text.secret("https://me:pass%2Fword1234@hooks.example.com/T00/B00/abcdefgh12345678?key=k%2Bk")
    proxied = HttpDestination(name="sink", limits=Limits(proxy=Text.secret("s3cretproxyword")), url=url)
    said = without_secrets("POST /T00/B00/abcdefgh12345678?key=k%2Bk k+k pass/word1234 s3cretproxyword", proxied)
    for secret in ("abcdefgh12345678", "k%2Bk", "pass/word1234", "word1234", "s3cretproxyword"):
        assert secret not in said


def test_what_is_no_secret_is_left_alone() -> None:
    assert without_secrets("https://x/ is down", holding("longenough1")) == "https://x/ is down"
    assert without_secrets("abc", holding("abc")) == "abc"
