"""`blox import`, `blox export`: checkpoints of transformers, in and out; models of JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from blox.cli.app import OPTIONS, example_text
from blox.cli.from_jax import EXAMPLES, import_jax
from blox.cli.init import WEIGHTS
from blox.cli.output import existing, place, say, usage
from blox.cli.writing import Target, keep_apart
from blox.show.printable import printable

CHECKPOINT = ("config.json", "model*.safetensors", "model*.safetensors.index.json")

importing = typer.Typer(
    help="Makes a model of another library's checkpoint, or of a program.", **OPTIONS
)
exporting = typer.Typer(
    help="Writes a model as another library's checkpoint.", **OPTIONS
)


@importing.callback()
@exporting.callback()
def _group() -> None:
    """Keeps these groups, with one command each."""


@importing.command(
    "hf",
    epilog=example_text(
        """
        blox import hf all-MiniLM-L6-v2 minilm
        blox show minilm --depth 1
        """
    ),
)
def import_hf(
    src: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A folder with config.json and model.safetensors.",
            show_default=False,
        ),
    ],
    dst: Target,
    architecture: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="A class of transformers, for another than the one of SRC.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="A field of the config that is not known, and changes nothing.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the model that is in DST.")
    ] = False,
) -> None:
    """Imports a checkpoint of transformers or sentence-transformers.

    Nothing in SRC is executed. Inputs and outputs keep their names. Tokenizer, processor
    and settings are kept as they are, in DST/source.
    """
    source, target = existing(src), place(dst)
    if not source.is_dir():
        usage(f"{src}: expected the folder of a checkpoint, found a file")
    keep_apart(target, (*WEIGHTS, "graph.json", "graph.msgpack"), force)
    from blox.importers.hf import from_hf
    from blox.io.save import save

    graph, params = from_hf(source, architecture=architecture, ignore=ignore or ())
    save(dst, graph, params, source=None if target.suffix == ".safetensors" else source)
    shown = printable(dst)
    say(f"{shown}: written, entries {', '.join(graph.entries)}")
    say(f"next: blox show {shown} --depth 1")


importing.command("jax", epilog=example_text(EXAMPLES))(import_jax)


@exporting.command(
    "hf",
    epilog=example_text(
        """
        blox export hf minilm checkpoint
        """
    ),
)
def export_hf(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model folder or a single .safetensors file.",
            show_default=False,
        ),
    ],
    dst: Annotated[
        str,
        typer.Argument(metavar="DST", help="The folder to write.", show_default=False),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the checkpoint that is in DST.")
    ] = False,
) -> None:
    """Exports a model as a checkpoint that transformers loads, bit for bit.

    For models that compute what `import hf` makes, of any size. Tokenizer, processor and
    settings are those that `import hf` kept.
    """
    existing(model)
    target = place(dst)
    if target.exists() and not target.is_dir():
        usage(f"{dst}: expected a folder, found a file")
    keep_apart(target, CHECKPOINT, force)
    from blox.importers.hf import to_hf
    from blox.io.load import load

    graph, params = load(model)
    kept = existing(model) / "source"
    to_hf(dst, graph, params, source=kept if kept.is_dir() else None)
    say(f"{printable(dst)}: written")


COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "import": importing,
    "export": exporting,
}
