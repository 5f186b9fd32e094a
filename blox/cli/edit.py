"""`blox edit`: a model changed by operations on its Graph, its weights with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from blox.cli.edited import GRAPHS, is_spec, weights_of, write_model, write_spec
from blox.cli.init import WEIGHTS
from blox.cli.output import existing, fail, place, say, usage
from blox.cli.validate import HUB
from blox.cli.writing import keep_apart
from blox.show.printable import printable

if TYPE_CHECKING:
    from blox.surgery.edit import Edit


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text, show_default=False)


Texts: TypeAlias = list[str] | None
Operation: TypeAlias = Callable[["Edit"], "Edit"]


def edit(
    src: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A model folder or a single .safetensors file, hf://owner/name; or a "
            "graph.json or graph.msgpack, without weights.",
            show_default=False,
        ),
    ],
    dst: Annotated[
        str | None,
        typer.Argument(
            metavar="DST",
            help="The model to write; of a spec alone a folder, a .json or .msgpack file.",
            show_default=False,
        ),
    ] = None,
    merge_lora: Annotated[
        bool, typer.Option("--merge-lora", help="Fold all LoRA into its kernels.")
    ] = False,
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="Arrays of int8 as floats again.")
    ] = False,
    rename: Annotated[
        Texts,
        _option(
            "--rename",
            "OLD=NEW",
            "A function.node, a function, an input or output "
            "(main.x), an attribute, a path of arrays.",
        ),
    ] = None,
    remove: Annotated[
        Texts,
        _option(
            "--remove",
            "GLOB",
            "Nodes, by function.node; their first operand takes their place.",
        ),
    ] = None,
    copies: Annotated[
        Texts,
        _option(
            "--copies",
            "PATH=N",
            "Another number of copies of a repeat: h=4, or which of them, h=0,2,4.",
        ),
    ] = None,
    new: Annotated[
        Literal["init", "last"],
        typer.Option(
            "--new", help="What more copies are: initialised, or as the last."
        ),
    ] = "init",
    lora: Annotated[
        Texts,
        _option("--lora", "GLOB", "LoRA on linear nodes, by function.node."),
    ] = None,
    rank: Annotated[
        int, typer.Option("--rank", min=1, metavar="N", help="Of LoRA.")
    ] = 8,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="X", help="Of LoRA, over its rank.")
    ] = 16.0,
    quantize: Annotated[
        Texts,
        _option("--quantize", "GLOB", "Arrays of nodes as int8, by function.node."),
    ] = None,
    freeze: Annotated[
        Texts, _option("--freeze", "GLOB", "Parameters never trained, by path.")
    ] = None,
    train: Annotated[
        Texts, _option("--train", "GLOB", "Parameters trained again, by path.")
    ] = None,
    outputs: Annotated[
        Texts,
        _option(
            "--outputs", "PATH", "An inner value as one more output: h.attn.scores."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, metavar="N", help="Of the key of new arrays."
        ),
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the model that is in DST.")
    ] = False,
) -> None:
    """Changes a model, and prints what becomes of its arrays.

    Operations happen in the order of this list; options may be repeated. What stays is
    carried over bit for bit; what is new is initialised. Examples of SRC stay where they
    hold, and get new outputs where they don't.

    Examples:
        blox edit model shallow --copies h=4
        blox edit model tuned --lora '*.query' --lora '*.value' --rank 8
        blox edit model small --quantize '*' --dry-run
        blox edit graph.json seen.json --outputs h.attn.scores --freeze wte
    """
    if not src.startswith(HUB):
        existing(src)
    if dst is None and not dry_run:
        usage("expected DST, or --dry-run")
    target = None if dst is None else place(dst)
    alone = _is_alone(src)
    if target is not None and not alone and is_spec(target):
        usage(
            f"{dst}: expected a model folder or a .safetensors file, as SRC has weights"
        )
    simple: list[Operation] = []
    if merge_lora:
        simple.append(lambda e: e.merge_lora())
    if dequantize:
        simple.append(lambda e: e.dequantize())
    simple += [_renaming(text) for text in rename or ()]
    if remove:
        simple.append(lambda e: e.remove(*remove))
    simple += [_copying(text, new) for text in copies or ()]
    if lora:
        simple.append(lambda e: e.lora(*lora, rank=rank, alpha=alpha))
    if quantize:
        simple.append(lambda e: e.quantize(*quantize))
    if freeze:
        simple.append(lambda e: e.freeze(*freeze))
    if train:
        simple.append(lambda e: e.train(*train))
    if outputs:
        simple.append(lambda e: e.outputs(*outputs))
    if not simple:
        usage("expected an operation, such as --freeze GLOB")
    if target is not None and not dry_run:
        keep_apart(target, (*WEIGHTS, *GRAPHS), force)
        if alone and (weights := weights_of(target)):
            fail(
                f"{weights}: expected no weights where a spec without them is written, as "
                f"they would not be its own; edit {weights.parent}, which has both"
            )
    edited = _edited(src, simple)
    say(str(edited.plan))
    if target is None or dry_run:
        return
    if alone:
        write_spec(target, edited.graph)
    else:
        write_model(src, target, edited, seed)
    shown = printable(str(target))
    say(f"{shown}: written; next: blox show {shown}")


def _is_alone(src: str) -> bool:
    """True of a spec without weights."""
    path = place(src)
    if src.startswith(HUB) or not path.is_dir():
        return not src.startswith(HUB) and is_spec(path)
    return weights_of(path) is None


def _renaming(text: str) -> Operation:
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        usage(f"--rename {text}: expected OLD=NEW, such as block.up=fc1")
    return lambda e: e.rename(old, new)


def _copying(text: str, new: Literal["init", "last"]) -> Operation:
    path, _, count = text.partition("=")
    numbers = count.split(",")
    if not path or not all(n.isdecimal() and len(n) < 10 for n in numbers):
        usage(f"--copies {text}: expected PATH=N, such as h=4, or h=0,2,4")
    chosen = [int(n) for n in numbers]
    copies = chosen if len(chosen) > 1 else chosen[0]
    return lambda e: e.copies(path, copies, new=new)


def _edited(src: str, operations: Sequence[Operation]) -> Edit:
    from blox.io.spec import read_graph
    from blox.surgery.edit import edit as begin

    edited = begin(read_graph(src))
    for operation in operations:
        edited = operation(edited)
    return edited


COMMANDS: dict[str, Callable[..., None]] = {"edit": edit}
