"""`bx.leaves`, `bx.map_params`, `bx.unmap_params`: arrays of other models, in and out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from blox.io.assemble import grow
from blox.io.match import castable
from blox.io.save import check_params
from blox.schema import Graph, WeightsError
from blox.schema.diagnostics import Diagnostic, bounded
from blox.schema.graph import expect_graph

from .back import Returned
from .carry import carry
from .findings import findings
from .moves import Plan
from .plan import make_plan
from .reading import describe
from .rules import AnyRule
from .trees import named
from .units import pattern_of


class LeafInfo(NamedTuple):
    """One array that a Graph expects in Params.

    Attributes:
        name: what rules call it, with a hole for each number of stacked copies.
        shape: of one copy.
        copies: how many of them are stacked in front, outermost repeat first.
        dtype: `"float"` for the model's floating type.
        kind: `param`, `buffer` or `state`.
        trainable: True for what training changes.
        init: its initialiser, as the Graph has it.
    """

    name: str
    shape: tuple[int, ...]
    copies: tuple[int, ...]
    dtype: str
    kind: str
    trainable: bool
    init: Any


class Leaves(dict[str, LeafInfo]):
    """What a Graph expects, by path; printed as a table."""

    def __str__(self) -> str:
        rows = [
            (
                info.name,
                f"{info.dtype}{list(info.shape)}",
                " ".join(f"x {count}" for count in info.copies),
                info.kind if info.trainable or info.kind != "param" else "frozen",
            )
            for info in self.values()
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)


def leaves(graph: Graph) -> Leaves:
    """The arrays that a Graph expects in its Params, by path.

        print(bx.leaves(graph))

    Returns:
        A dict of `LeafInfo`, in the order of Params, that prints as a table.

    Raises:
        SpecError: the Graph is not sound.
    """
    expect_graph(graph)
    return Leaves(
        (
            path,
            LeafInfo(
                pattern_of(path, leaf),
                tuple(leaf.shape),
                leaf.stack,
                leaf.dtype,
                leaf.kind,
                leaf.trainable,
                leaf.init,
            ),
        )
        for path, leaf in graph.program().leaves().items()
    )


def map_params(
    graph: Graph,
    tree: Any,
    rules: Iterable[AnyRule],
    *,
    dtype: Any = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Params of a Graph, from the arrays of another model.

        rules = [bx.Rule("out.kernel", "fc.weight", bx.layouts.Kernel())]
        params = bx.map_params(graph, torch_model.state_dict(), rules)

    Arrays are read one after the other and written into their place; beside Params those of
    one rule are in memory.

    Args:
        graph: what the arrays are for.
        tree: arrays by name or nested: a state_dict or a module of PyTorch, variables of
            Flax, a module of Equinox, parameters of Haiku, a model of Keras, a dict of what
            has a shape and a dtype.
        rules: `Rule`, `Ignored` and `New`; the first that fits is taken.
        dtype: cast the model's floating parameters; by default they keep theirs.
        progress: a bar, as for `blox.load`.

    Returns:
        Params as `bx.init` makes them, without what is `New`.

    Raises:
        SpecError: rules that are none. ModelError: a tree that is none.
        WeightsError: every array of ours without a source, every array of theirs without a
            use, every shape and dtype that doesn't fit, in one; no array is read.
    """
    import jax

    expect_graph(graph)
    found = named(tree)
    there = {name: describe(array) for name, array in found.arrays.items()}
    plan = make_plan(graph.program().leaves(), rules, there)
    casts = _casts(plan, dtype)
    if faults := bounded(chain(_partly_new(plan), _advised(findings(plan, there)))):
        raise WeightsError(faults)
    arrays = carry(plan, found.arrays, there, dtypes=casts, progress=progress)
    made = jax.device_put(arrays)
    params: dict[str, Any] = _without(grow(graph.program().tree, _Given(made)))
    return params


def unmap_params(
    graph: Graph, params: Any, rules: Iterable[AnyRule], *, like: Any = None
) -> Any:
    """The arrays of another model, from Params: `map_params` the other way around.

    Args:
        graph: whose Params.
        params: as `bx.init` makes them.
        rules: those of `map_params`.
        like: a tree as `map_params` takes it; the result is nested as it is, and what is
            `Ignored` keeps its values. It also says which of several rules is taken.

    Returns:
        Arrays by name, each made when it is asked for; with `like` such a tree of NumPy
        arrays, of a module of PyTorch its state_dict.

    Raises:
        WeightsError: Params that are not those of the Graph; with `like` as `map_params`.
    """
    expect_graph(graph)
    flat = check_params(graph, params)
    if like is None:
        plan = make_plan(graph.program().leaves(), rules)
        if plan.faults:
            raise WeightsError(bounded(plan.faults))
        return Returned(plan, flat)
    tree = named(like)
    there = {name: describe(array) for name, array in tree.arrays.items()}
    plan = make_plan(graph.program().leaves(), rules, there)
    if faults := bounded(_advised(findings(plan, there))):
        raise WeightsError(faults)
    return tree.nest(dict(Returned(plan, flat)))


def _advised(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """With what to write, for those who wrote the rules."""
    for one in found:
        hint = one.hint
        if one.code == "weights-unexpected" and not hint:
            hint = f"a rule takes it, or bx.Ignored({one.path!r})"
        elif one.code == "weights-missing" and not hint:
            hint = "bx.New(...) leaves it to bx.init"
        yield replace(one, hint=hint)


def _casts(plan: Plan, dtype: Any) -> dict[str, Any]:
    """What floating parameters are cast to, by path."""
    if dtype is None:
        return {}
    from blox.runtime.context import floating_dtype

    wanted = floating_dtype(dtype)
    return {p: wanted for p in plan.paths if castable(plan.leaves[p])}


def _partly_new(plan: Plan) -> Iterator[Diagnostic]:
    """Arrays of which only some copies are `New`."""
    moved = plan.paths
    for name, path in plan.new.items():
        if path in moved:
            message = "expected all copies of an array to be new, or none"
            yield Diagnostic("weights-missing", name, message)


class _Given(dict[str, Any]):
    """Arrays by path, None for what is new."""

    def __missing__(self, path: str) -> None:
        return None


def _without(tree: Any) -> Any:
    """A tree without the places of None; in a list they are empty dicts, as in a split."""
    if isinstance(tree, dict):
        parts = {name: _without(part) for name, part in tree.items()}
        return {n: p for n, p in parts.items() if not _is_empty(p)}
    if isinstance(tree, list):
        return [{} if part is None else _without(part) for part in tree]
    return tree


def _is_empty(tree: Any) -> bool:
    return tree is None or (isinstance(tree, (dict, list)) and not tree)
