"""`check`: every fault of a rules file, with its place and remedy."""

import sys

import rich_click as click

from router.cli.options import Format, format_option, load_offline, print_json
from router.domain.counted import counted
from router.domain.ledger import Occurred
from router.domain.problem import Problem, RulesError
from router.engine.lint import lint
from router.storage.store import Store


@click.command()
@click.argument("rules_path", default="rules.toml", metavar="[FILE]")
@click.option("--strict", is_flag=True, help="Warnings make the exit status 1 as well.")
@click.option("--store", "store_url", metavar="URL", help="Also warn about labels and prompts never seen in it.")
@format_option
def check(rules_path: str, strict: bool, store_url: str | None, format_: Format) -> None:
    """Check a rules file: every fault with place and remedy, then warnings.

    Variables that are not set are warnings here and errors for `serve`.
    """
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    summary = ""
    try:
        loaded = load_offline(rules_path)
    except RulesError as error:
        problems = error.problems
    else:
        warnings = lint(loaded.file, loaded.ruleset, _occurred(store_url))
        ruleset = loaded.ruleset
        rules, sources = counted(len(ruleset.rules), "rule"), counted(len(ruleset.sources), "source")
        destinations = counted(len(ruleset.destinations), "destination")
        summary = f"{rules_path}: {rules}, {destinations}, {sources}; digest {ruleset.digest}"
    if format_ == "json":
        print_json(
            {
                "valid": not problems,
                "problems": list(map(_as_json, problems)),
                "warnings": list(map(_as_json, warnings)),
            }
        )
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        if problems:
            click.echo(counted(len(problems), "problem"), err=True)
        elif strict and warnings:
            click.echo(f"{counted(len(warnings), 'warning')}; --strict allows none", err=True)
        else:
            click.echo(f"ok: {summary}" + (f"; {counted(len(warnings), 'warning')}" if warnings else ""))
    sys.exit(1 if problems or (strict and warnings) else 0)


def _occurred(store_url: str | None) -> Occurred | None:
    if store_url is None:
        return None
    with Store.open(store_url) as store:
        return store.occurred()


def _as_json(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "path": problem.path,
        "what": problem.what,
    }
