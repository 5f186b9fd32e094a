"""`blox init`: new parameters for a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from blox.cli.output import existing, fail, place, say
from blox.cli.writing import Target, keep_apart
from blox.show.printable import printable

WEIGHTS = ("params*.safetensors", "params*.safetensors.index.json")


def init(
    graph: Annotated[
        str,
        typer.Argument(
            metavar="GRAPH",
            help="A graph.json or graph.msgpack, or a model folder.",
            show_default=False,
        ),
    ],
    dst: Target,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of the key.")
    ] = 0,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"],
        typer.Option(help="The model's floating type."),
    ] = "float32",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the weights that are in DST.")
    ] = False,
) -> None:
    """Makes new parameters for a spec, as its initialisers say, and saves the model.

    The same seed gives the same parameters. Weights that are in DST already stay,
    unless you say --force.

    Examples:
        blox init graph.json model
        blox init graph.json model --seed 1 --dtype bfloat16
        blox init graph.json model.safetensors
    """
    from blox.io.spec import read_graph

    existing(graph)
    target = place(dst)
    keep_apart(target, WEIGHTS, force)
    spec = read_graph(graph)
    spec.program()
    old = target / "graph.json"
    if old.is_file() and not force and read_graph(target).digest != spec.digest:
        fail(f"{dst}: holds another Graph; choose another folder, or say --force")
    import jax

    from blox.io.save import save
    from blox.runtime.params import init as init_params

    params = init_params(spec, jax.random.key(seed), dtype=dtype)
    save(dst, spec, params)
    say(f"{printable(dst)}: written; next: blox show {printable(dst)}")


COMMANDS: dict[str, Callable[..., None]] = {"init": init}
