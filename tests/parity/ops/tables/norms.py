"""Norms over features, groups, places and batches."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import jax
import torch
import torch.nn.functional as F
from flax import nnx
from parity.ops.tables.row import Numbers, Peer, Row, Rows, first, last
from torch import nn

SPATIAL = {0: (), 1: (5,), 2: (4, 3), 3: (2, 3, 4)}


def affine(numbers: Numbers, shape: Any, scale: bool, bias: bool) -> dict[str, Any]:
    return ({"scale": numbers(*shape)} if scale else {}) | (
        {"bias": numbers(*shape)} if bias else {}
    )


def layer_norms() -> Rows:
    numbers = Numbers(20)
    for shape, (scale, bias), eps, mean in product(
        ((6,), (3, 6), (2, 3, 6)),
        product((True, False), repeat=2),
        (1e-5, 1e-2),
        (0, 30),
    ):

        def reference(
            x: Any, scale: Any = None, bias: Any = None, row: Any = (shape, eps)
        ) -> Any:
            shape, eps = row
            weight = torch.ones(shape, dtype=x.dtype) if scale is None else scale
            return F.layer_norm(x, shape, weight, bias, eps)

        features = list(shape) if len(shape) > 1 else shape[0]
        x = numbers(4, 2, 3, 6) + mean
        given = {"features": features, "eps": eps}
        yield Row(
            "layer_norm",
            given | {"use_scale": scale, "use_bias": bias},
            {"x": x} | affine(numbers, shape, scale, bias),
            reference,
            near=1e-5 if not mean else 2e-5,  # 30 in float32 has 2e-6 of its own
        )


def rms_norms() -> Rows:
    numbers = Numbers(21)
    for shape, eps, size in product(((6,), (3, 6)), (1e-6, 1e-2), (1, 100)):

        def reference(x: Any, scale: Any, row: Any = (shape, eps)) -> Any:
            return F.rms_norm(x, row[0], scale, row[1])

        features = list(shape) if len(shape) > 1 else shape[0]
        yield Row(
            "rms_norm",
            {"features": features, "eps": eps},
            {"x": size * numbers(4, 3, 6), "scale": numbers(*shape)},
            reference,
        )


def norms_of_jax() -> Rows:
    numbers = Numbers(22)
    for eps, library, kind in product(
        (1e-5, 1e-2), ("flax", "equinox"), ("layer_norm", "rms_norm")
    ):

        def reference(
            x: Any, scale: Any, bias: Any = None, row: Any = (eps, library, kind)
        ) -> Any:
            eps, library, kind = row
            if library == "flax":
                made = nnx.LayerNorm if kind == "layer_norm" else nnx.RMSNorm
                module = made(6, epsilon=eps, param_dtype=x.dtype, rngs=nnx.Rngs(0))
                module.scale = nnx.Param(scale)
                if bias is not None:
                    module.bias = nnx.Param(bias)
                return module(x)
            made = eqx.nn.LayerNorm if kind == "layer_norm" else eqx.nn.RMSNorm
            module = made(6, eps, use_bias=bias is not None)
            module = eqx.tree_at(lambda m: m.weight, module, scale)
            if bias is not None:
                module = eqx.tree_at(lambda m: m.bias, module, bias)
            return jax.vmap(jax.vmap(module))(x)

        arrays = {"x": numbers(3, 4, 6), "scale": numbers(6)}
        if kind == "layer_norm":
            arrays["bias"] = numbers(6)
        given = {"features": 6, "eps": eps}
        yield Row(kind, given, arrays, reference, library)  # type: ignore[arg-type]


def spatial_norms() -> Rows:
    numbers = Numbers(23)
    for n, groups, (scale, bias), eps in product(
        (0, 1, 2, 3), (1, 2, 3, 6, None), product((True, False), repeat=2), (1e-5, 0.1)
    ):
        if n == 0 and groups in (None, 3, 6):  # of one number, or of two
            continue

        def reference(
            x: Any, scale: Any = None, bias: Any = None, row: Any = (n, groups, eps)
        ) -> Any:
            n, groups, eps = row
            if scale is None:  # PyTorch takes no bias alone
                scale = torch.ones(6, dtype=x.dtype)
            return last(F.group_norm(first(x, n), groups or 6, scale, bias, eps), n)

        op = "instance_norm" if groups is None else "group_norm"
        given = {"features": 6, "spatial_axes": n, "eps": eps}
        given |= {} if groups is None else {"groups": groups}
        x = numbers(2, *SPATIAL[n], 6) + (20 if eps == 0.1 else 0)
        yield Row(
            op,
            given | {"use_scale": scale, "use_bias": bias},
            {"x": x} | affine(numbers, (6,), scale, bias),
            reference,
        )


def group_norm_of_jax() -> Rows:
    numbers = Numbers(24)
    for groups, library in product((1, 2, 6), ("flax", "equinox")):

        def reference(
            x: Any, scale: Any, bias: Any, row: Any = (groups, library)
        ) -> Any:
            groups, library = row
            if library == "flax":
                module = nnx.GroupNorm(
                    6, num_groups=groups, epsilon=1e-5, rngs=nnx.Rngs(0),
                    param_dtype=x.dtype,
                )  # fmt: skip
                module.scale, module.bias = nnx.Param(scale), nnx.Param(bias)
                return module(x)
            norm = eqx.nn.GroupNorm(groups, 6)
            norm = eqx.tree_at(lambda m: (m.weight, m.bias), norm, (scale, bias))
            return last(jax.vmap(norm)(first(x, 2)), 2)

        yield Row(
            "group_norm",
            {"features": 6, "spatial_axes": 2, "groups": groups, "eps": 1e-5},
            {"x": numbers(2, 3, 4, 6)} | affine(numbers, (6,), True, True),
            reference,
            library,  # type: ignore[arg-type]
        )


def batch_norms() -> Rows:
    """PyTorch's momentum is 1 - ours; it stores the unbiased variance."""
    numbers = Numbers(25)
    modules = {
        0: nn.BatchNorm1d,
        1: nn.BatchNorm1d,
        2: nn.BatchNorm2d,
        3: nn.BatchNorm3d,
    }
    for n, train, use, momentum, eps in product(
        (0, 1, 2, 3), (True, False), (True, False), (0.9, 0.2, 0.0), (1e-5, 1e-2)
    ):

        def reference(
            x: Any, mean: Any, var: Any, scale: Any = None, bias: Any = None,
            row: Any = (modules[n], n, train, momentum, eps),
        ) -> Any:  # fmt: skip
            made, n, train, momentum, eps = row
            module = made(6, eps, 1 - momentum, affine=False, dtype=x.dtype)
            old = mean.detach().clone(), var.detach().clone()
            module.running_mean, module.running_var = old
            y = last(module.train(train)(first(x, n)), n)
            if not train:
                # PyTorch's functions give no gradient of running statistics.
                y = (x - mean) * (var + eps).rsqrt()
                assert torch.allclose(y, last(module(first(x, n)), n))
            y = y if scale is None else y * scale + bias
            if not train:
                return y
            new = running(x.reshape(-1, 6), mean, var, momentum)
            assert torch.allclose(new[0], module.running_mean)
            assert torch.allclose(new[1], module.running_var)
            return y, *new

        arrays = {"x": 2 * numbers(5, *SPATIAL[n], 6) + 1}
        arrays |= affine(numbers, (6,), use, use)
        arrays |= {"mean": numbers(6), "var": abs(numbers(6)) + 0.5}
        yield Row(
            "batch_norm",
            {
                "features": 6, "eps": eps, "momentum": momentum, "unbiased": True,
                "use_scale": use, "use_bias": use,
            },
            arrays,
            reference,
            train=train,
        )  # fmt: skip


