"""`reload`: let the running service read its rules again."""

import rich_click as click

from router.cli.options import Format, format_option, print_json, rules_option, store_option, store_url_of
from router.domain.counted import counted
from router.domain.problem import RouterError
from router.service.control import Question, ask, socket_beside


@click.command()
@rules_option
@store_option
@format_option
def reload(rules_path: str, store_url: str | None, format_: Format) -> None:
    """Let the running service read its rules file again, all or nothing, and say how that went.

    It is asked through the control socket beside its SQLite store. Elsewhere send it SIGHUP.
    """
    path = socket_beside(store_url_of(store_url, rules_path))
    if path is None:
        raise RouterError("there is no control socket beside this store: send SIGHUP to the service")
    result = ask(path, Question(command="reload"))
    if format_ == "json":
        print_json(result)
    elif isinstance(result, dict):
        rules = counted(int(str(result.get("rules"))), "rule")
        click.echo(f"reloaded {result.get('file')}: {rules}, digest {result.get('digest')}")
