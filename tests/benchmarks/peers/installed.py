"""What of other programs is there."""

import shutil
from pathlib import Path

HERE = Path(__file__).parent


class NotInstalled(Exception):
    """A peer cannot be measured. Says what lacks, and how to get it."""


def program(name: str, package: str) -> str:
    """Return the path of a program, which Debian has in that package. Raises NotInstalled."""
    if found := shutil.which(name):
        return found
    raise NotInstalled(f"{name} is not installed: apt-get install {package}")
