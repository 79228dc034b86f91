"""What the tests of the real command share: a receiver, and a PostgreSQL server with an empty database."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.receivers import Receiver
from tests.postgres import Server, running_server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    """The URL of an empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS router WITH (FORCE)")
        connection.execute("CREATE DATABASE router")
    return f"{server.url.removesuffix('/postgres')}/router"
