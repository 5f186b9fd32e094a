"""One row per op: how it is called, and what NumPy says that it gives.

The operands stand without batch dims where `lead` holds: then the tests add some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

TORCH = "torch"
"""In place of a formula: `torch_reference.safetensors` has cases of the op."""


@dataclass(frozen=True)
class Row:
    """A call of an op.

    `lead`: any leading dims are as good as a vmap. `grad`: it can be differentiated.
    `keeps`: floats come out in the dtype in which they went in.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    operands: tuple[Any, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    reference: Callable[..., Any] | str = TORCH
    lead: bool = True
    grad: bool = True
    keeps: bool = True


_random = np.random.default_rng(7)


def normal(*shape: int) -> Any:
    return _random.normal(size=shape).astype(np.float32)


X = normal(3, 4)
Y = normal(3, 4)
POSITIVE = np.abs(X) + np.float32(0.5)
INTS = np.array([[3, 1, 0, 2], [1, 1, 2, 3], [0, 2, 3, 1]], np.int32)
BOOLS = INTS > 1
IMAGE = normal(5, 6, 4)
KEY = jax.random.key(3)


def unary(reference: Callable[..., Any] | str, x: Any = X, **attributes: Any) -> Row:
    return Row(attributes, (x,), reference=reference)


def binary(reference: Callable[..., Any], a: Any = X, b: Any = Y, **more: Any) -> Row:
    return Row({}, (a, b), reference=reference, **more)


def reduction(reference: Callable[..., Any], x: Any = X, **attributes: Any) -> Row:
    attributes = {"axis": -1, "keepdims": True} | attributes
    return Row(attributes, (x,), reference=lambda x: reference(x, **attributes))


def _standardized(x: Any, eps: float) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def _angles(positions: Any, dim: int, theta: float) -> Any:
    return positions[..., None] * theta ** (-np.arange(0, dim, 2) / dim)


ELEMENTWISE: dict[str, Row] = {
    name: unary(TORCH)
    for name in (
        *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish"),
        *("softplus", "soft_sign", "sigmoid", "log_sigmoid", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "tanh", "glu", "softmax", "log_softmax", "erf"),
    )
} | {
    "logsumexp": unary(TORCH, axis=-1),
    "squareplus": unary(lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    "standardize": unary(lambda x: _standardized(x, 1e-5)),
    "one_hot": unary(lambda x: np.eye(4)[x], INTS, num_classes=4),
    "exp": unary(np.exp),
    "expm1": unary(np.expm1),
    "log": unary(np.log, POSITIVE),
    "log1p": unary(np.log1p, POSITIVE),
    "sqrt": unary(np.sqrt, POSITIVE),
    "rsqrt": unary(lambda x: x**-0.5, POSITIVE),
    "square": unary(np.square),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "abs": unary(np.abs),
    "sign": unary(np.sign),
    "floor": unary(np.floor),
    "ceil": unary(np.ceil),
    "round": unary(np.round, 3 * X),
    "negative": unary(np.negative),
    "stop_gradient": unary(lambda x: x),
    "logical_not": unary(np.logical_not, BOOLS),
    "isfinite": unary(np.isfinite, np.array([1, np.inf, np.nan], np.float32)),
    "isinf": unary(np.isinf, np.array([1, np.inf, np.nan], np.float32)),
    "isnan": unary(np.isnan, np.array([1, np.inf, np.nan], np.float32)),
    "add": binary(np.add),
    "subtract": binary(np.subtract),
    "multiply": binary(np.multiply),
    "divide": binary(np.divide, b=POSITIVE),
    "floor_divide": binary(np.floor_divide, INTS - 2, INTS + 2),
    "remainder": binary(np.remainder, INTS - 2, INTS + 2),
    "power": binary(np.power, POSITIVE),
    "maximum": binary(np.maximum),
    "minimum": binary(np.minimum),
    "matmul": binary(np.matmul, b=normal(4, 5)),
    "equal": binary(np.equal, INTS, INTS[::-1]),
    "not_equal": binary(np.not_equal, INTS, INTS[::-1]),
    "less": binary(np.less),
    "less_equal": binary(np.less_equal, INTS, INTS[::-1]),
    "greater": binary(np.greater),
    "greater_equal": binary(np.greater_equal, INTS, INTS[::-1]),
    "logical_and": binary(np.logical_and, BOOLS, BOOLS[::-1]),
    "logical_or": binary(np.logical_or, BOOLS, BOOLS[::-1]),
    "clip": Row({}, (X, None, 0.5 * POSITIVE), reference=lambda x, a, b: np.fmin(x, b)),
    "where": Row({}, (BOOLS, X, Y), reference=np.where),
    "default": binary(lambda x, default: x),
    "einsum": Row(
        {"equation": "...ij,...jk->...ki"},
        ((X, normal(4, 5)),),
        reference=lambda xs: (xs[0] @ xs[1]).T,
    ),
}

REDUCTIONS: dict[str, Row] = {
    "sum": reduction(np.sum),
    "mean": reduction(np.mean),
    "prod": reduction(np.prod),
    "max": reduction(np.max),
    "min": reduction(np.min),
    "any": reduction(np.any, BOOLS),
    "all": reduction(np.all, BOOLS),
    "var": reduction(np.var, ddof=1),
    "std": reduction(np.std, ddof=1),
    "norm": reduction(np.linalg.norm, ord=2),
    "argmax": reduction(np.argmax),
    "argmin": reduction(np.argmin),
    "cumsum": unary(lambda x: np.cumsum(x, -1), axis=-1),
    "cumprod": unary(lambda x: np.cumprod(x, -1), axis=-1),
}

SHAPES: dict[str, Row] = {
    "reshape": unary(lambda x: x.reshape(3, 2, 2), shape=["...", 2, -1]),
    "flatten": unary(lambda x: x.reshape(12), start=-2),
    "transpose": Row({"permutation": [1, 0]}, (X,), reference=np.transpose, lead=False),
    "swapaxes": unary(lambda x: x.T, axis1=-1, axis2=-2),
    "expand_dims": unary(lambda x: x[:, None, :, None], axis=[-1, -3]),
    "squeeze": unary(lambda x: x[:, 0], X[:, None], axis=-2),
    "broadcast_to": Row(
        {"shape": [2, 3, 4]},
        (X,),
        reference=lambda x: np.broadcast_to(x, (2, 3, 4)),
        lead=False,
    ),
    "concatenate": Row(
        {"axis": -1}, ((X, Y[:, 1:]),), reference=lambda xs: np.concatenate(xs, -1)
    ),
    "stack": Row({"axis": -1}, ((X, Y),), reference=lambda xs: np.stack(xs, -1)),
    "split": unary(
        lambda x: (x[:, :1], x[:, 1:]), names=["a", "b"], sections=[1, 3], axis=-1
    ),
    "flip": unary(lambda x: x[::-1, ::-1], axis=[-1, -2]),
    "roll": unary(lambda x: np.roll(x, (1, 2), (0, 1)), shift=[1, 2], axis=[-2, -1]),
    "tile": unary(lambda x: np.tile(x, (2, 3)), reps=[2, 3]),
    "repeat_elements": unary(lambda x: np.repeat(x, 2, -1), repeats=2, axis=-1),
    "pad": unary(
        lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=3),
        pad_width=[[1, 2]],
        constant_values=3,
    ),
    "astype": unary(lambda x: x.astype(np.float32), INTS, dtype="float"),
    "index": unary(lambda x: x[1:, None, ::-2], at="..., 1:, None, ::-2"),
    "take": Row(
        {"axis": -1},
        (X, np.array([0, 9, -1, 2])),
        reference=lambda x, i: x[:, [0, 3, 0, 2]],
        lead=False,
    ),
    "take_along_axis": Row(
        {"axis": -1}, (X, INTS), reference=lambda x, i: np.take_along_axis(x, i, -1)
    ),
    "dynamic_slice": Row(
        {"size": [2], "axis": [-1]},
        (X, [np.int32(3)]),
        reference=lambda x, start: x[:, 2:4],
        lead=False,
    ),
    "dynamic_update_slice": Row(
        {"axis": [-1]},
        (X, Y[:, :2], [np.int32(1)]),
        reference=lambda x, update, start: np.c_[x[:, :1], update, x[:, 3:]],
        lead=False,
    ),
    "zeros": Row(
        {"shape": [2, 3], "dtype": "float"}, reference=lambda: np.zeros((2, 3))
    ),
    "ones": Row({"shape": [2, 3], "dtype": "float"}, reference=lambda: np.ones((2, 3))),
    "full": Row(
        {"shape": [2], "fill_value": 7, "dtype": "int32"}, reference=lambda: [7, 7]
    ),
    "zeros_like": unary(lambda x: 0 * x),
    "ones_like": unary(lambda x: 0 * x + 1),
    "full_like": unary(lambda x: 0 * x + 2.5, fill_value=2.5),
    "arange": Row(
        {"stop": 9, "start": 2, "step": 3}, reference=lambda: np.arange(2, 9, 3)
    ),
}

_affine = {"scale": normal(4), "bias": normal(4)}
_positions = np.array([0, 1, 5, 700], np.int32)
_cos, _sin = np.cos(_angles(_positions, 6, 1e4)), np.sin(_angles(_positions, 6, 1e4))


def _rotated(x: Any, cos: Any, sin: Any) -> Any:
    a, b = np.split(x, 2, -1)
    turned = (a + 1j * b) * (cos + 1j * sin)[..., None, :]
    return np.concatenate([turned.real, turned.imag], -1)


LAYERS: dict[str, Row] = {
    "linear": Row(
        {"in_features": 4, "out_features": 5},
        (X,),
        {"kernel": normal(4, 5), "bias": normal(5)},
        lambda x, kernel, bias: x @ kernel + bias,
    ),
    "embed": Row(
        {"num_embeddings": 4, "features": 5},
        (INTS,),
        {"embedding": normal(4, 5)},
        lambda ids, embedding: embedding[ids],
    ),
    "unembed": Row(
        {"num_embeddings": 5, "features": 4},
        (X,),
        {"embedding": normal(5, 4)},
        lambda x, embedding: x @ embedding.T,
    ),
    "param": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "buffer": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "constant": Row(
        {"value": [[1, 2], [3, 4]], "dtype": "int32"},
        reference=lambda: [[1, 2], [3, 4]],
    ),
    "layer_norm": Row(
        {"features": 4},
        (X,),
        _affine,
        lambda x, scale, bias: _standardized(x, 1e-5) * scale + bias,
    ),
    "rms_norm": Row(
        {"features": 4, "eps": 1e-6},
        (X,),
        {"scale": normal(4)},
        lambda x, scale: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale,
    ),
    "batch_norm": Row(
        {"features": 4},
        (IMAGE,),
        _affine | {"mean": np.zeros(4, np.float32), "var": np.ones(4, np.float32)},
        lead=False,
    ),
    "conv": Row(
        {"in_features": 4, "out_features": 6, "kernel_size": [3, 3], "strides": 2},
        (IMAGE,),
        {"kernel": normal(3, 3, 4, 6), "bias": normal(6)},
    ),
    "max_pool": unary(TORCH, IMAGE, window=[3, 2], strides=2, padding=[[1, 1], [0, 1]]),
    "min_pool": unary(TORCH, IMAGE, window=[3, 2], padding="SAME", ceil_mode=True),
    "avg_pool": unary(TORCH, IMAGE, window=[3, 3], padding=[[1, 1], [1, 0]]),
    "adaptive_avg_pool": unary(TORCH, IMAGE, sizes=[2, 4]),
    "adaptive_max_pool": unary(TORCH, IMAGE, sizes=[2, 4]),
    "attention_mask": Row(
        {"causal": True, "window": 2},
        (np.arange(2, 5), np.arange(5), np.array([1, 1, 1, 0, 1])),
        reference=lambda q, k, p: [
            [[j <= i and i - j < 2 and bool(p[j]) for j in k] for i in q]
        ],
    ),
    "padding_mask": unary(lambda p: (p != 0)[:, None, None], INTS),
    "dot_product_attention": Row(
        {"heads_per_kv": 2},
        (normal(3, 4, 6), normal(5, 2, 6), normal(5, 2, 7), normal(4, 3, 5) > -0.5),
    ),
    "rope_table": Row(
        {"dim": 6},
        (_positions,),
        reference=lambda p: (np.cos(_angles(p, 6, 1e4)), np.sin(_angles(p, 6, 1e4))),
        keeps=False,
    ),
    "rope": Row(
        {},
        (normal(4, 2, 6), _cos.astype(np.float32), _sin.astype(np.float32)),
        reference=_rotated,
    ),
    "sinusoidal": Row(
        {"dim": 6, "layout": "half_split"},
        (_positions,),
        reference=lambda p: np.concatenate(
            [np.sin(_angles(p, 6, 1e4)), np.cos(_angles(p, 6, 1e4))], -1
        ),
        keeps=False,
    ),
}

# Keys: what JAX draws is JAX's own, so the reference is the call of it.
RANDOM: dict[str, Row] = {
    "rng": Row(
        {},
        (),
        {"key_data": jax.random.key_data(KEY), "count": np.uint32(5)},
        lambda key_data, count: jax.random.key_data(jax.random.fold_in(KEY, 5)),
        grad=False,
    ),
    "dropout": Row(
        {"rate": 0.25, "broadcast_dims": [-1]},
        (X, KEY),
        reference=lambda x, key: (
            x * np.asarray(jax.random.bernoulli(key, 0.75, (3, 1))) / 0.75
        ),
        lead=False,
    ),
    "random_normal": Row(
        {"shape": [2, 3], "dtype": "float"},
        (KEY,),
        reference=lambda key: jax.random.normal(key, (2, 3), np.float32),
        lead=False,
    ),
    "random_uniform": Row(
        {"shape": [2, 3], "dtype": "float", "minval": 2.0, "maxval": 4.0},
        (KEY,),
        reference=lambda key: 2 + 2 * jax.random.uniform(key, (2, 3), np.float32),
        lead=False,
    ),
    "bernoulli": Row(
        {"shape": [2, 3], "p": 0.25},
        (KEY,),
        reference=lambda key: jax.random.uniform(key, (2, 3)) < 0.25,
        lead=False,
    ),
}

ROWS = ELEMENTWISE | REDUCTIONS | SHAPES | LAYERS | RANDOM
assert len(ROWS) == sum(map(len, (ELEMENTWISE, REDUCTIONS, SHAPES, LAYERS, RANDOM)))
