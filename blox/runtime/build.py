"""`bx.build`: a pure function of (params, inputs) for an entry of a Graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp

from blox.schema import Graph, ModelError
from blox.schema.diagnostics import listing
from blox.schema.graph import expect_graph
from blox.schema.registry import CUSTOM
from blox.schema.resolve.program import Program

from .context import as_array, failed, floating_dtype
from .given import refuse_unknown
from .inputs import Signature
from .interpreter import Interpreter
from .trees import Context, Params

Model: TypeAlias = Callable[..., tuple[Any, dict[str, Any]]]
MAX_BUILT = 16
"""Functions of a Graph that are kept; they go when it does."""

_OF_EQUAL_GRAPHS: WeakValueDictionary[Any, Model] = WeakValueDictionary()
"""Functions by digest and options, as long as a Graph keeps them."""


def build(
    graph: Graph,
    entry: str | None = None,
    *,
    train: bool = False,
    dtype: Any = None,
    axis_name: str | None = None,
) -> Model:
    """The model as a pure function, `outputs, state = model(params, *inputs)`.

    Args:
        graph: the Graph; it is checked whole, once.
        entry: which entry to build, the first one by default.
        train: batch statistics are used and updated, keys are drawn.
        dtype: `float` parameters, frozen or not, are cast to it on entry; state and
            buffers never are. By default it is the one that they have, which must be
            the same for all. Inputs are cast to it in any case.
        axis_name: the mapped axis over which statistics of a batch are taken.

    Returns:
        A function of Params and the entry's inputs, by position or name. `outputs` is the
        array of a single output, else a dict by name. `state` holds what the call
        updates (`bx.merge(params, state)`), no arrays if nothing. Equal Graphs and
        options give the same function, so that `jax.jit` of it compiles once.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: no such entry, no floating dtype; when the function is called, inputs
            or Params that do not fit, with the graph path.
    """
    expect_graph(graph)
    program = graph.program()
    name = graph.entries[0] if entry is None else entry
    if name not in program.entries:
        raise ModelError.one(
            "entry", name, f"expected an entry of the Graph: {', '.join(graph.entries)}"
        )
    target = None if dtype is None else floating_dtype(dtype)
    options = (name, bool(train), target, axis_name)
    built: dict[Any, Model] = program.built
    found = built.get(options)
    if found is None:
        while len(built) >= MAX_BUILT:
            built.pop(next(iter(built)), None)
        found = built.setdefault(options, _shared(graph, program, options))
    return found


def _shared(graph: Graph, program: Program, options: tuple[Any, ...]) -> Model:
    """The function of a Graph, which may be there for one that is equal.

    What an op of somebody else computes is not in the Graph, so those share nothing.
    """
    nodes = (node for f in graph.functions.values() for node in f.nodes.values())
    if any(CUSTOM.fullmatch(node.op) for node in nodes):
        return _model(program, *options)
    key = (graph.digest, *options)
    found = _OF_EQUAL_GRAPHS.get(key)
    if found is None:
        found = _OF_EQUAL_GRAPHS.setdefault(key, _model(program, *options))
    return found


def _model(
    program: Program, name: str, train: bool, target: Any, axis_name: str | None
) -> Model:
    graph, instance, tree = program.graph, program.entries[name], program.tree
    bounded = graph.entries if graph.dims or graph.constraints else []
    checks = {
        n: Signature(program, program.entries[n]).check for n in bounded if n != name
    }
    run = Interpreter(program.live_instances(), checks, graph.entries).run(instance)
    signature = Signature(program, instance)
    outputs = tuple(instance.outputs)
    floats = tuple(instance.float_paths())
    leaves = {} if target is None else program.leaves()

    def cast(path: str, part: Params) -> Params:
        if isinstance(part, dict):
            return {k: cast(f"{path}.{k}" if path else k, v) for k, v in part.items()}
        if isinstance(part, list):
            return [cast(f"{path}.{i}", v) for i, v in enumerate(part)]
        leaf = leaves.get(path)
        if leaf is not None and leaf.kind == "param" and leaf.dtype == "float":
            return part.astype(target)
        return part

    def model(params: Params, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        inputs = signature.bind(args, kwargs)
        refuse_unknown(tree, params)
        if target is not None:
            params = cast("", params)
            for input_name, spec in instance.function.inputs.items():
                if spec.dtype == "float" and inputs[input_name] is not None:
                    inputs[input_name] = jax.tree.map(
                        lambda a: a.astype(target), inputs[input_name]
                    )
        floating = target or _model_dtype(params, floats)
        try:
            values, state = run(params, inputs, Context(train, floating, axis_name))
        except ModelError as error:
            raise failed(name, error, {}) from error.__cause__
        arrays = map(as_array, values)  # a number that a call got may come out again
        if len(outputs) == 1:
            return next(arrays), state
        return dict(zip(outputs, arrays, strict=True)), state

    parameters = [inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for input_name, spec in instance.function.inputs.items():
        parameters.append(
            inspect.Parameter(
                input_name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None if spec.optional else inspect.Parameter.empty,
            )
        )
    model.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    model.__name__ = model.__qualname__ = graph.name if name == "main" else name
    model.__doc__ = instance.function.doc or f"Entry {name} of {graph.name}."
    return model


def _model_dtype(params: Params, paths: Sequence[str]) -> Any:
    """The floating dtype of a call: that of its parameters; float32 where it has none.

    Raises:
        ModelError: they have several.
    """
    found: dict[Any, str] = {}
    for path in paths:
        array = _at(params, path.split("."))
        if hasattr(array, "dtype"):
            found.setdefault(jax.dtypes.canonicalize_dtype(array.dtype), path)
    if len(found) > 1:
        kinds = [f"{dtype} ({path})" for dtype, path in found.items()]
        raise ModelError.one(
            "dtype",
            "params",
            f"expected parameters of one floating dtype, found {listing(kinds)}",
            f'choose the one to compute in: bx.build(graph, dtype="{next(iter(found))}")',
        )
    return next(iter(found), jnp.dtype("float32"))


def _at(params: Any, path: Sequence[str]) -> Any:
    """What lies at a path, None where there is nothing."""
    for name in path:
        if isinstance(params, dict):
            params = params.get(name)
        elif isinstance(params, list) and name.isdigit() and int(name) < len(params):
            params = params[int(name)]
        else:
            return None
    return params
