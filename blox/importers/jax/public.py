"""`bx.from_jax`: a model of JAX as a Graph, its Params, and the way back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import blox as bx

from ..origin import Origin
from .arguments import require_arrays_of, require_inputs
from .caches import Sizes, with_caches
from .part import graph_name
from .proven import imported, proven
from .sources import source_of
from .trace import Bounds


def from_jax(
    model: Any,
    inputs: Mapping[str, bx.Input],
    params: Any = None,
    *,
    name: str | None = None,
    dims: Bounds | None = None,
    caches: Mapping[str, Sizes] | None = None,
    partial: str | None = None,
    check: bool = True,
) -> tuple[bx.Graph, dict[str, Any], Origin]:
    """A model of JAX as a Graph and Params: of Equinox, Flax, Haiku, or a plain function.

        graph, params, origin = bx.from_jax(
            lambda model, x: jax.vmap(model)(x), {"x": bx.Input(["batch", 8])}, model
        )

    The model's code runs, under a trace of JAX, with the dims of the inputs as symbols.

    Args:
        model: a module of Equinox or NNX; a module of Linen or a transformed function of
            Haiku, with its `params`; or `function(params, *inputs)`, whose params are a
            tree of arrays, or a module of Equinox or NNX. Without `params` a function is
            of its inputs alone.
        inputs: what it is called with, in order. The names are those of the Graph.
        params: variables of Linen; params of Haiku, or a tuple of these and its state; or
            what a function takes first.
        name: of the Graph; by default that of the class or function.
        dims: what bounds dims of the inputs: `{"seq": {"max": 512}}`.
        caches: shapes of arrays that the model keeps and that have a dim of the inputs, by
            their names or the ends of these: `{"cached_key": ["batch", "..."]}`, where
            `"..."` is all other sizes. They are inputs of the Graph behind the others, and
            outputs that are the next values of these.
        partial: import what this function of the model computes, at its first call, or the
            module at this path (`encoder`, or `encoder.blocks`, where modules lie below).
            Its inputs are what it is called with, and its Params only the arrays it uses.
        check: compare the Graph with the model on random inputs: `print(origin.report)`. A
            known layer whose numbers differ is taken apart, and named there.

    Returns:
        The Graph; its Params, those of the model; and the `Origin`, whose
        `export(params)` gives them back to the model's code.

    Warns:
        UserWarning: a function has a derivative of its own, which is JAX's in the Graph.

    Raises:
        SpecError: the model does what no op of blox does, all of it at once, each with its
            module, file and line; or its own code fails, with the line and the error as
            cause. ModelError: numbers differ.
    """
    require_inputs(inputs, {} if caches else dims or {})
    source = source_of(model, params, name, list(inputs))
    require_arrays_of(source)
    if caches:
        source, inputs = with_caches(source, inputs, caches)
        require_inputs(inputs, dims or {})
    if partial is not None and name is None:
        source = replace(source, name=graph_name(partial))
    found = imported(source, inputs, dims or {}, partial=partial)
    if check:
        found = proven(found, source, inputs, dims or {}, partial)
    for finding in found[2].report.findings:
        warnings.warn(str(finding), stacklevel=2)
    return found
