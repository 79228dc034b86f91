"""`reload`: let the running service read its rules again."""

import rich_click as click

from router.cli.ask import ask_service
from router.cli.options import Format, format_option, print_json, rules_option, store_option
from router.domain.counted import counted
from router.service.control import Question


@click.command()
@rules_option
@store_option
@format_option
def reload(rules_path: str, store_url: str | None, format_: Format) -> None:
    """Let the running service read its rules file again, all or nothing, and say how that went.

    It is asked through the control socket beside its SQLite store, else through the admin API of [server].
    """
    result = ask_service(Question(command="reload"), rules_path, store_url, lambda _done, _of: None)
    if format_ == "json":
        print_json(result)
    elif isinstance(result, dict):
        rules = counted(int(str(result.get("rules"))), "rule")
        click.echo(f"reloaded {result.get('file')}: {rules}, digest {result.get('digest')}")
