"""Whether the store can keep what comes: reachable, writable, of this program's schema, with room on the disk."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from router.service.doctor.case import Case
from router.service.doctor.finding import Finding, Level
from router.storage.database import shown_url, sqlite_file
from router.storage.errors import StoreError

LITTLE: Final = 2**30
TOO_LITTLE: Final = 100 * 2**20
"""Bytes left on the disk of a SQLite store."""

_RIGHTS: Final = "give the user of the service the right to write there"


async def store(case: Case) -> list[Finding]:
    """Return how the store is."""
    place = case.place("store", "url")
    file = sqlite_file(case.url)
    if file is not None and file.parent.is_dir():
        if not os.access(file.parent, os.W_OK):
            return [Finding(level="fault", where="store", place=place, what=f"{file.parent}: no right", fix=_RIGHTS)]
        if not file.exists():
            there = Finding(level="ok", where="store", what=f"{file}: none yet, `serve` makes it")
            return [there, *_room(file.parent)]
    try:
        found = await case.store()
        assert found is not None
        await asyncio.to_thread(found.check_writable)
        schema = await asyncio.to_thread(found.schema_version)
    except StoreError as error:
        return [Finding(level="fault", where="store", place=place, what=str(error))]
    fine = Finding(level="ok", where="store", what=f"{file or shown_url(case.url)}: takes writes, schema {schema}")
    return [fine, *(() if file is None else _room(file.parent))]


def _room(folder: Path) -> list[Finding]:
    free = shutil.disk_usage(folder).free
    left = f"{free / 2**30:,.1f} GiB left on the disk of {folder.resolve()}"
    if free >= LITTLE:
        return [Finding(level="ok", where="store", what=left)]
    level: Level = "fault" if free < TOO_LITTLE else "warning"
    return [Finding(level=level, where="store", what=left, fix="make room, or shorten [store] retention")]
