"""`blox codegen`: a model as one file of Python that needs no blox."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Literal, TypeAlias

import typer

from blox.cli.output import existing, fail, place, say, usage
from blox.cli.validate import HUB
from blox.cli.writing import write_atomically
from blox.show.printable import printable

Target: TypeAlias = Literal["equinox", "nnx"]
MAX_DIFF = 200
"""Lines of a diff that are shown."""


def codegen(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model folder, a graph.json, a single .safetensors file, "
            "hf://owner/name.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; - is stdout."
        ),
    ] = "-",
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; exit 1 with a diff if it is stale."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace FILE, whatever it holds.")
    ] = False,
    no_init: Annotated[
        bool,
        typer.Option(
            "--no-init", help="Leave out init_params: what only new parameters need."
        ),
    ] = False,
    target: Annotated[
        Target | None,
        typer.Option(
            "--target",
            help="Classes of a library (Flax NNX, Equinox) in place of functions.",
        ),
    ] = None,
) -> None:
    """Writes a model as one file of Python that needs JAX, and no blox.

    The weights are not in it: its `load_params` reads the model folder. It is one-way:
    a file that you have edited is your own. So a FILE that holds anything else than
    what would be written is replaced only with --force; --check shows how they differ.

    With --target it has the classes of a library instead, whose paths are those of the
    weights, and `load` in place of `load_params`.

    Examples:
        blox codegen model -o model.py
        blox codegen model -o model.py --check
        blox codegen model --no-init | less
        blox codegen model --target nnx -o model.py
    """
    if output == "-" and (check or force):
        usage("expected --output FILE along with --check or --force")
    if target is not None and no_init:
        usage("expected no --no-init with --target: constructors draw arrays")
    import blox as bx
    from blox.io.spec import read_graph

    if not model.startswith(HUB):
        existing(model)
    source = bx.generate(read_graph(model), init=not no_init, target=target)
    if output == "-":
        sys.stdout.write(source)
        return
    file = place(output)
    if file.exists() and not file.is_file():
        found = "a folder" if file.is_dir() else "something else"
        usage(f"{output}: expected a file, found {found}")
    old = file.read_bytes() if file.exists() else None
    new = source.encode()
    if old == new:
        say(f"{printable(output)}: up to date")
    elif check:
        say(_diff(old, source, output))
        hint = "" if old is None else " --force"
        options = ["--no-init"] if no_init else []
        options += [] if target is None else ["--target", target]
        command = shlex.join(["blox", "codegen", model, "-o", output, *options])
        fail(f"{output}: stale; write it with: {command}{hint}")
    elif old is not None and not force:
        fail(
            f"{output}: holds something else, maybe your edits; --check shows the "
            "difference, --force replaces it"
        )
    else:
        if not file.parent.is_dir():
            usage(f"{output}: expected a folder to write to, found none")
        write_atomically(file, new)
        say(f"{printable(output)}: written, {source.count(chr(10)):,} lines")


def _diff(old: bytes | None, new: str, name: str) -> str:
    before = [] if old is None else old.decode("utf-8", "replace").splitlines()
    lines = difflib.unified_diff(
        before, new.splitlines(), name, "as generated", lineterm=""
    )
    shown = [printable(line) for line in islice(lines, MAX_DIFF + 1)]
    if len(shown) > MAX_DIFF:
        shown[-1] = "... and more"
    return "\n".join(shown)


COMMANDS: dict[str, Callable[..., None]] = {"codegen": codegen}
