"""`test`: rule tests, their coverage, and their result for CI."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import rich_click as click

from router.cli.options import Format, format_option, print_json
from router.cli.words import clause_lines
from router.service.outside import Disk
from router.service.ruletests import Result, coverage_of, read_tests, run


@click.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False))
@click.option("--rules", "rules_path", metavar="FILE", help="Test these rules instead of those that the files name.")
@click.option(
    "--coverage", "with_coverage", is_flag=True, help="Say which rules and clauses no test has seen both ways."
)
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit 1 below this coverage.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write the result as JUnit XML.")
@format_option
def test(
    files: tuple[str, ...],
    rules_path: str | None,
    with_coverage: bool,
    fail_under: float | None,
    junit: Path | None,
    format_: Format,
) -> None:
    """Run rule tests: which event must make which messages, through the real plan.

    FILES are all *.test.toml of this folder where none are given.
    """
    paths = files or tuple(sorted(str(path) for path in Path().glob("*.test.toml")))
    if not paths:
        raise click.UsageError("no *.test.toml here; name the files to run")
    read = [read_tests(path, Disk(), rules=rules_path) for path in paths]
    results = {file.path: list(run(file)) for file in read}
    flat = [result for found in results.values() for result in found]
    if junit is not None:
        junit.write_bytes(_junit(results))
    gaps = [(file, coverage_of(file, results[file.path])) for file in read]
    short = fail_under is not None and any(coverage.percent < fail_under for _, coverage in gaps)
    failed = [result for result in flat if result.failures]
    if format_ == "json":
        print_json(
            {
                "tests": [_as_json(result) for result in flat],
                "coverage": [
                    {"file": file.path, "percent": round(coverage.percent, 1), "gaps": list(coverage.gaps())}
                    for file, coverage in gaps
                ],
            }
        )
    else:
        for result in flat:
            _print(result)
        if with_coverage or short:
            for file, coverage in gaps:
                # rounded down: with a gap it is never 100
                click.echo(f"{file.path}: {int(coverage.percent)} % of what rules and clauses can answer was seen")
                for gap in coverage.gaps():
                    click.echo(f"  {gap}")
        click.echo(f"{len(flat) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or short else 0)


def _print(result: Result) -> None:
    mark, colour = ("✗", "red") if result.failures else ("✓", "green")
    click.secho(f"{mark} {result.test.name}", fg=colour)
    if not result.failures:
        return
    click.echo(f"  {result.test.place}")
    for failure in result.failures:
        for line in failure.splitlines():
            click.echo(f"  {line}")
    for verdict in result.near:
        click.echo(f"  rule {verdict.rule}: {verdict.verdict}")
        for clause in verdict.clauses:
            for line in clause_lines(clause, indent="    "):
                click.echo(line)


def _as_json(result: Result) -> dict[str, object]:
    return {
        "file": result.file,
        "line": result.test.place.line,
        "name": result.test.name,
        "passed": not result.failures,
        "failures": result.failures,
    }


def _junit(results: dict[str, list[Result]]) -> bytes:
    """https://github.com/testmoapp/junitxml: one suite a file."""
    suites = ET.Element("testsuites", name="langfuse-router")
    for path, found in results.items():
        failed = sum(bool(result.failures) for result in found)
        suite = ET.SubElement(suites, "testsuite", name=path, tests=str(len(found)), failures=str(failed))
        for result in found:
            line = str(result.test.place.line)
            case = ET.SubElement(suite, "testcase", name=_xml(result.test.name), classname=path, file=path, line=line)
            if result.failures:
                text = "\n".join(result.failures)
                ET.SubElement(case, "failure", message=_xml(text.splitlines()[0])).text = _xml(text)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _xml(text: str) -> str:
    """XML 1.0 has no control characters, and a prompt may."""
    return "".join(character if character >= " " or character in "\n\t" else "�" for character in text)
