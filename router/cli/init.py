"""`init`: a first rules file."""

from pathlib import Path
from typing import Final

import rich_click as click

RULES: Final = """\
# langfuse-router. Check this file: `langfuse-router check`.
# Try it:  langfuse-router sample promoted | langfuse-router dry-run -

[server]
host = "0.0.0.0"                                   # Langfuse must reach it: see the notes that `init` printed
port = 8787

[store]
url = "sqlite:///router.db"

[sources.prod]                                     # Langfuse posts to /webhooks/prod
secret = "${LANGFUSE_WEBHOOK_SECRET}"
# project_url = "https://cloud.langfuse.com"       # for links to the prompt in messages

[destinations.journal]                             # a line in the router's own log
type = "log"

# [destinations.team]
# type = "slack"
# webhook_url = "${SLACK_WEBHOOK_URL}"

[[rules]]
name = "everything"
description = "Every change that somebody made to a prompt."
actions = [{ to = "journal" }]

# [[rules]]
# name = "production-moved"
# match = { labels_gained = "production" }
# actions = [{ to = "team" }]
"""

ENVIRONMENT: Final = """\
# Copy to .env and fill in; load it with `set -a; . ./.env; set +a` before `langfuse-router serve`.
# Langfuse shows this secret once, when the webhook is made (lf-whsec_…).
LANGFUSE_WEBHOOK_SECRET=
# SLACK_WEBHOOK_URL=https://hooks.slack.com/services/…
"""


@click.command()
@click.argument("folder", default=".", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a first rules.toml and .env.example into DIR, and say what to enter in Langfuse."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("rules.toml", RULES), (".env.example", ENVIRONMENT)):
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise click.ClickException(f"{path} exists already; nothing was overwritten") from None
        click.echo(f"wrote {path}")
    click.echo(
        """
Next:
  1. In Langfuse: Prompts → Automations → new webhook, URL  https://YOUR-HOST/webhooks/prod
     Langfuse calls only ports 80 and 443, and no private address unless its operator allows it
     (LANGFUSE_WEBHOOK_WHITELISTED_HOST): put a reverse proxy with TLS in front of port 8787.
  2. Langfuse shows the secret once: export LANGFUSE_WEBHOOK_SECRET=lf-whsec_…
  3. langfuse-router check && langfuse-router serve
     Without a Langfuse at hand:
     langfuse-router simulate working-day --secret "$LANGFUSE_WEBHOOK_SECRET" \\
       --url http://127.0.0.1:8787/webhooks/prod"""
    )
