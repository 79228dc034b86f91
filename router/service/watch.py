"""`--watch`: reload when the files of the ruleset have been still for a second.

Folders are watched, not files: editors and Kubernetes ConfigMaps put another file in the place of the old one.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import watchfiles

from router.service.outside import Disk

STILL_MS: Final = 1_000
LONGEST_MS: Final = 30_000
"""A file that never comes to rest is read all the same."""

LOOK_AGAIN_MS: Final = 60_000
"""How often the folders to watch are worked out anew: a reload may have brought others."""


async def watch(disk: Disk, reload: Callable[[], object], stop: asyncio.Event) -> None:
    """Call `reload` after each change to a file that was read through `disk`, or beside one."""
    while not stop.is_set():
        folders = {path.parent for path in disk.seen if path.parent.is_dir()}
        async for changed in watchfiles.awatch(
            *folders,
            watch_filter=lambda _, path: _belongs(Path(path), disk.seen),
            step=STILL_MS,
            debounce=LONGEST_MS,
            rust_timeout=LOOK_AGAIN_MS,
            yield_on_timeout=True,
            recursive=False,
            stop_event=stop,
        ):
            if changed:
                reload()
            break


def _belongs(path: Path, seen: set[Path]) -> bool:
    """A ConfigMap's swap shows as `..data`; a TOML file beside the others may have become part of the ruleset."""
    return path in seen or path.name == "..data" or path.suffix == ".toml"
