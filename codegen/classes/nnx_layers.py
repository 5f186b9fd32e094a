"""Flax NNX's own layers, where arrays, layout and numbers are those of an op."""

from __future__ import annotations

import ast

from ...schema.initializers import LECUN_NORMAL, Ones, Zeros
from ...schema.start import Start
from ..emit.table import jax_initialiser
from ..nodes import call, literal
from .members import Layer
from .sizes import given_sizes


def library_layer(layer: Layer) -> ast.Call | None:
    """Flax's own layer of a node, without `rngs`; None where it has none of the same
    arrays and numbers.
    """
    build = _LAYERS.get(layer.step.op.op)
    frozen = any(not x.trainable and x.kind == "param" for x in layer.leaves.values())
    if build is None or layer.use.slots or frozen:
        return None
    return build(layer)


def _sizes(layer: Layer, *names: str) -> list[ast.expr]:
    return [*given_sizes(layer, names).values()]


def _inits(layer: Layer, **usual: Start) -> dict[str, ast.expr]:
    """Initialisers that are not the library's own."""
    return {
        f"{n}_init": jax_initialiser(layer.leaves[n].init)
        for n, start in usual.items()
        if n in layer.leaves and layer.leaves[n].init != start
    }


def _uses(layer: Layer, *names: str) -> dict[str, ast.expr]:
    return {f"use_{n}": literal(False) for n in names if n not in layer.leaves}


def _linear(layer: Layer) -> ast.Call:
    sizes = _sizes(layer, "in_features", "out_features")
    keywords = _uses(layer, "bias") | _inits(layer, kernel=LECUN_NORMAL, bias=Zeros())
    return call("nnx.Linear", sizes, keywords)


def _embed(layer: Layer) -> ast.Call:
    init = jax_initialiser(layer.leaves["embedding"].init)
    sizes = _sizes(layer, "num_embeddings", "features")
    return call("nnx.Embed", sizes, {"embedding_init": init})


def _layer_norm(layer: Layer) -> ast.Call:
    keywords = {
        "epsilon": layer.use.attributes["eps"],
        **_uses(layer, "scale", "bias"),
        "use_fast_variance": literal(False),
        **_inits(layer, scale=Ones(), bias=Zeros()),
    }
    return call("nnx.LayerNorm", _sizes(layer, "features"), keywords)


def _rms_norm(layer: Layer) -> ast.Call:
    keywords = {"epsilon": layer.use.attributes["eps"], **_inits(layer, scale=Ones())}
    return call("nnx.RMSNorm", _sizes(layer, "features"), keywords)


def _batch_norm(layer: Layer) -> ast.Call | None:
    if layer.step.op.unbiased:  # type: ignore[attr-defined]
        return None
    keywords = {
        "momentum": layer.use.attributes["momentum"],
        "epsilon": layer.use.attributes["eps"],
        **_uses(layer, "scale", "bias"),
        "use_fast_variance": literal(False),
        **_inits(layer, scale=Ones(), bias=Zeros()),
    }
    return call("nnx.BatchNorm", _sizes(layer, "features"), keywords)


def _conv(layer: Layer) -> ast.Call | None:
    op = layer.step.op
    padding = op.padding  # type: ignore[attr-defined]
    if op.padding_mode != "zeros":  # type: ignore[attr-defined]
        return None
    if isinstance(padding, str) and padding not in ("SAME", "VALID"):
        return None
    attributes = layer.use.attributes
    titles = {
        "strides": ("strides", 1),
        "padding": ("padding", "SAME"),
        "dilation": ("kernel_dilation", 1),
        "groups": ("feature_group_count", 1),
    }
    given = {
        title: attributes[n]
        for n, (title, default) in titles.items()
        if ast.dump(attributes[n]) != ast.dump(literal(default))
    }
    sizes = _sizes(layer, "in_features", "out_features", "kernel_size")
    inits = _inits(layer, kernel=LECUN_NORMAL, bias=Zeros())
    return call("nnx.Conv", sizes, {**given, **_uses(layer, "bias"), **inits})


_LAYERS = {
    "linear": _linear,
    "embed": _embed,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "batch_norm": _batch_norm,
    "conv": _conv,
}


UNTYPED = frozenset({"layer_norm", "rms_norm", "batch_norm"})
"""The ops whose layers say no type of what they give."""
_OPTIONAL = {
    "linear": ("bias",),
    "conv": ("bias",),
    "layer_norm": ("scale", "bias"),
    "rms_norm": ("scale",),
    "batch_norm": ("scale", "bias"),
}


def may_be_none(layer: Layer, array: ast.expr) -> bool:
    """True of an array that by its type may be absent."""
    if not isinstance(array, ast.Attribute) or library_layer(layer) is None:
        return False
    return array.attr in _OPTIONAL.get(layer.step.op.op, ())
