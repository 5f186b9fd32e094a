"""nnx_tagger: 2,653 parameters in 9 arrays.

Made by blox of sha256:44091d6b3ca27ce74b93de7d97c0d5cf7b97e31a8d9f37122108dc116d3c28a1

    params = load_params("folder of params.safetensors")
    out = jax.jit(nnx_tagger)(params, tokens)
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


def lstm_cell(
    x: Array, h: Array, c: Array, kernel: Array, recurrent_kernel: Array, bias: Array
) -> tuple[Array, Array]:
    """(h, c) of the next step: x (..., in), h and c (..., units)."""
    y = x @ kernel + h @ recurrent_kernel + bias
    i, f, g, o = jnp.split(y, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def step(params: Params, c: Array, h: Array, x: Array) -> tuple[Array, Array, Array]:
    h, c = lstm_cell(x, h, c, **params)
    return c, h, h


def rnn(params: Params, inputs: Array) -> Array:
    """The RNN module takes any RNNCellBase instance and applies it over a sequence"""
    x = jnp.zeros((inputs.shape[0], 12), params["cell"]["kernel"].dtype)
    cell_x = jnp.moveaxis(inputs, 1, 0)

    def cell_step(
        carry: tuple[Array, Array], x: Array
    ) -> tuple[tuple[Array, Array], Array]:
        c, h = carry
        c, h, y = step(params["cell"], c, h, x)
        return (c, h), y

    _, y = jax.lax.scan(cell_step, (x, x), cell_x)
    y = jnp.moveaxis(y, 0, 1)
    return y


def rnn_reverse(params: Params, inputs: Array) -> Array:
    """The RNN module takes any RNNCellBase instance and applies it over a sequence"""
    x = jnp.zeros((inputs.shape[0], 12), params["cell"]["kernel"].dtype)
    cell_x = jnp.moveaxis(inputs, 1, 0)

    def cell_step(
        carry: tuple[Array, Array], x: Array
    ) -> tuple[tuple[Array, Array], Array]:
        c, h = carry
        c, h, y = step(params["cell"], c, h, x)
        return (c, h), y

    _, y = jax.lax.scan(cell_step, (x, x), cell_x, reverse=True)
    y = jnp.moveaxis(y, 0, 1)
    return y


def nnx_tagger(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> (batch, seq, 5)."""
    x: Array = jnp.take(params["embed"]["embedding"], tokens, axis=0, mode="fill")
    x = jnp.concatenate(
        [rnn(params["forward"], x), rnn_reverse(params["backward"], x)], axis=-1
    )
    x = x @ params["head"]["kernel"] + params["head"]["bias"]
    return x


def in_float32(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """What an initialiser draws that decomposes a matrix: not to be done in 16 bits."""
    array: Array = make(key, shape, jnp.promote_types(dtype, jnp.float32))
    return array.astype(dtype)


# The shape of each array, where it lies in params.
STEP: Params = {"kernel": (8, 48), "recurrent_kernel": (12, 48), "bias": (48,)}
SHAPES: Params = {
    "embed": {"embedding": (64, 8)},
    "forward": {"cell": STEP},
    "backward": {"cell": STEP},
    "head": {"kernel": (24, 5), "bias": (5,)},
}
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "kernel": jax.nn.initializers.lecun_normal(),
    "recurrent_kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
    "bias": jax.nn.initializers.zeros,
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.") for k, s in shapes.items()}
        own = jax.random.fold_in(key, crc32(path[:-1].encode()))
        return INIT[path.split(".")[-2]](own, shapes, dtype)

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
