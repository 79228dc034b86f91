"""Rules and bodies in, the whole plan out: `dry-run --format json` against files that were looked at.

To write them anew after a change that is meant: ROUTER_WRITE_GOLDEN=1 pytest tests/test_golden.py, then read the diff.
"""

import os
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.running import command

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_the_one_on_file(case: str) -> None:
    folder = GOLDEN / case
    previous = [f"--previous={path.name}" for path in sorted(folder.glob("previous-*.json"))]
    rules = "rules.toml" if (folder / "rules.toml").exists() else "../rules.toml"
    ran = command(
        "dry-run", "body.json", "--rules", rules, *previous, "--at", "2026-11-24T10:00:02Z", "--format", "json",
        folder=folder,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    expected = folder / "expected.json"
    if os.environ.get("ROUTER_WRITE_GOLDEN"):
        expected.write_text(ran.stdout)
    assert msgspec.json.decode(ran.stdout) == msgspec.json.decode(expected.read_bytes())
