"""`check`: every fault of a rules file, with its place and remedy."""

import sys

import rich_click as click

from router.cli.options import Format, format_option, load_offline, print_json
from router.domain.problem import Problem, RulesError
from router.engine.lint import lint


@click.command()
@click.argument("rules_path", default="rules.toml", metavar="[FILE]")
@click.option("--strict", is_flag=True, help="Warnings make the exit status 1 as well.")
@format_option
def check(rules_path: str, strict: bool, format_: Format) -> None:
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
        warnings = lint(loaded.file, loaded.ruleset)
        ruleset = loaded.ruleset
        summary = (
            f"{rules_path}: {_count(len(ruleset.rules), 'rule')}, {_count(len(ruleset.destinations), 'destination')}, "
            f"{_count(len(ruleset.sources), 'source')}; digest {ruleset.digest}"
        )
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
        click.echo(_count(len(problems), "problem") if problems else f"ok: {summary}", err=bool(problems))
    sys.exit(1 if problems or (strict and warnings) else 0)


def _as_json(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "path": problem.path,
        "what": problem.what,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
