"""`blox verify`: are the bytes those that were saved, the numbers those promised?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from blox.cli.output import FINDINGS, existing, say
from blox.cli.reports import FileReport, as_text
from blox.cli.validate import HUB


def verify(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model folder, a single .safetensors file, hf://owner/name.",
            show_default=False,
        ),
    ],
) -> None:
    """Reads all weights, compares their checksums, and runs the model's examples.

    The examples, in examples.safetensors, are inputs with the outputs that the model
    must give, and a tolerance.

    Examples:
        blox verify model
    """
    from blox.io.verify import verify

    if not model.startswith(HUB):
        existing(model)
    report = FileReport(model, list(verify(model)))
    say(as_text([report]))
    if not report.fine(strict=False):
        raise typer.Exit(FINDINGS)


COMMANDS: dict[str, Callable[..., None]] = {"verify": verify}
