"""Each floor imports only from itself and the floors before it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import router

FLOORS = ("domain", "engine", "langfuse", "storage", "delivery", "service", "cli")
ROOT = Path(router.__file__).parent


def imported_floors(module: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.ImportFrom(module=str(name), level=0):
                names = [name]
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.ImportFrom(level=level) if level > 0:
                raise AssertionError(f"{module}:{node.lineno}: write the import in full")
            case _:
                continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "router" and len(parts) > 1:
                yield node.lineno, parts[1]


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_downward(floor: str) -> None:
    allowed = FLOORS[: FLOORS.index(floor) + 1]
    for module in (ROOT / floor).rglob("*.py"):
        for line, used in imported_floors(module):
            assert used in allowed, f"{module.relative_to(ROOT.parent)}:{line}: {floor} imports from {used}"


def test_every_module_stands_on_a_floor() -> None:
    for module in ROOT.rglob("*.py"):
        place = module.relative_to(ROOT).parts
        assert len(place) == 1 or place[0] in FLOORS, module
