"""Secrets that are written where they are stored and shown."""

from collections.abc import Iterator, Mapping
from typing import Final

from router.engine.rulesfile import RulesFile
from router.engine.rulesfile.expand import HOLE
from router.engine.rulesfile.positions import Path
from router.engine.rulesfile.secrecy import looks_secret

_STORED: Final = (
    "looks like a secret, and what stands here is stored with the rules and shown to everybody who may see them; "
    "put it into the destination, as ${NAME} or ${file:PATH}"
)


def written_secrets(file: RulesFile) -> Iterator[tuple[Path, str]]:
    """Yield the secrets spelled out in `[vars]`, named actions and rules.

    Sources and destinations are looked at when they are read.
    """
    places: list[Path] = [("vars",), ("actions",), *(("rules", rule.index) for rule in file.rules)]
    for path in places:
        for found in _spelled_out(path, file.merged.table(path)):
            yield found, _STORED


def _spelled_out(path: Path, value: object) -> Iterator[Path]:
    match value:
        case str():
            if HOLE not in value and looks_secret(path[-1], value):
                yield path
        case Mapping():
            for key, inner in value.items():
                yield from _spelled_out((*path, key), inner)
        case list():
            for index, inner in enumerate(value):
                yield from _spelled_out((*path, index), inner)
