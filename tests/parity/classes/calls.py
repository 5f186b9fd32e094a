"""Models of Equinox and Flax NNX: called under `jit`, and taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from blox.schema import Graph


def called(
    graph: Graph, target: str, model: Any, entry: str, args: list[Any], train: bool
) -> tuple[Any, Any]:
    """The outputs of an entry under `jit`, and the model afterwards."""
    instance = graph.program().entries[entry]
    title = graph.name if entry == "main" else entry
    name = "__call__" if entry == graph.entries[0] else title
    keywords = {"train": train} if instance.uses_train else {}
    function = getattr(type(model), name)
    if target == "equinox":
        import equinox as eqx

        out = eqx.filter_jit(lambda m, *a: function(m, *a, **keywords))(model, *args)
        return out if instance.stateful else (out, model)
    from flax import nnx

    return nnx.jit(lambda m, *a: function(m, *a, **keywords))(model, *args), model


def copied(target: str, model: Any) -> Any:
    """A model that a call may change, with the arrays of another."""
    if target == "equinox":
        return model  # a call changes nothing
    from flax import nnx

    return nnx.clone(model)


def flat_arrays(target: str, model: Any) -> dict[str, Any]:
    """The arrays of a model by their path, as its library has it."""
    return dict(_flat(target, model))


def _flat(target: str, model: Any) -> Iterator[tuple[str, Any]]:
    if target == "nnx":
        from flax import nnx

        for path, variable in nnx.to_flat_state(nnx.state(model)):
            yield ".".join(map(str, path)), variable[...]
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(model):
        yield jax.tree_util.keystr(path, simple=True, separator="."), leaf
