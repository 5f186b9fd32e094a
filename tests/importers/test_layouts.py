"""The nodes that are written: no transpose, reshape or new axis that layouts can say."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from imported import body, check_sizes, ops
from jax import lax

import blox as bx

X = {"x": bx.Input(["b", "t", 8])}
SIZES = {"b": 3, "t": 5}, {"b": 2, "t": 4}
MOVES = {"transpose", "swapaxes", "reshape", "flatten", "expand_dims", "squeeze"} | {
    "broadcast_to"
}


def arrays(**shapes: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        k: jnp.asarray(rng.normal(size=s), "float32") * 0.3 for k, s in shapes.items()
    }


def moves(graph: bx.Graph) -> list[str]:
    """The nodes that arrange elements."""
    return [op for op in ops(graph) if op in MOVES]


def test_channels_first_is_transposed_once_at_each_end() -> None:
    def net(params: Any, x: Any) -> Any:
        y = x
        for name in ("one", "two"):
            y = lax.conv_general_dilated(y, params[name], (1, 1), "SAME")
            y = jax.nn.relu(y + params[f"{name}_bias"][:, None, None])
            y = lax.reduce_window(
                y, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "SAME"
            )
        scale = jnp.mean(y, axis=(2, 3), keepdims=True)
        return {"image": y * jax.nn.sigmoid(scale)}

    params = arrays(one=(4, 3, 3, 3), two=(5, 4, 3, 3), one_bias=(4,), two_bias=(5,))
    image = {"x": bx.Input(["b", 3, "h", "w"])}
    sizes = {"b": 2, "h": 8, "w": 6}, {"b": 1, "h": 7, "w": 9}
    graph = check_sizes(net, params, image, *sizes)
    assert moves(graph) == ["transpose", "transpose"]
    assert ops(graph).count("conv") == ops(graph).count("max_pool") == 2


def test_attention_has_no_merge_of_batch_and_heads() -> None:
    def attention(params: Any, x: Any) -> Any:
        q, k, v = (
            jnp.einsum("btd,dhk->bhtk", x, params[name].reshape(8, 2, 4))
            for name in "qkv"
        )
        scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / 2.0
        y = jax.nn.softmax(scores, axis=-1) @ v
        y = y.transpose(0, 2, 1, 3).reshape(*x.shape[:2], 8)
        return {"y": y @ params["out"]}

    graph = check_sizes(
        attention, arrays(q=(8, 8), k=(8, 8), v=(8, 8), out=(8, 8)), X, *SIZES
    )
    assert not {"transpose", "swapaxes", "expand_dims"} & set(ops(graph))
    assert ops(graph).count("flatten") == 1


def test_a_product_that_is_transposed_is_one_einsum() -> None:
    def product(params: Any, x: Any) -> Any:
        turned = jnp.einsum("btd,dk->bkt", x, params["w"]) * 0.5
        heads = x.reshape(*x.shape[:2], 2, 4).transpose(0, 2, 1, 3)
        return {
            "y": turned,
            "z": x @ x.mT,
            "heads": heads @ params["own"],
            "one": x @ params["w"][:, 0],
        }

    graph = check_sizes(product, arrays(w=(8, 3), own=(4, 5)), X, *SIZES)
    assert ops(graph).count("matmul") == 1
    assert "transpose" not in ops(graph)
    assert "swapaxes" not in ops(graph)


def test_reduced_axes_are_kept_where_they_are_used() -> None:
    def normed(params: Any, x: Any) -> Any:
        y = x - jnp.max(x, axis=-1, keepdims=True)
        y = y / jnp.sum(jnp.exp(y), axis=(1, 2), keepdims=True)
        return {"y": y, "mean": jnp.sum(x, axis=1)}

    graph = check_sizes(normed, None, X, *SIZES)
    assert not moves(graph)
    kept = [n.get("keepdims", False) for n in body(graph).values() if "axis" in n]
    assert sorted(kept) == [False, True, True]


def test_reshapes_are_those_that_a_person_writes() -> None:
    def shapes(params: Any, x: Any) -> Any:
        b, t, d = x.shape
        heads = x.reshape(b, t, 2, 4).transpose(0, 2, 1, 3)
        patches = x.transpose(0, 2, 1).reshape(b, 2, 4, t).transpose(0, 3, 1, 2)
        return {
            "heads": heads * 2,
            "merged": heads.transpose(0, 2, 1, 3).reshape(b, t, d),
            "flat": x.reshape(b, -1),
            "rows": x.reshape(-1, d),
            "patches": patches,
            "one": x[:, None].reshape(b, t, 1, d)[:, :, 0],
        }

    graph = check_sizes(shapes, None, X, *SIZES)
    found = [n for n in body(graph).values() if n["op"] in ("reshape", "flatten")]
    assert {str(n.get("shape")) for n in found} <= {"None", "['...', 2, 4]"}
    assert not {"expand_dims", "squeeze", "transpose"} & set(ops(graph))
