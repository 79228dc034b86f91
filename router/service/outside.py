"""The world that a rules file may refer to: environment variables and files."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from router.engine.rulesfile.document import MAX_BYTES


class Disk:
    """The environment and the files of this machine, as `router.engine.rulesfile.Outside` wants them.

    `seen`: every file that was asked for, whether it was there or not.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment: Mapping[str, str] = os.environ if environment is None else environment
        self.seen: set[Path] = set()

    def read(self, path: str) -> str:
        self.seen.add(Path(path).absolute())
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)  # whoever names a device by mistake must not fill the memory
        if len(text) > MAX_BYTES:
            raise OSError(errno.EFBIG, "larger than 50 MB; nobody wrote that by hand")
        return text

    def glob(self, pattern: str) -> list[str]:
        """Return the files, sorted; never hidden ones (editors and ConfigMaps leave such behind)."""
        self.seen.add(Path(pattern).absolute())
        anchor = Path(pattern).anchor or "."
        relative = Path(pattern).relative_to(anchor) if Path(pattern).anchor else Path(pattern)
        return sorted(
            str(path) for path in Path(anchor).glob(str(relative)) if path.is_file() and not path.name.startswith(".")
        )
