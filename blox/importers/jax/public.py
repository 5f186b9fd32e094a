"""`bx.from_jax`: a model of JAX as a Graph, its Params, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import blox as bx
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.names import is_name

from ..origin import Origin
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
        check: compare the Graph with the model on random inputs: `print(origin.report)`. A
            known layer whose numbers differ is taken apart, and named there.

    Returns:
        The Graph; its Params, those of the model; and the `Origin`, whose
        `export(params)` gives them back to the model's code.

    Raises:
        SpecError: the model does what no op of blox does, all of it at once, each with its
            module, file and line. ModelError: numbers differ.
    """
    _check_names(inputs)
    source = source_of(model, params, name, list(inputs))
    found = imported(source, inputs, dims or {})
    return proven(found, source, inputs, dims or {}) if check else found


def _check_names(inputs: Mapping[str, bx.Input]) -> None:
    strange = (
        Diagnostic(
            "import-model",
            quote(name),
            "expected a name of ASCII letters, digits and inner underscores that begins "
            "with a letter and is no word of Python",
            "the names are those of the Graph, not of the function: inputs are given "
            "in order",
        )
        for name in inputs
        if not is_name(name)
    )
    if listed := bounded(strange):
        raise bx.SpecError(listed)
