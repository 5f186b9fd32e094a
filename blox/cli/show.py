"""`blox show`: a model as a tree, or as a page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blox.cli.output import existing, fail, place, say, usage
from blox.cli.validate import HUB
from blox.cli.writing import write_atomically
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
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page for browsers instead: tree, pictures, JSON, code; - is "
            "stdout.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace FILE, whatever it holds.")
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
        blox show model --html model.html
    """
    from blox.io.spec import read_graph
    from blox.show.summary import summarise

    if html is None and force:
        usage("expected --html FILE along with --force")
    if not path.startswith(HUB):
        existing(path)
    dims = _sizes(dim or [])
    wanted = {"--depth": depth is not None, "--mermaid": mermaid, "--dot": dot}
    _one_of({**wanted, "--html": html is not None})
    graph = read_graph(path)
    graph.program()
    if mermaid or dot:
        say(_picture(graph, dims, mermaid=mermaid))
    elif html is not None:
        _write_page(html, graph, _dtypes(path, graph), dims, force=force)
    else:
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
        if not sign or not size.isdecimal() or len(size) > 10:
            found = printable(text, 40)
            usage(f"expected a dim and its size, as --dim batch=1, found --dim {found}")
        if name in sizes:
            usage(f"expected each dim once, found {printable(name, 40)} twice")
        sizes[name] = int(size)
    return sizes


def _write_page(
    name: str,
    graph: Graph,
    dtypes: dict[str, str],
    dims: dict[str, int],
    *,
    force: bool,
) -> None:
    """Writes the page of a model; what is no such page is replaced only with `force`."""
    from blox.show.page.html import is_page, page

    if name == "-":
        sys.stdout.write(page(graph, dtypes, dims))
        return
    file = place(name)
    if file.exists() and not file.is_file():
        found = "a folder" if file.is_dir() else "something else"
        usage(f"{name}: expected a file, found {found}")
    if not file.parent.is_dir():
        usage(f"{name}: expected a folder to write to, found none")
    old = file.read_bytes() if file.exists() else None
    if old is not None and not is_page(old) and not force:
        fail(f"{name}: holds something else than such a page; --force replaces it")
    new = page(graph, dtypes, dims).encode()
    if old == new:
        say(f"{printable(name)}: up to date")
        return
    write_atomically(file, new)
    say(f"{printable(name)}: written")


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
