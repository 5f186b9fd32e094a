"""Graph networks of jraphx."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jraphx.nn import conv, models

import blox as bx

from . import Example

NODES = 6
EDGES = jnp.asarray([[0, 1, 2, 3, 4, 5, 0, 2], [1, 2, 0, 4, 5, 3, 3, 5]])


def _network(model: Any) -> Example:
    """Of nodes, between which lie these edges."""
    return Example(
        lambda m, x: m(x, EDGES),
        {"x": bx.Input(["nodes", 3])},
        model,
        dims={"nodes": {"min": NODES}},
        sizes={"nodes": NODES},
    )


def gcn() -> Example:
    return _network(models.GCN(3, 8, 2, 4, rngs=nnx.Rngs(0)))


def gat() -> Example:
    return _network(models.GAT(3, 8, 2, 4, heads=2, rngs=nnx.Rngs(0)))


def gat_v2() -> Example:
    return _network(models.GAT(3, 8, 2, 4, heads=2, v2=True, rngs=nnx.Rngs(0)))


def graph_sage() -> Example:
    return _network(models.GraphSAGE(3, 8, 2, 4, rngs=nnx.Rngs(0)))


def gin() -> Example:
    return _network(models.GIN(3, 8, 2, 4, rngs=nnx.Rngs(0)))


def transformer_conv() -> Example:
    return _network(conv.TransformerConv(3, 4, heads=2, rngs=nnx.Rngs(0)))


def edge_conv() -> Example:
    mlp = models.MLP([6, 8, 4], rngs=nnx.Rngs(0))
    return _network(conv.EdgeConv(mlp))


def mlp() -> Example:
    model = models.MLP([3, 8, 4], norm="layer_norm", rngs=nnx.Rngs(0))
    return Example(lambda m, x: m(x), {"x": bx.Input(["nodes", 3])}, model)
