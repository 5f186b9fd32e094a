"""nnx_gpt: 40,739 parameters in 22 arrays.

Made by blox of sha256:9c6d8a35e55321fbf28a71f9c33ef75ca4ab69189af4177ee5556c0a5ef6eb35

    params = load_params("folder of params.safetensors")
    out, state = jax.jit(nnx_gpt)(params, tokens)
"""

import json
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


def einsum_linear(
    x: Array, kernel: Array, bias: Array, *, equation: str = "...a,abc->...bc"
) -> Array:
    """einsum(equation, x, kernel) + bias."""
    return jnp.einsum(equation, x, kernel) + bias


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-06) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.1) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def rng_(
    *, key_data: Array, count: Array, train: bool
) -> tuple[Array | None, dict[str, Array]]:
    """A key per call, fold_in(key, count), and the next state; none if not training."""
    if not train:
        return None, {}
    key = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.random.fold_in(key, count), {"key_data": key_data, "count": count + 1}


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="fill")


def fold_in(key: Any, part: str | int | Array) -> Any:
    """The key of a part, by its name or step; None stays None."""
    if key is None:
        return None
    data = crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)


def multi_head_attention(params: Params, inputs_q: Array) -> Array:
    """Applies multi-head dot product attention on the input data."""
    query = einsum_linear(inputs_q, **params["query"])
    key = einsum_linear(inputs_q, **params["key"])
    value = einsum_linear(inputs_q, **params["value"])
    x = jax.nn.dot_product_attention(query, key, value, is_causal=True)
    return einsum_linear(x, **params["out"], equation="...ab,abc->...c")


def mlp(params: Params, x: Array) -> Array:
    x = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return linear(x, **params["down"])


def block(params: Params, x: Array, rng: Array | None = None) -> Array:
    ln_1 = layer_norm(x, **params["ln_1"])
    x = x + dropout(multi_head_attention(params["attn"], ln_1), fold_in(rng, "dropout"))
    ln_2 = layer_norm(x, **params["ln_2"])
    return x + dropout(mlp(params["mlp"], ln_2), fold_in(rng, "dropout_2"))


def nnx_gpt(
    params: Params, tokens: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """tokens (batch, seq) -> (batch, seq, 64)."""
    seq = tokens.shape[1]
    if seq > 16:
        raise ValueError(f"expected {seq=} <= 16")
    state: Params = {}
    rng, state["rng"] = rng_(**params["rng"], train=train)
    x = embed(tokens, **params["wte"]) + embed(
        jnp.arange(seq, dtype=jnp.int32), **params["wpe"]
    )
    blocks_rng = fold_in(rng, "blocks")

    def blocks_step(x: Array, xs: tuple[Params, Array]) -> tuple[Array, None]:
        layer, i = xs
        return block(layer, x, fold_in(blocks_rng, i)), None

    x, _ = jax.lax.scan(blocks_step, x, (params["blocks"], jnp.arange(3)))
    return layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T, state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "ln_1": {"scale": (32,), "bias": (32,)},
    "attn": {
        "query": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "key": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "value": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "out": {"kernel": (4, 8, 32), "bias": (32,)},
    },
    "ln_2": {"scale": (32,), "bias": (32,)},
    "mlp": {
        "up": {"kernel": (32, 128), "bias": (128,)},
        "down": {"kernel": (128, 32), "bias": (32,)},
    },
}
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "wte": {"embedding": (64, 32)},
    "wpe": {"embedding": (16, 32)},
    "blocks": (3, BLOCK),
    "ln_f": {"scale": (32,), "bias": (32,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "blocks.attn.out.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0, 1],
        out_axis=[2],
    ),
    "blocks.mlp.up.kernel": jax.nn.initializers.lecun_normal(),
    "blocks.mlp.down.kernel": jax.nn.initializers.lecun_normal(),
}
DTYPES = {"key_data": "uint32", "count": "uint32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        init = INIT[path[:-1] if path[:-1] in INIT else name]
        return init(own, shapes, DTYPES.get(name, dtype))

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
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        kind = DTYPES.get(name.rpartition(".")[2], "float")
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
