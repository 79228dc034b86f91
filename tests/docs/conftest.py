"""What the tests of the documentation share with those of the real command."""

from tests.acceptance.conftest import database, server
from tests.acceptance.test_upgrades import next_release

__all__ = ["database", "next_release", "server"]
