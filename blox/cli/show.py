"""`blox show`: a model as a tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blox.cli.output import existing, say, usage
from blox.cli.validate import HUB
from blox.show.printable import printable

if TYPE_CHECKING:
    from blox.schema import Graph


def show(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A model folder, a graph.json or graph.msgpack, a single "
            ".safetensors file, hf://owner/name.",
            show_default=False,
        ),
    ],
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            min=0,
            metavar="N",
            help="Levels to show: 0 the totals, 1 the nodes of the entries.",
            show_default=False,
        ),
    ] = None,
    dim: Annotated[
        list[str] | None,
        typer.Option(
            "--dim",
            metavar="NAME=SIZE",
            help="A size to count at, such as batch=1. Repeatable.",
            show_default=False,
        ),
    ] = None,
    mermaid: Annotated[
        bool,
        typer.Option("--mermaid", help="Print a picture in the language of Mermaid."),
    ] = False,
    dot: Annotated[
        bool, typer.Option("--dot", help="Print a picture in the language of Graphviz.")
    ] = False,
) -> None:
    """Shows a model as a tree, with shapes, parameter counts, bytes and FLOPs.

    A node has the shape that it gives, dims by name, `?` where calls of its function
    differ. FLOPs are of one call of the entry: a number where `--dim` gives all sizes, else
    in terms of them. Of the weights only the headers are read, for the types of the arrays;
    without weights the model's floating type counts as float32. Arrays that an earlier line
    has counted are `shared`.

    Examples:
        blox show model
        blox show model/graph.json --depth 1 --dim batch=1 --dim seq=128
        blox show model --dot | dot -Tsvg > model.svg
    """
    from blox.io.spec import read_graph
    from blox.show.summary import summarise

    if not path.startswith(HUB):
        existing(path)
    dims = _sizes(dim or [])
    _one_of({"--depth": depth is not None, "--mermaid": mermaid, "--dot": dot})
    graph = read_graph(path)
    graph.program()
    if mermaid or dot:
        say(_picture(graph, dims, mermaid=mermaid))
        return
    say(str(summarise(graph, _dtypes(path, graph), depth=depth, dims=dims)))


def _one_of(options: dict[str, bool]) -> None:
    """Refuses options that ask for different outputs."""
    given = [name for name, is_given in options.items() if is_given]
    if len(given) > 1:
        usage(f"expected one of {', '.join(options)}, found {' and '.join(given)}")


def _picture(graph: Graph, dims: dict[str, int], *, mermaid: bool) -> str:
    from blox.show.diagram import parts
    from blox.show.dot import dot_text
    from blox.show.mermaid import mermaid_text

    return (mermaid_text if mermaid else dot_text)(parts(graph, dims))


def _sizes(given: list[str]) -> dict[str, int]:
    """The sizes that options give, by dim."""
    sizes: dict[str, int] = {}
    for text in given:
        name, sign, size = text.partition("=")
        if not sign or not size.isdecimal() or len(size) > 10 or name in sizes:
            found = printable(text, 40)
            usage(f"expected each dim once, as --dim batch=1, found --dim {found}")
        sizes[name] = int(size)
    return sizes


def _dtypes(path: str, graph: Graph) -> dict[str, str]:
    """The dtypes of the arrays by graph path, from the headers of weights that fit."""
    place = Path(path)
    single = place.is_file() and place.name.endswith(".safetensors")
    if not single and not any(place.glob("params*.safetensors*")):
        return {}
    from blox.io.match import fit
    from blox.schema import WeightsError
    from blox.weights import read_headers

    try:
        headers = read_headers(place)
    except WeightsError as error:
        note = printable(str(error).partition("\n")[0])
        say(f"blox: the weights are left out: {note}", err=True)
        return {}
    return {
        leaf: headers.tensors[pieces[0].name].dtype
        for leaf, pieces in fit(headers, graph, x64=True).pieces.items()
        if pieces and pieces[0].name in headers.tensors
    }


COMMANDS: dict[str, Callable[..., None]] = {"show": show}
