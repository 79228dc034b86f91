"""`schema`: the rules file for editors."""

import rich_click as click

from router.cli.options import print_json
from router.engine.rulesfile.schema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of the rules file, for editors that complete and check TOML."""
    print_json(json_schema())