def running(x: Any, mean: Any, var: Any, momentum: float) -> tuple[Any, Any]:
    """The new statistics, of which PyTorch's module has no gradient."""
    batch = x.mean(0), x.var(0)
    old = mean, var
    return tuple(
        momentum * o + (1 - momentum) * b for o, b in zip(old, batch, strict=True)
    )


def batch_norms_of_jax() -> Rows:
    """Flax and Equinox store the biased variance."""
    numbers = Numbers(26)
    libraries: tuple[Peer, ...] = ("flax", "equinox")
    for momentum, train, library in product((0.9, 0.3), (True, False), libraries):

        def reference(
            x: Any, scale: Any, bias: Any, mean: Any, var: Any,
            row: Any = (momentum, train, library),
        ) -> Any:  # fmt: skip
            momentum, train, library = row
            if library == "flax":
                module = nnx.BatchNorm(
                    6, use_running_average=not train, momentum=momentum, epsilon=1e-5,
                    param_dtype=x.dtype, rngs=nnx.Rngs(0),
                )  # fmt: skip
                module.scale, module.bias = nnx.Param(scale), nnx.Param(bias)
                module.mean, module.var = nnx.BatchStat(mean), nnx.BatchStat(var)
                y = module(x)
                return (y, module.mean[...], module.var[...]) if train else y
            norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
                6, "batch", eps=1e-5, momentum=momentum, mode="batch"
            )
            norm = eqx.tree_at(lambda m: (m.weight, m.bias), norm, (scale, bias))
            state = state.set(norm.batch_state_index, (mean, var))
            norm = eqx.nn.inference_mode(norm, not train)
            run = jax.vmap(norm, (0, None), (0, None), axis_name="batch")
            y, state = run(first(x, 1), state)
            new = state.get(norm.batch_state_index) if train else ()
            return last(y, 1), *new

        arrays = {"x": 2 * numbers(5, 3, 6)} | affine(numbers, (6,), True, True)
        arrays |= {"mean": numbers(6), "var": abs(numbers(6)) + 0.5}
        given = {"features": 6, "eps": 1e-5, "momentum": momentum, "unbiased": False}
        yield Row(
            "batch_norm",
            given,
            arrays,
            reference,
            library,
            train=train,
            slopes=train and library == "equinox",  # Flax stops those of state
        )


TABLES = (
    layer_norms,
    rms_norms,
    norms_of_jax,
    spatial_norms,
    group_norm_of_jax,
    batch_norms,
    batch_norms_of_jax,
)
