"""Convolutions and pools of JAX in all layouts, at spatial sizes that are symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import body, check, check_sizes, ops
from jax import lax

import blox as bx

FIRST = {"x": bx.Input(["b", 3, "h", "w"])}
LAST = {"x": bx.Input(["b", "h", "w", 3])}
SIZES = {"b": 2, "h": 8, "w": 6}, {"b": 4, "h": 11, "w": 9}
KERNEL = {"k": (4, 3, 3, 3)}
CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")


def arrays(**shapes: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        k: jnp.asarray(rng.normal(size=s), "float32") * 0.3 for k, s in shapes.items()
    }


def conv(
    x: Any, k: Any, strides: Any = (1, 1), padding: Any = "SAME", **options: Any
) -> Any:
    return lax.conv_general_dilated(x, k, strides, padding, **options)


def test_convolutions_with_channels_last() -> None:
    def convs(params: Any, x: Any) -> Any:
        k, last = params["k"], CHANNELS_LAST
        return {
            "same": conv(x, k, dimension_numbers=last),
            "strides": conv(x, k, (2, 2), dimension_numbers=last),
            "valid": conv(x, k, (2, 1), "VALID", dimension_numbers=last),
            "padding": conv(x, k, (2, 2), ((1, 1), (2, 0)), dimension_numbers=last),
            "dilation": conv(x, k, rhs_dilation=(2, 2), dimension_numbers=last),
            "transposed": lax.conv_transpose(x, k, (2, 2), "SAME"),
            "wide": lax.conv_transpose(x, k, (3, 2), "VALID"),
        }

    graph = check_sizes(convs, arrays(k=(3, 3, 3, 4)), LAST, *SIZES)
    assert not {"transpose", "pad", "reshape"} & set(ops(graph))
    assert ops(graph).count("conv_transpose") == 2


OTHERS: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...]]] = {
    "negative": (lambda x, k: conv(x, k, padding=((-1, 1), (2, -2))), (4, 3, 3, 3)),
    "groups": (lambda x, k: conv(x, k, feature_group_count=3), (6, 1, 3, 3)),
    "batch": (lambda x, k: conv(x, k, batch_group_count=2), (6, 3, 3, 3)),
    "between": (
        lambda x, k: conv(x, k, padding=((2, 2), (2, 2)), lhs_dilation=(2, 2)),
        (4, 3, 3, 3),
    ),
    "far": (
        lambda x, k: conv(x, k, padding=((3, 3), (1, 2)), lhs_dilation=(2, 3)),
        (4, 3, 3, 3),
    ),
    "strided": (
        lambda x, k: conv(x, k, (3, 3), ((2, 2), (2, 2)), lhs_dilation=(2, 2)),
        (4, 3, 3, 3),
    ),
    "turned": (
        lambda x, k: conv(x, k, dimension_numbers=("NCHW", "HWIO", "HWNC")),
        (3, 3, 3, 4),
    ),
    "each": (
        lambda x, k: jax.vmap(lambda x: conv(x[None], k)[0])(x),
        (4, 3, 3, 3),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_convolutions_with_channels_first(name: str) -> None:
    function, kernel = OTHERS[name]
    batch = bx.Input([4, 3, "h", "w"]) if name == "batch" else FIRST["x"]
    check_sizes(
        lambda params, x: {"y": function(x, params["k"])},
        arrays(k=kernel),
        {"x": batch},
        *SIZES,
    )


def window(x: Any, size: int, step: int, padding: Any = "VALID", **options: Any) -> Any:
    every, by = (1, size, size, 1), (1, step, step, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, every, by, padding, **options)


def total(x: Any, size: int, step: int, padding: Any = "VALID") -> Any:
    every, by = (1, size, size, 1), (1, step, step, 1)
    return lax.reduce_window(x, 0.0, lax.add, every, by, padding)


def test_pools() -> None:
    def pools(params: Any, x: Any) -> Any:
        wide = ((0, 0), (3, 1), (1, 1), (0, 0))
        apart = {"window_dilation": (1, 2, 2, 1)}
        return {
            "max": window(x, 2, 2),
            "same": window(x, 3, 2, "SAME"),
            "wide": window(x, 2, 1, wide),
            "apart": window(x, 2, 1, **apart),
            "between": window(x, 2, 1, base_dilation=(1, 2, 2, 1)),
            "lone": window(x[:1, :, :, :1], 2, 2)[0, :, :, 0],
            "mean": total(x, 2, 2) / 4,
            "inside": total(x, 3, 1, "SAME") / total(jnp.ones_like(x), 3, 1, "SAME"),
            "sum": total(x, 3, 1, "SAME"),
            "channels": lax.reduce_window(
                x, 0.0, lax.add, (1, 1, 1, 3), (1, 1, 1, 1), "SAME"
            ),
        }

    graph = check_sizes(pools, None, LAST, *SIZES)
    found = [n for n in body(graph).values() if n["op"] == "avg_pool"]
    assert [n["count_include_pad"] for n in found].count(False) == 1
    assert ops(graph).count("multiply") == 2
    assert "divide" not in ops(graph)


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("used", ["alone", "twice", "elsewhere"])
def test_a_bias_that_is_added_is_that_of_the_convolution(axis: int, used: str) -> None:
    spec = ("NCHW", "OIHW", "NCHW") if axis == 1 else ("NHWC", "OIHW", "NHWC")
    shape = [1, 1, 1, 1]
    shape[axis] = -1

    def call(params: Any, x: Any) -> Any:
        layer = params["first"]
        for _ in range(2 if used == "twice" else 1):
            x = lax.conv_general_dilated(
                x, layer["w"], (1, 1), "SAME", dimension_numbers=spec
            )
            x = jnp.tanh(x + layer["b"].reshape(shape))
        return x + layer["b"][0] if used == "elsewhere" else x

    rng = np.random.default_rng(0)
    params = {"first": {"w": rng.normal(size=(3, 3, 3, 3)), "b": rng.normal(size=3)}}
    params = jax.tree.map(lambda a: jnp.asarray(a, "float32"), params)
    sizes: list[int | str] = ["batch", 5, 5, 5]
    sizes[axis] = 3
    x = rng.normal(size=[2 if isinstance(n, str) else n for n in sizes])
    given = {"x": bx.Input(sizes)}
    graph = check(call, params, given, jnp.asarray(x, "float32"))
    assert ("add" in ops(graph)) is (used == "elsewhere")
