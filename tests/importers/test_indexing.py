"""Slices, gathers, scatters, padding and joins of JAX, at sizes that are symbols."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import check_sizes, ops
from jax import lax

import blox as bx

X = {"x": bx.Input(["b", "t", 8])}
XI = {**X, "i": bx.Input(["b"], "int32")}
SIZES = {"b": 3, "t": 5}, {"b": 2, "t": 4}


def equations(graph: bx.Graph) -> list[Any]:
    """The texts of the indices of a Graph."""
    functions = graph.plain()["functions"].values()
    nodes = [n for f in functions for n in f["nodes"].values()]
    return sorted(n["at"] for n in nodes if n["op"] == "index")


def test_static_indices() -> None:
    def slices(params: Any, x: Any) -> Any:
        return {
            "last": x[:, -1],
            "first": x[0],
            "feature": x[..., 2],
            "behind": x[:, 1:],
            "before": x[:, :-1],
            "inner": x[:, 1:-1],
            "second": x[:, ::2],
            "odd": x[:, 1::2],
            "turned": x[:, ::-1],
            "less": x - x[:, -1:],
            "part": x[..., 2:7:2],
        }

    graph = check_sizes(slices, None, X, *SIZES)
    assert set(ops(graph)) == {"index", "flip", "subtract"}
    short = [":, -1", "0", "..., 2", ":, 1:", ":, :-1", ":, 1:-1"]
    assert equations(graph) == sorted(
        [*short, ":, ::2", ":, 1::2", ":, -1:", "..., 2::2"]
    )


def test_gathers() -> None:
    def gathers(params: Any, x: Any, i: Any) -> Any:
        rows = jnp.arange(x.shape[0])
        order = jnp.argsort(x, axis=1)
        return {
            "take": jnp.take(x, i, axis=1),
            "clip": jnp.take(x, i, axis=1, mode="clip"),
            "rows": x[i],
            "middle": x[:, i],
            "pairs": x[rows, i],
            "outer": x[i[:, None], i],
            "apart": x[i, :, i],
            "mixed": x[i, 2],
            "each": jax.vmap(lambda x, i: x[i])(x, i),
            "along": jnp.take_along_axis(x, i[:, None, None], axis=1),
            "sorted": jnp.take_along_axis(x, order, axis=1),
            "some": x[..., jnp.array([0, 3, 3])],
            "scalar": x[:, i[0]],
        }

    graph = check_sizes(gathers, None, XI, *SIZES)
    assert not {"where", "less"} & set(ops(graph))


def test_a_clamped_index_below_0_is_no_index_from_the_end() -> None:
    dims = lax.GatherDimensionNumbers((1, 2), (0,), (0,))

    def gathers(params: Any, x: Any, i: Any) -> Any:
        clip, fill = (
            lax.gather(x, i[:, None], dims, (1, *x.shape[1:]), mode=mode)
            for mode in ("clip", "fill")
        )
        pairs = lax.GatherDimensionNumbers((1,), (0, 1), (0, 1))
        both = jnp.stack([i, i], axis=-1)
        return {
            "clip": clip,
            "fill": fill,
            "pairs": lax.gather(x, both, pairs, (1, 1, 8), mode="clip"),
        }

    check_sizes(gathers, None, XI, *SIZES)


def test_windows_at_computed_places() -> None:
    windows = {"x": bx.Input(["b", 9, 8]), "i": bx.Input(["b"], "int32")}

    def blocks(params: Any, x: Any, i: Any) -> Any:
        def one(x: Any, i: Any) -> Any:
            return lax.dynamic_slice(x, (i, i), (4, 3))

        def put(x: Any, i: Any) -> Any:
            return lax.dynamic_update_slice(x, x[:2] + 1, (i, 0))

        return {
            "slice": lax.dynamic_slice_in_dim(x, i[0], 4, axis=1),
            "both": lax.dynamic_slice(x, (0, i[0], i[1]), (x.shape[0], 2, 3)),
            "put": lax.dynamic_update_slice(x, x[:, :2, :3], (0, i[0], i[1])),
            "each": jax.vmap(one)(x, i),
            "puts": jax.vmap(put)(x, i),
        }

    check_sizes(blocks, None, windows, {"b": 3}, {"b": 2})


def test_scatters() -> None:
    def scatters(params: Any, x: Any, i: Any) -> Any:
        return {
            "row": x.at[:, 0].set(0.0),
            "block": x.at[:, 1:3].set(1.0),
            "last": x.at[:, -1].set(x[:, 0]),
            "before": x.at[:, :-1].add(1.0),
            "all": x.at[:].add(x),
            "set": x.at[i].set(2.0),
            "add": x.at[i].add(x),
            "multiply": x.at[:, i].multiply(2.0),
            "max": x.at[i, i].max(2.0),
            "min": x.at[..., i].min(0.2),
            "each": jax.vmap(lambda x, i: x.at[i].set(3.0))(x, i),
            "beyond": x.at[i + 9].set(2.0),
        }

    graph = check_sizes(scatters, None, XI, *SIZES)
    assert ops(graph).count("dynamic_update_slice") == 3


def test_segments() -> None:
    def segments(params: Any, x: Any, i: Any) -> Any:
        return {
            "sum": jax.ops.segment_sum(x, i, 5),
            "max": jax.ops.segment_max(x, i, 3),
            "min": jax.ops.segment_min(x, i, 3),
            "many": jax.ops.segment_sum(x, i, x.shape[1]),
        }

    graph = check_sizes(segments, None, XI, *SIZES)
    assert ops(graph) == ["segment_sum", "segment_max", "segment_min", "segment_sum"]


def test_padding_and_joins() -> None:
    def joins(params: Any, x: Any) -> Any:
        left, right = jnp.split(x, [3], axis=-1)
        return {
            "pad": jnp.pad(x, ((0, 0), (1, 2), (0, 0))),
            "cut": lax.pad(x, 1.0, ((0, 0, 0), (-1, 2, 0), (0, -1, 0))),
            "between": lax.pad(x, 0.5, ((0, 0, 0), (1, 0, 2), (0, 0, 0))),
            "symbolic": jnp.pad(x, ((0, 0), (x.shape[0], 0), (0, 0))),
            "stack": jnp.stack([x, x * 2], axis=1),
            "last": jnp.stack([x[..., 0], x[..., 1]], axis=-1),
            "concatenate": jnp.concatenate([right, left], axis=-1),
            "tile": jnp.tile(x, (2, 1)),
            "unstack": jnp.unstack(x, axis=-1)[1],
            "roll": jnp.roll(x, 1, axis=1),
        }

    graph = check_sizes(joins, None, X, *SIZES)
    assert ops(graph).count("stack") == 2


def test_what_has_no_op_is_refused() -> None:
    def called(x: Any, i: Any) -> Any:
        return x.at[i].apply(jnp.sin)

    with pytest.raises(bx.SpecError, match="scatter: by a function"):
        bx.from_jax(called, XI, name="model")
    x = np.ones((2, 3, 8), "float32")
    assert called(jnp.asarray(x), jnp.zeros(2, int)).shape == x.shape
