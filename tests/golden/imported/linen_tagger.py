"""linen_tagger: 2,173 parameters in 11 arrays.

Made by blox of sha256:ce5b4ce5bf293a0c122107197fd1ce582e4a2ab586724e6d48b11b23a75382df

    params = load_params("folder of params.safetensors")
    out = jax.jit(linen_tagger)(params, tokens)
"""

import json
from functools import partial
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


def gru_cell(
    x: Array,
    h: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array,
    recurrent_bias: Array,
) -> Array:
    """h of the next step: x (..., in), h (..., units)."""
    a = x @ kernel + bias
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    b = h @ recurrent_kernel + recurrent_bias
    b_r, b_z, b_n = jnp.split(b, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + b_r), jax.nn.sigmoid(a_z + b_z)
    n = jnp.tanh(a_n + r * b_n)
    return (1 - z) * n + z * h


def step(params: Params, h: Array, x: Array) -> tuple[Array, Array]:
    y = jnp.concatenate(
        [jnp.zeros((24,), params["hn"]["bias"].dtype), params["hn"]["bias"]], axis=-1
    )
    h = gru_cell(
        x,
        h,
        recurrent_bias=y,
        kernel=params["kernel"],
        recurrent_kernel=params["recurrent_kernel"],
        bias=params["bias"],
    )
    return h, h


def rnn(params: Params, inputs: Array) -> Array:
    """Applies the RNN to the inputs."""
    x = jnp.zeros((inputs.shape[0], 12), params["hn"]["bias"].dtype)
    scan_x = jnp.moveaxis(inputs, 1, 0)
    y: Array
    _, y = jax.lax.scan(lambda h, x: step(params, h, x), x, scan_x)
    y = jnp.moveaxis(y, 0, 1)
    return y


def rnn_reverse(params: Params, inputs: Array) -> Array:
    """Applies the RNN to the inputs."""
    x = jnp.zeros((inputs.shape[0], 12), params["hn"]["bias"].dtype)
    scan_x = jnp.moveaxis(inputs, 1, 0)
    y: Array
    _, y = jax.lax.scan(lambda h, x: step(params, h, x), x, scan_x, reverse=True)
    y = jnp.moveaxis(y, 0, 1)
    return y


def bidirectional(params: Params, inputs: Array) -> Array:
    """Processes the input in both directions and merges the results."""
    return jnp.concatenate(
        [rnn(params["GRUCell_0"], inputs), rnn_reverse(params["GRUCell_1"], inputs)],
        axis=-1,
    )


def linen_tagger(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> (batch, seq, 5)."""
    Embed_0 = jnp.take(params["Embed_0"]["embedding"], tokens, axis=0, mode="fill")
    x: Array = bidirectional(params, Embed_0)
    x = x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    return x


def in_float32(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """What an initialiser draws that decomposes a matrix: not to be done in 16 bits."""
    array: Array = make(key, shape, jnp.promote_types(dtype, jnp.float32))
    return array.astype(dtype)


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "Embed_0": {"embedding": (64, 8)},
    "GRUCell_0": {
        "hn": {"bias": (12,)},
        "kernel": (8, 36),
        "recurrent_kernel": (12, 36),
        "bias": (36,),
    },
    "GRUCell_1": {
        "hn": {"bias": (12,)},
        "kernel": (8, 36),
        "recurrent_kernel": (12, 36),
        "bias": (36,),
    },
    "Dense_0": {"kernel": (24, 5), "bias": (5,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "recurrent_kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
    "GRUCell_0.hn.bias": jax.nn.initializers.normal(stddev=0.02),
    "GRUCell_1.hn.bias": jax.nn.initializers.normal(stddev=0.02),
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.") for k, s in shapes.items()}
        name = path.split(".")[-2]
        own = jax.random.fold_in(key, crc32(path[:-1].encode()))
        return INIT[path[:-1] if path[:-1] in INIT else name](own, shapes, dtype)

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
    faults: list[str] = []

    def read(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.") for k, s in shapes.items()}
        name, shape = path[:-1], (*shapes,)
        x = arrays.pop(name, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
