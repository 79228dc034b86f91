"""The program of a later release: a copy of this one with one migration more, to be run with `env`."""

import shutil
from pathlib import Path
from typing import Final

import router
from router.storage.database import SCHEMA

_MAJOR, _MINOR = (int(number) for number in SCHEMA.split("."))
NEXT: Final = f"{_MAJOR}.{_MINOR + 1}"
"""A schema that only adds."""
NEXT_MAJOR: Final = f"{_MAJOR + 1}.0"
"""A schema that this program cannot work with."""

MIGRATION: Final = """
import sqlalchemy as sa
from alembic import op

revision = "VERSION"
down_revision = "PRESENT"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("note", sa.Text()))
    op.add_column("events", sa.Column("note", sa.Text()))
    op.create_index("deliveries_note", "deliveries", ["note"])
    notes = op.create_table("notes", sa.Column("text", sa.Text(), nullable=False))
    op.bulk_insert(notes, [{"text": "migrated"}])
"""


def later(folder: Path, version: str) -> dict[str, str]:
    """Make a program in an empty folder whose schema is `version`; return the environment in which Python finds it.

    It notes on every delivery that it makes which program made it.
    """
    package = folder / "router"
    shutil.copytree(Path(router.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    _replace(package / "storage/database.py", f'SCHEMA: Final = "{SCHEMA}"', f'SCHEMA: Final = "{version}"')
    tables = package / "storage/tables.py"
    _replace(
        tables,
        '    Column("again", ',
        '    Column("note", Words, index=True),\n    Column("again", ',
    )
    written = '            "again": delivery.again,\n'
    _replace(package / "storage/deliveries.py", written, f'{written}            "note": "{version}",\n')
    (package / "storage/migrations/versions" / f"v{version.replace('.', '_')}_notes.py").write_text(
        MIGRATION.replace("VERSION", version).replace("PRESENT", SCHEMA)
    )
    return {"PYTHONPATH": str(folder)}


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file} changed: {old}"
    file.write_text(text.replace(old, new))
