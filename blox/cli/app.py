"""The commands by name. The module of one is imported when it is wanted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from blox.cli.output import (
    FINDINGS,
    error_lines,
    platform_fault,
    say,
    tolerant_streams,
)
from blox.show.printable import printable

COMMANDS = {
    "demo": "demo",
    "validate": "validate",
    "show": "show",
    "codegen": "codegen",
    "init": "init",
    "import": "transfer",
    "export": "transfer",
    "edit": "edit",
    "generate-text": "generate_text",
    "verify": "verify",
    "fmt": "fmt",
}
"""Commands in the order of the help, with the module of `blox.cli` that holds each."""

OPTIONS: dict[str, Any] = {
    # Plain text: rich's help would be imported at every call, and reads as well.
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LazyGroup(TyperGroup):
    """Knows its commands by name, and makes one when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        unmade: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = unmade  # what helps and suggestions list

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"blox.cli.{COMMANDS[cmd_name]}")
        commands: dict[str, Any] = module.COMMANDS
        return command(cmd_name, commands[cmd_name])

    def invoke(self, ctx: Any) -> Any:
        from blox.schema import BloxError

        tolerant_streams()
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _say_warning
                return super().invoke(ctx)
        except (BloxError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            for line in error_lines(error):
                say(f"blox: {printable(line)}", err=True)
            raise typer.Exit(FINDINGS) from None
        except (RuntimeError, AssertionError):
            # What JAX raises where the platform is not there depends on the platform.
            if (fault := platform_fault()) is None:
                raise
            say(f"blox: {printable(fault)}", err=True)
            raise typer.Exit(FINDINGS) from None


def _say_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A line without the place in Python where it came up."""
    say(f"blox: warning: {printable(str(message))}", err=True)


def command(name: str, function: Callable[..., None] | typer.Typer) -> Any:
    """The command that typer makes of a function, or of the group that it is."""
    if isinstance(function, typer.Typer):
        made = get_command(function)
    else:
        text, _, examples = (function.__doc__ or "").partition("\n    Examples:\n")
        single = typer.Typer(**{**OPTIONS, "no_args_is_help": False})
        single.command(name, help=text, epilog=example_text(examples))(function)
        made = get_command(single)
    made.name = name
    return made


def example_text(text: str) -> str:
    """The examples of a docstring as a paragraph that keeps its lines."""
    lines = [
        line[8:] if line.startswith(" " * 8) else line for line in text.split("\n")
    ]
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines if line.strip())


def _version(wanted: bool) -> None:
    if wanted:
        from blox.schema.version import __version__

        say(f"blox {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    epilog=example_text(
        """
        blox demo                        see all of it in a few seconds
        blox validate model              is a model sound?
        blox COMMAND --help              examples of a command
        """
    ),
    **OPTIONS,
)


@app.callback()
def blox(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show it."),
    ] = False,
) -> None:
    """Neural networks as files: a spec, weights, and the JAX code of both.

    Exit codes: 0 fine, 1 findings or a failure, 2 wrong usage.
    """
