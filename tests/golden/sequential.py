"""sequential: Parameters in lists, as a torch.nn.Sequential has them.

352 parameters in 52 arrays.
Made by blox of sha256:90592dddf1b5f5effa9c10edfe3e86fefa388a004fbb722c5bbe769e1f41e7ab

    params = load_params("folder of params.safetensors")
    y, state = jax.jit(sequential)(params, x)
"""

import json
from collections.abc import Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.dtypes import canonicalize_dtype
from safetensors.numpy import load_file

Params = dict[str, Any]

WIDTH = 4


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    var: Array,
    momentum: float = 0.9,
    eps: float = 1e-05,
    train: bool,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state: dict[str, Array] = {}
    if train:
        old_mean, old_var = mean, var
        mean = jnp.mean(y, axis=(0,))
        y = y - mean
        var = jnp.mean(jnp.square(y), axis=(0,))
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * var
    else:
        y = y - mean
    factor = jax.lax.rsqrt(var + eps)
    y = y * (factor * scale) + bias
    return y.astype(x.dtype), state


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


def kept(params: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    if paths == [""]:
        return params if train else {}
    parts: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        parts.setdefault(name, []).append(rest)
    if isinstance(params, list):
        copies = enumerate(params)
        return [kept(p, parts.get(str(i), []), train=train) for i, p in copies]
    state: dict[str, Any] = {}
    for name, below in parts.items():
        if train or below != [""]:
            state[name] = kept(params[name], below, train=train)
    return state


def block(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    up = linear(x, **params["mlp"][0])
    up, norm_state = batch_norm(up, **params["mlp"][1], train=train)
    state = merge(state, {"mlp": [{}, norm_state]})
    return x + up, state


def same(x: Array) -> Array:
    return x * 1


def sequential(
    params: Params, x: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """x (batch, width) -> y (batch, 4)."""
    x = x.astype(params["features"][0]["kernel"].dtype)
    state: Params = {}
    x = linear(x, **params["features"][0])
    x, norm_state = batch_norm(x, **params["features"][1], train=train)
    state = merge(state, {"features": [{}, norm_state, {}]})
    x = linear(jax.nn.relu(x), **params["features"][2]["inner"])
    x = linear(x, **params["features"][0])
    x, first_state = block(params["blocks"][0], x, train=train)
    state = merge(state, {"blocks": [first_state, {}, {}]})
    x, second_state = block(params["blocks"][1], x, train=train)
    state = merge(state, {"blocks": [{}, second_state, {}]})
    x, third_state = block(params["blocks"][2], x, train=train)
    state = merge(state, {"blocks": [{}, {}, third_state]})
    x = x * params["scales"][0] + params["scales"][1]
    x, state["h"] = jax.lax.scan(
        lambda x, layer: block(layer, x, train=train), x, params["h"]
    )
    state["u"] = []
    for layer in params["u"]:
        x, layer_state = block(layer, x, train=train)
        state["u"].append(layer_state)
    positive = jnp.sum(x) > 0

    def pick_then() -> tuple[Array, Params]:
        outputs, new = block(params["pick"]["then"], x, train=train)
        return outputs, {"then": new}

    def pick_else() -> tuple[Array, Params]:
        outputs = same(x)
        return outputs, {
            "then": kept(
                params["pick"]["then"], ["mlp.1.mean", "mlp.1.var"], train=train
            )
        }

    pick, state["pick"] = jax.lax.cond(positive, pick_then, pick_else)
    return pick, state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "mlp": [
        {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
        dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,)),
    ]
}
SHAPES: Params = {
    "features": [
        {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
        dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,)),
        {"inner": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}},
    ],
    "blocks": [BLOCK] * 3,
    "scales": [(WIDTH,), (WIDTH,)],
    "h": (2, BLOCK),
    "u": [BLOCK] * 2,
    "pick": {"then": BLOCK},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
    "scales": jax.nn.initializers.ones,
    "features.inner.kernel": jax.nn.initializers.normal(stddev=0.02),
    "scales.1": jax.nn.initializers.zeros,
}
DTYPES = {"mean": "float32", "var": "float32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if isinstance(shapes, list):
            return [draw(s, f"{path}{i}.", *copies, i) for i, s in enumerate(shapes)]
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        place = path[:-1]
        path = "".join(f"{p}." for p in place.split(".") if not p.isdigit())
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        init = INIT[path[:-1] if path[:-1] in INIT else name]
        init = INIT.get(place, init)
        kind = DTYPES.get(name, dtype)
        kind = DTYPES.get(path[:-1], kind)
        kind = DTYPES.get(place, kind)
        kind = dtype if kind == "float" else kind
        return init(own, shapes, kind)

    return dict(draw(SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        pairs = json.loads(index.read_bytes(), object_pairs_hook=tuple)
        [places] = [sorted(part) for key, part in pairs if key == "weight_map"]
        names = {name for _, name in places}
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != sorted((key, name) for name, shard in shards.items() for key in shard):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []

    def read(shapes: Any, path: str = "", *axes: int) -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.", *axes) for k, s in shapes.items()}
        if isinstance(shapes, list):
            n = len(shapes)
            if path in numbered or shapes != shapes[:1] * n:
                return [read(s, f"{path}{i}.", *axes) for i, s in enumerate(shapes)]
            copies = read(shapes[0], path, *axes, n)
            takes = [partial(np.take, indices=i, axis=len(axes)) for i in range(n)]
            return [jax.tree.map(take, copies) for take in takes]
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        names = [part for part in name.split(".") if not part.isdigit()]
        kind = DTYPES.get(names[-1], "float")
        kind = DTYPES.get(".".join(names), kind)
        kind = DTYPES.get(name, kind)
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
