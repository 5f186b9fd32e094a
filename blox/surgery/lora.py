"""LoRA put into a Graph, and folded into the kernels that it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from blox.builder.change import change
from blox.mapping.layouts import Merge
from blox.mapping.moves import Move
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import quote
from blox.schema.op import ParamOp
from blox.schema.ops.linear import Linear, Lora
from blox.schema.resolve.program import Instance
from blox.schema.resolve.rewiring import free_name

from .owners import NodeName, matching, owners, runs
from .plan import Step, same_paths


def lora(
    graph: Graph, globs: Sequence[str], rank: int, alpha: float, freeze: bool
) -> Step:
    """The op `lora` behind every `linear` that globs over `function.node` match.

    Its arrays lie at `NODE_lora.a` and `NODE_lora.b` beside those of the node; below the
    path of a node that gives one, as `params`, so that nodes with one kernel have one LoRA.

    Args:
        graph: the model.
        globs: of nodes `linear`; others that match stay as they are.
        rank: the inner size of LoRA.
        alpha: what LoRA adds is times alpha / rank.
        freeze: all that is trained but for LoRA is frozen.

    Raises:
        SpecError: a glob matches no `linear`.
    """
    linear = {
        (function, name): None
        for function, own in graph.functions.items()
        for name, op in own.nodes.items()
        if isinstance(op, Linear)
    }
    found = matching(graph, globs, linear, "linear nodes")
    writers = {".".join(node): _adding(graph, node, rank, alpha) for node in found}
    new = change(graph, writers)
    new = _frozen_but_lora(new) if freeze else new
    return Step(graph, new, same_paths(graph, new))


def _adding(
    graph: Graph, node: NodeName, rank: int, alpha: float
) -> Callable[..., Any]:
    function, name = node
    taken = graph.functions[function]
    own = free_name(f"{name}_lora", taken.nodes, taken.inputs, taken.attributes)
    op = taken.nodes[name]
    assert isinstance(op, Linear)
    params = None if op.params is None else _free_path(graph, function, op.scope(name))

    def write(f: Any, node: Any) -> Any:
        return f.lora(own, node(), node.x, rank=rank, alpha=alpha, params=params)

    return write


def _free_path(graph: Graph, function: str, scope: tuple[str, ...]) -> str:
    """`lora` below a scope, or where a node is there already `lora_2` and so on."""
    nodes = graph.functions[function].nodes.items()
    taken = {op.scope(name) for name, op in nodes}
    found, number = (*scope, "lora"), 2
    while found in taken:
        found, number = (*scope, f"lora_{number}"), number + 1
    return ".".join(found)


def _frozen_but_lora(graph: Graph) -> Graph:
    """All that is trained frozen, but for the arrays of `lora`."""
    data = graph.plain()
    for function, own in graph.functions.items():
        for name, op in own.nodes.items():
            if isinstance(op, ParamOp) and not isinstance(op, Lora):
                trained = [s or "value" for s, x in op.stored().items() if x.trainable]
                if trained:
                    node = data["functions"][function]["nodes"][name]
                    node["frozen"] = [*node.get("frozen", []), *trained]
    return Graph.parse(data)


def has_lora(graph: Graph) -> bool:
    """True where a node of the Graph is `lora`."""
    return any(
        isinstance(op, Lora)
        for f in graph.functions.values()
        for op in f.nodes.values()
    )


def merge_lora(graph: Graph) -> Step:
    """Every node `lora` that changes a `linear` folded into its kernel.

    What `lora` added is the Graph without it again; what was frozen stays so. Of several
    behind each other the first is folded.

    Raises:
        SpecError: there is none, or one that no kernel can take in.
    """
    found = list(_found(graph))
    if not found:
        _refuse(graph.name, "a node lora behind a linear", "none")
    kernels: dict[str, _Found] = {}
    bases: dict[str, set[NodeName]] = {}
    for each in found:
        first = kernels.setdefault(each.kernel, each)
        bases.setdefault(each.kernel, set()).add(each.base)
        if (first.arrays, first.layout) != (each.arrays, each.layout):
            both = f"{first.where} and {each.where}"
            _refuse(each.kernel, "one LoRA for all that use this array", both)
    shared = owners(graph.program())
    for kernel, nodes in bases.items():
        others = sorted(
            {".".join(o.node) for o in shared[kernel] if o.node not in nodes}
        )
        if others:
            _refuse(
                kernel,
                "LoRA behind every node that has this array",
                f"{others[0]} without",
            )
    new = change(graph, {each.where: lambda f, node: node.y for each in found})
    moves = [
        Move.whole(
            [kernel], [kernel, f"{each.arrays}.a", f"{each.arrays}.b"], each.layout
        )
        for kernel, each in kernels.items()
    ]
    how = {
        kernel: f"merged, kernel + a @ b * {each.layout.alpha / each.layout.rank:g}"
        for kernel, each in kernels.items()
    }
    return Step(graph, new, (*same_paths(graph, new, kernels), *moves), how)


@dataclass(frozen=True, slots=True)
class _Found:
    """A node `lora`, as one call runs it.

    Args:
        where: the function and the node.
        base: those of the `linear` that it changes.
        kernel: the path of its kernel.
        arrays: where `a` and `b` lie.
        layout: that folds them into it.
    """

    where: str
    base: NodeName
    kernel: str
    arrays: str
    layout: Merge


def _found(graph: Graph) -> Iterator[_Found]:
    """Every `lora` that changes a `linear`.

    Raises:
        SpecError: one changes something else, or more than its kernel can say.
    """
    uses: dict[int, Counter[str]] = {}
    for path, instance, run in runs(graph.program()):
        if not isinstance(run.op, Lora):
            continue
        y, where = run.operand("y"), f"{instance.name}.{run.name}"
        base = next((s for s in instance.steps if s.name == y.source), None)
        if base is not None and isinstance(base.op, Lora):
            continue
        if base is None or not isinstance(base.op, Linear):
            _refuse(f"{where}.y", "what a linear gives", quote(y.source or y.value))
        x, read = base.operand("x"), run.operand("x")
        if x != read:
            wanted = f"the x of {base.name}, {quote(x.source or x.value)}"
            _refuse(f"{where}.x", wanted, quote(read.source or read.value))
        if "kernel" in base.args or {"a", "b"} & run.args.keys():
            hint = "dequantize first, where it is stored as int8"
            own = f"{instance.name}.{base.name}"
            _refuse(own, "arrays that the nodes have themselves", "given ones", hint)
        if id(instance) not in uses:
            uses[id(instance)] = _uses(instance)
        if uses[id(instance)][base.name] > 1:
            _refuse(where, f"to be all that reads {base.name}", "others")
        kernel = ".".join((*path, *base.scope, "kernel"))
        arrays = ".".join((*path, *run.scope))
        layout = Merge(run.op.rank, float(run.op.alpha))
        yield _Found(where, (instance.name, base.name), kernel, arrays, layout)


def _uses(instance: Instance) -> Counter[str]:
    """How often each value of a function is read."""
    args = [*instance.outputs.values()]
    args += (arg for step in instance.steps for arg in step.arguments())
    return Counter(arg.source for arg in args if arg.source)


def _refuse(where: str, wanted: str, found: str, hint: str = "") -> NoReturn:
    raise SpecError.one("edit", where, f"expected {wanted}, found {found}", hint)
