"""Who does not know the secret gets nothing in, and is told which part of the header is wrong and no more."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.source import Source
from router.domain.text import Text
from router.langfuse.signature import Reason, SignatureRefused, sign, verify_signature

SECRET = "lf-whsec_" + "ab" * 32
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BODY = b'{"id":"e1","prompt":{"name":"checkout/cart"}}'

bodies = st.binary(max_size=200)
secrets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


def source(*secrets: str, tolerance: timedelta | None = timedelta(minutes=5), plain: bool = False) -> Source:
    return Source(
        name="prod", secrets=tuple(map(Text.secret, secrets or (SECRET,))), tolerance=tolerance, plain_signature=plain
    )


def refusal(body: bytes, header: str | bytes | None, of: Source | None = None) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as refused:
        verify_signature(body, header, of or source(), NOW)
    return refused.value


def bare(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# ---- what is good


@given(bodies, secrets)
def test_a_signature_has_langfuses_shape_and_is_accepted(body: bytes, secret: str) -> None:
    header = sign(body, secret, NOW)
    assert re.fullmatch(r"t=\d{10},v1=[0-9a-f]{64}", header)
    verify_signature(body, header, source(secret), NOW)
    verify_signature(body, header.encode(), source(secret), NOW)


@given(bodies, st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,15}", fullmatch=True))
def test_the_second_part_may_have_any_name(body: bytes, name: str) -> None:
    verify_signature(body, sign(body, SECRET, NOW).replace("v1=", f"{name}="), source(), NOW)


@given(bodies, st.lists(secrets, min_size=1, max_size=4, unique=True), st.data())
def test_any_of_the_secrets_verifies(body: bytes, several: list[str], data: st.DataObject) -> None:
    verify_signature(body, sign(body, data.draw(st.sampled_from(several)), NOW), source(*several), NOW)


@given(st.integers(-300, 300))
def test_an_age_within_the_tolerance_is_good(seconds: int) -> None:
    verify_signature(BODY, sign(BODY, SECRET, NOW - timedelta(seconds=seconds)), source(), NOW)


def test_without_a_tolerance_any_age_is_good() -> None:
    verify_signature(BODY, sign(BODY, SECRET, NOW - timedelta(days=3650)), source(tolerance=None), NOW)


def test_a_bare_digest_is_good_only_where_the_source_says_so() -> None:
    verify_signature(BODY, bare(BODY), source(plain=True), NOW)
    assert refusal(BODY, bare(BODY)).reason == "malformed"
    assert refusal(BODY, bare(BODY + b" "), source(plain=True)).reason == "mismatch"
    verify_signature(BODY, sign(BODY, SECRET, NOW), source(plain=True), NOW)


# ---- what is not


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_altered_byte_of_the_body_is_refused(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[place]))
    altered = body[:place] + bytes([other]) + body[place + 1 :]
    assert refusal(altered, sign(body, SECRET, NOW)).reason == "mismatch"


@given(bodies, st.data())
def test_any_altered_byte_of_the_header_is_refused(body: bytes, data: st.DataObject) -> None:
    header = sign(body, SECRET, NOW).encode()
    # the name of the second part does not count
    place = data.draw(st.sampled_from([*range(header.index(b",") + 1), *range(header.index(b"v1=") + 2, len(header))]))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != header[place]))
    refusal(body, header[:place] + bytes([other]) + header[place + 1 :], source(tolerance=None))


@given(bodies, secrets)
def test_another_secret_is_refused(body: bytes, secret: str) -> None:
    of = source(SECRET, "an older secret")
    if secret not in (SECRET, "an older secret"):
        assert refusal(body, sign(body, secret, NOW), of).reason == "mismatch"


@given(st.one_of(st.none(), st.text(), st.binary(), st.from_regex(r"t=\d*,[a-z0-9]*=[0-9a-f]*", fullmatch=True)))
def test_whatever_stands_in_the_header_is_refused_with_a_reason(header: str | bytes | None) -> None:
    refused = refusal(BODY, header)
    assert refused.reason in get_args(Reason)
    assert refused.what
    assert sign(BODY, SECRET, NOW)[-64:] not in refused.what


@pytest.mark.parametrize(
    ("header", "reason", "part"),
    [
        (None, "missing", "no x-langfuse-signature"),
        ("", "missing", "no x-langfuse-signature"),
        ("t=1", "malformed", "1 part"),
        ("t=1,v1=a,v0=b", "malformed", "3 parts"),
        (f"v1={'a' * 64},t=1", "malformed", "first part"),
        (f"t,v1={'a' * 64}", "malformed", "first part"),
        (f"t=,v1={'a' * 64}", "malformed", "timestamp"),
        (f"t=-1,v1={'a' * 64}", "malformed", "timestamp"),
        (f"t=1.5,v1={'a' * 64}", "malformed", "timestamp"),
        (f"t= 1,v1={'a' * 64}", "malformed", "timestamp"),
        (f"t={'9' * 13},v1={'a' * 64}", "malformed", "timestamp"),
        (f"t=1,{'a' * 64}", "malformed", "second part"),
        (f"t=1,={'a' * 64}", "malformed", "second part"),
        (f"t=1, v1={'a' * 64}", "malformed", "second part"),
        ("t=1,v1=", "malformed", "64 hexadecimal"),
        (f"t=1,v1={'a' * 63}", "malformed", "64 hexadecimal"),
        (f"t=1,v1={'A' * 64}", "malformed", "64 hexadecimal"),
        (f"t=1,v1={'a' * 64}\n", "malformed", "64 hexadecimal"),
        (f"t=1,v1={'٣' * 64}", "malformed", "not ASCII"),
        (b"t=1,v1=\xff", "malformed", "not ASCII"),
        ("t=1,v1=\ud800", "malformed", "not ASCII"),
        (f"t=1,v1={'a' * 64}", "mismatch", "no secret"),
    ],
)
def test_the_part_that_is_wrong_is_named(header: str | bytes | None, reason: Reason, part: str) -> None:
    refused = refusal(BODY, header)
    assert refused.reason == reason
    assert part in refused.what


def test_an_age_beyond_the_tolerance_is_told_to_who_knows_the_secret() -> None:
    late = refusal(BODY, sign(BODY, SECRET, NOW - timedelta(seconds=301)))
    assert (late.reason, late.skew) == ("stale", timedelta(seconds=301))
    early = refusal(BODY, sign(BODY, SECRET, NOW + timedelta(seconds=301)))
    assert (early.reason, early.skew) == ("future", timedelta(seconds=-301))
    stranger = refusal(BODY, sign(BODY, "a guess", NOW - timedelta(days=1)))
    assert (stranger.reason, stranger.skew) == ("mismatch", None)


@given(st.lists(secrets, min_size=1, max_size=3, unique=True), secrets)
def test_every_mismatch_reads_the_same(several: list[str], guess: str) -> None:
    """Not even how many secrets there are, or which one nearly fits, shows in the answer."""
    if guess not in several:
        refused = refusal(BODY, sign(BODY, guess, NOW), source(*several))
        assert str(refused) == "it matches no secret of this source"
        assert refused.looks_signed
