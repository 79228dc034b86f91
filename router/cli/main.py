"""The command line. Commands are imported when they are called: the framework alone takes a second to import."""

import importlib
import io
import sys
from typing import Final

import rich_click as click
from click.exceptions import NoArgsIsHelpError, NoSuchCommand

from router.domain.counted import counted
from router.domain.problem import RouterError, RulesError

COMMANDS: Final = {
    "check": "router.cli.check:check",
    "db": "router.cli.db:db",
    "deliveries": "router.cli.deliveries:deliveries",
    "demo": "router.cli.demo:demo",
    "doctor": "router.cli.doctor:doctor",
    "dry-run": "router.cli.dry_run:dry_run",
    "events": "router.cli.events:events",
    "explain": "router.cli.explain:explain",
    "init": "router.cli.init:init",
    "prompts": "router.cli.prompts:prompts",
    "reconcile": "router.cli.reconcile:reconcile",
    "reload": "router.cli.reload:reload",
    "sample": "router.cli.sample:sample",
    "schema": "router.cli.schema:schema",
    "send-test": "router.cli.send_test:send_test",
    "serve": "router.cli.serve:serve",
    "simulate": "router.cli.simulate:simulate",
    "test": "router.cli.test:test",
    "what-if": "router.cli.what_if:what_if",
}


class _Commands(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in COMMANDS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        raise NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)  # those that it is near to


@click.command_panel("Operate", commands=["doctor", "send-test", "reload", "reconcile", "db"])
@click.command_panel("Look and act", commands=["explain", "events", "deliveries", "prompts"])
@click.command_panel("Rules", commands=["check", "sample", "dry-run", "test", "what-if", "simulate", "schema"])
@click.command_panel("Begin", commands=["demo", "init", "serve"])
@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="langfuse-router")
def cli() -> None:
    """Routes Langfuse prompt events to Slack, HTTP, GitHub, e-mail and logs, as a TOML file says.

    Exit status: 0 fine, 1 the answer is no (invalid, unmatched, failed), 2 wrong usage.
    """


def main() -> None:
    """Run a command; what the user can act on is told in plain lines, never as a traceback or a box."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal can show an arrow
    try:
        sys.exit(cli(prog_name="langfuse-router", standalone_mode=False) or 0)
    except NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        click.echo(f"error: {error.format_message()}", err=True)
        if error.ctx is not None:
            click.echo(f"help: {error.ctx.command_path} --help", err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(1)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            sys.exit(130)
        click.echo("nothing was changed", err=True)
        sys.exit(1)
    except RulesError as error:
        click.echo(error, err=True)
        click.echo(counted(len(error.problems), "problem"), err=True)
        sys.exit(1)
    except RouterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        click.echo(f"error: {error.filename}: {error.strerror}", err=True)
        sys.exit(1)
