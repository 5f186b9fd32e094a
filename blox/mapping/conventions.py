"""`bx.layer_rules`: rules of layers by the names of their modules, for six libraries.

What an op's arrays are called in PyTorch stands on its spec class (`Elsewhere`); the other
libraries have a word for each kind of array, below. Which op reads an array, and how many
axes it has, is known of the Graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from blox.schema import Graph, SpecError, op_class
from blox.schema.diagnostics import Diagnostic, listing, quote
from blox.schema.graph import expect_graph
from blox.schema.resolve.program import Instance, Program
from blox.schema.resolve.trees import flatten

from .cells import CELLS
from .layouts import Constant, Kernel, Rearrange
from .patterns import Pattern, is_number
from .rules import AnyRule, Rule
from .spec import Layout
from .transposed import FLIPPED, kernel_layouts
from .units import units_of


class Reader(NamedTuple):
    """What reads an array.

    Attributes:
        op: its name, `""` where none does.
        scaled: True where it has a scale.
        groups: of a convolution.
        flipped: `flip_kernel` of a transposed convolution, None of other ops.
    """

    op: str = ""
    scaled: bool = False
    groups: int = 1
    flipped: bool | None = None


class Slot(NamedTuple):
    """An array of ours: what reads it, its name there, its shape."""

    reader: Reader
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Library:
    """What arrays of layers are called in a library.

    Attributes:
        marks: called as in PyTorch, by the marks of spec classes, and laid out so: kernels
            are (out, in, spatial...).
        words: others, by the names of ours; `norm.bias` is that of an op with a scale.
        biased: the bias of a convolution has an axis of 1 for each spatial one.
        before: what stands before the name of a module, by the names of ours.
    """

    marks: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    biased: bool = False
    before: Mapping[str, str] = field(default_factory=dict)


LIBRARIES: dict[str, Library] = {
    "torch": Library(marks=True, words={"mean": "running_mean", "var": "running_var"}),
    "equinox": Library(marks=True, biased=True, words={"slope": "negative_slope"}),
    "linen": Library(before={"": "params.", "mean": "batch_stats.", "var": "batch_stats."},
                     words={"slope": "negative_slope"}),
    "nnx": Library(words={"slope": "negative_slope"}),
    "haiku": Library(words={"kernel": "w", "bias": "b", "norm.bias": "offset",
                            "embedding": "embeddings"}),
    "keras": Library(words={"norm.scale": "gamma", "rms_norm.scale": "scale",
                            "norm.bias": "beta", "slope": "alpha",
                            "embedding": "embeddings", "mean": "moving_mean",
                            "var": "moving_variance"}),
}  # fmt: skip
"""Libraries by name, for `layer_rules`."""

_LAYERS = frozenset({
    "linear", "einsum_linear", "conv", "conv_transpose", "embed", "layer_norm", "rms_norm",
    "group_norm", "batch_norm", "prelu",
})  # fmt: skip
"""Ops whose arrays lie in Flax, Haiku and Keras as they do here."""


def layer_rules(
    graph: Graph, modules: Mapping[str, str], of: str = "torch"
) -> list[AnyRule]:
    """Rules for layers, by the names of their modules in another library.

        bx.layer_rules(graph, {"layers.{i}.up": "h.{i}.fc1", "out": "fc"})

    Kernels, biases, embeddings, norms with their statistics and cells are called and laid out
    as the library has them. Attention in one array, and what was written without the
    library's layers, needs rules of its own, which go before these.

    Args:
        graph: whose layers.
        modules: patterns of ours, where a layer's arrays lie, and the pattern of its module.
        of: `torch`, `equinox`, `linen`, `nnx`, `haiku` or `keras`.

    Returns:
        Rules for the arrays that the Graph has there.

    Raises:
        SpecError: another library, a pattern that matches no layer, arrays that no layer of
            the library has.
    """
    expect_graph(graph)
    library = LIBRARIES.get(of)
    if library is None:
        message = f"expected one of {listing(LIBRARIES)}, found {quote(of)}"
        raise SpecError(Diagnostic("mapping-rule", "", message))
    slots = slots_of(graph.program())
    rules: dict[Rule, None] = {}
    faults = []
    for ours, theirs in modules.items():
        layers = _below(Pattern(ours), slots)
        if not layers:
            message = "expected a layer with arrays, found none"
            faults.append(
                Diagnostic("mapping-rule", ours, message, "see bx.leaves(graph)")
            )
        for layer in layers:
            rules |= dict.fromkeys(_rules(ours, theirs, layer, of))
    if faults:
        raise SpecError(faults)
    return list(rules)


def layers_of(graph: Graph, modules: Mapping[str, str]) -> dict[str, str]:
    """Those of `modules` whose layers a Graph has."""
    slots = slots_of(graph.program())
    return {n: m for n, m in modules.items() if _below(Pattern(n), slots)}


def _below(pattern: Pattern, slots: Mapping[str, Slot]) -> list[list[Slot]]:
    """The arrays of the layers that a pattern fits, layers that are alike once."""
    layers: dict[str, list[Slot]] = {}
    for name, slot in slots.items():
        layer = name.removesuffix(f".{slot.name}")
        if pattern.match(layer) is not None:
            layers.setdefault(layer, []).append(slot)
    return list({tuple(layer): layer for layer in layers.values()}.values())


def slots_of(program: Program) -> dict[str, Slot]:
    """What reads each array, by its name in rules; of stacked copies the first."""
    ops = ops_of(program)
    found: dict[str, Slot] = {}
    for path, leaf in program.leaves().items():
        unit = next(units_of(path, leaf), None)
        parts = tuple(part for part in path.split(".") if not is_number(part))
        if unit is not None:
            reader = ops.get(parts, Reader())
            found[unit.name] = Slot(reader, parts[-1], tuple(leaf.shape))
    return found


def ops_of(program: Program) -> dict[tuple[str, ...], Reader]:
    """What reads an array first, by its path without numbers of copies."""
    found: dict[tuple[str, ...], Reader] = {}
    seen: set[tuple[int, tuple[str, ...]]] = set()

    def visit(instance: Instance, at: tuple[str, ...]) -> None:
        if (id(instance), at) in seen:
            return
        seen.add((id(instance), at))
        for step in instance.steps:
            scope = (*at, *(part for part in step.scope if not is_number(part)))
            for called in step.callees:
                for callee in called.cycle:
                    visit(callee, scope)
            if step.callees:
                continue
            names = [name for name, _ in flatten(step.tree)]
            for name in names:
                groups = getattr(step.op, "groups", 1)
                flipped = getattr(step.op, "flip_kernel", None)
                row = Reader(step.op.op, "scale" in names, groups, flipped)
                found.setdefault((*scope, *name.split(".")), row)

    for instance in program.entries.values():
        visit(instance, ())
    return found


def _rules(ours: str, theirs: str, layer: list[Slot], of: str) -> Iterator[Rule]:
    """The rules of the arrays of a layer; the first whose arrays are there counts."""
    names = {slot.name for slot in layer}
    cell = CELLS.get((of, layer[0].reader.op))
    if cell is not None:
        units = next(s.shape[0] for s in layer if s.name == "recurrent_kernel")
        for mine, other, layouts in cell(units):
            if names.issuperset(mine):
                yield _rule(ours, mine, theirs, other, layouts, of)
        return
    spatial = max(len(slot.shape) for slot in layer) - 2  # axes of a convolution
    spatial = spatial if layer[0].reader.op in ("conv", "conv_transpose") else 0
    for slot in layer:
        found = _word(slot, of)
        if found is None:
            op, flipped = slot.reader.op or "no op", slot.reader.flipped
            message = f"expected a layer of {of}, found {slot.name} of {op}"
            if flipped is not None and of in FLIPPED:
                message += f" with flip_kernel={flipped}"
            hint = "write a bx.Rule for it"
            raise SpecError(Diagnostic("mapping-rule", ours, message, hint))
        word, layouts = found
        if slot.name == "bias" and spatial and LIBRARIES[of].biased:
            layouts = (Rearrange(f"o {'1 ' * spatial}-> o"),)
        other = (word, "num_batches_tracked") if word == "running_mean" else (word,)
        if len(other) > 1:
            counted = Constant(0, "int64")
            yield _rule(ours, (slot.name,), theirs, other, (*layouts, counted), of)
        yield _rule(ours, (slot.name,), theirs, (word,), layouts, of)


def _rule(
    ours: str,
    mine: tuple[str, ...],
    theirs: str,
    other: tuple[str, ...],
    layouts: tuple[Layout, ...],
    of: str,
) -> Rule:
    before = LIBRARIES[of].before.get(mine[0], LIBRARIES[of].before.get("", ""))
    module = theirs if "{}" in theirs else f"{theirs}.{{}}"
    names = [before + module.replace("{}", name) for name in other]
    return Rule([f"{ours}.{name}" for name in mine], names, *layouts)


def _word(slot: Slot, of: str) -> tuple[str, tuple[Layout, ...]] | None:
    """What an array is called in a library, and its layouts from there; None if it isn't."""
    library, reader = LIBRARIES[of], slot.reader
    cls = op_class(reader.op) if library.marks else None
    mark = cls.fields().elsewhere.get(slot.name) if cls is not None else None
    own = f"norm.{slot.name}" if reader.scaled else slot.name
    words = (library.words.get(n) for n in (f"{reader.op}.{slot.name}", own, slot.name))
    word = next((w for w in words if w is not None), mark.name if mark else None)
    if reader.flipped is not None and FLIPPED.get(of) is not reader.flipped:
        return None  # the kernel would be read in reverse, or nothing is known
    if word is None and not library.marks and reader.op in _LAYERS:
        word = slot.name
    if word is None or (of == "haiku" and reader.op == "batch_norm"):
        return None  # statistics of Haiku are in a tree of their own
    if reader.flipped is not None and slot.name == "kernel":
        return word, kernel_layouts(of, len(slot.shape) - 2, reader.groups)
    return word, (Kernel(),) if mark is not None and mark.transposed else ()
