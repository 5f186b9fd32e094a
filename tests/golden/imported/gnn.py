"""gnn: 72 parameters in 3 arrays.

Made by blox of sha256:623065b96fba1401e394b92d06cb53aac1d45dd56e590829407bf88f6296afff

    params = load_params("folder of params.safetensors")
    out = jax.jit(gnn)(params, nodes, senders, receivers)
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


def gather(x: Array, indices: Sequence[Array | int]) -> Array:
    """The elements of x at indices of several axes, which stand where the first was."""
    first = min([a % x.ndim for a in (0,)])
    x = jnp.moveaxis(x, (0,), range(first, first + 1))
    return x.at[*[slice(None)] * first, *indices].get(mode="clip")


def layer(params: Params, nodes: Array, senders: Array, receivers: Array) -> Array:
    x = nodes @ params["own"]
    messages = gather(nodes, [senders]) @ params["message"]
    x = x + jax.ops.segment_sum(messages, receivers, nodes.shape[0])
    return jax.nn.relu(x)


def gnn(params: Params, nodes: Array, senders: Array, receivers: Array) -> Array:
    """nodes (nodes, 4); senders, receivers (edges) -> (nodes, 2)."""
    nodes = nodes.astype(params["layers"]["own"].dtype)
    nodes, _ = jax.lax.scan(
        lambda nodes, p: (layer(p, nodes, senders, receivers), None),
        nodes,
        params["layers"],
    )
    out: Array = nodes @ params["out"]
    return out


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
SHAPES: Params = {"layers": (2, {"own": (4, 4), "message": (4, 4)}), "out": (4, 2)}
INIT: dict[str, Any] = {
    "own": jax.nn.initializers.normal(stddev=0.02),
    "message": jax.nn.initializers.normal(stddev=0.02),
    "out": jax.nn.initializers.normal(stddev=0.02),
}


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
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
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
