"""weight_norm: A kernel given as operand; two calls of one critic through one path.

198 parameters in 7 arrays.
Made by blox of sha256:bd888ad9823ae235f0f25b3a33e6c75ba0327f3fa9ebb03d6830d6b6fc23a532

    model = load("folder of params.safetensors")
    gap = nnx.jit(WeightNorm.__call__, static_argnames="train")(model, real, fake, train=True)
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

FEATURES = 6


class Conv(nnx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    def __init__(self, out_features: int) -> None:
        self.bias = nnx.Param(jnp.zeros((out_features,)))

    def __call__(self, x: Array, kernel: Array) -> Array:
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, kernel, [1, 1], "SAME", dimension_numbers=dimensions
        )
        return y + self.bias[...]


class Critic(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.raw = nnx.Param(
            jax.nn.initializers.normal(stddev=0.02)(rngs.params(), (3, 3, 3, FEATURES))
        )
        self.gain = nnx.Param(jnp.ones((FEATURES,)))
        self.conv = Conv(FEATURES)
        self.bn = nnx.BatchNorm(
            FEATURES, momentum=0.9, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, x: Array, *, train: bool) -> Array:
        sums = jnp.sum(jnp.square(self.raw[...]), axis=(0, 1, 2))
        kernel = self.raw[...] * (self.gain[...] * jax.lax.rsqrt(sums))
        x = self.conv(x, kernel=kernel)
        x = self.bn(x, use_running_average=not train)
        return jnp.mean(jax.nn.relu(x), axis=(1, 2, 3))


class WeightNorm(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.critic = Critic(rngs=rngs)

    def __call__(self, real: Array, fake: Array, *, train: bool = False) -> Array:
        """real, fake (batch, 8, 8, 3) -> gap (batch)."""
        dtype = self.critic.raw.dtype
        real, fake = real.astype(dtype), fake.astype(dtype)
        d_real = self.critic(real, train=train)
        d_fake = self.critic(fake, train=train)
        return d_real - d_fake


# The types of these, by name or last name; of all else, any float will do.
PINNED = {"mean": "float32", "var": "float32"}


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


def _filled(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a file or folder by name: of the shapes and types of those wanted."""
    arrays = stored_arrays(path)
    faults: list[str] = []
    used: dict[str, Any] = {}

    def taken(name: str, shape: tuple[int, ...], kind: str) -> Any:
        x = arrays.get(name, np.array(None))
        used[name] = x
        like = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, like)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        kind = PINNED.get(name, PINNED.get(name.rpartition(".")[2], kind))
        found[name] = taken(name, x.shape, kind)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> WeightNorm:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: WeightNorm(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
