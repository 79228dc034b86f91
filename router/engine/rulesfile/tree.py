"""A tree of templates in a file of its own, JSON or TOML."""

from pathlib import PurePath

import msgspec
import tomli

from router.domain.json import Json
from router.engine.rulesfile.document import MAX_BYTES, too_deep


class Broken(ValueError):
    """The file does not hold what it should; the text says why."""


def tree_of(name: str, text: str) -> Json:
    """Return the JSON or TOML tree in a file. Raises Broken."""
    if len(text) > MAX_BYTES:
        raise Broken("larger than 50 MB")
    try:
        match PurePath(name).suffix:
            case ".json":
                tree: Json = msgspec.json.decode(text)
            case ".toml":
                tree = tomli.loads(text)
            case _:
                raise Broken("expected a .json or .toml file")
    except (msgspec.DecodeError, tomli.TOMLDecodeError, RecursionError) as error:
        raise Broken(f"not {PurePath(name).suffix[1:].upper()}: {error}") from error
    if too_deep(tree):
        raise Broken("nested too deeply")
    return tree
