"""`sample`: a webhook body as Langfuse sends it, to try rules on."""

from pathlib import Path

import msgspec
import rich_click as click

from router.cli.options import print_json
from router.langfuse.samples import KINDS, history
from router.langfuse.samples import sample as sample_body


@click.command(
    help="Print a webhook body: what Langfuse sends when KIND happens.\n\n"
    f"KIND is {', '.join(KINDS[:-1])} or {KINDS[-1]}."
)
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.option(
    "--history",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also write the bodies that came before into this folder, for `dry-run --previous`.",
)
def sample(kind: str, folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, body in enumerate(history(kind), start=1):
            path = folder / f"{kind}-{number}.json"
            path.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
            click.echo(f"wrote {path}", err=True)
    print_json(sample_body(kind))
