"""One Langfuse project's webhook, as the rules file describes it."""

from datetime import timedelta

from msgspec import Struct

from router.domain.text import Text


class Api(Struct, frozen=True, kw_only=True):
    """Langfuse's public API of the same project: for the baseline and for what was missed."""

    host: Text
    public_key: Text
    secret_key: Text
    every: timedelta = timedelta(minutes=5)
    allow_private: bool = False
    ca_file: str | None = None
    proxy: Text | None = None


class Source(Struct, frozen=True, kw_only=True):
    """`tolerance` None: the age of a signature is not checked. `expect_every` None: it may be silent for ever."""

    name: str
    secrets: tuple[Text, ...]
    tolerance: timedelta | None = timedelta(minutes=5)
    settle: timedelta = timedelta(seconds=2)
    pair: timedelta = timedelta(seconds=10)
    plain_signature: bool = False
    project_url: str | None = None
    expect_every: timedelta | None = None
    api: Api | None = None
