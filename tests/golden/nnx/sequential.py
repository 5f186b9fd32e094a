"""sequential: Parameters in lists, as a torch.nn.Sequential has them.

352 parameters in 52 arrays.
Made by blox of sha256:90592dddf1b5f5effa9c10edfe3e86fefa388a004fbb722c5bbe769e1f41e7ab

    model = load("folder of params.safetensors")
    y = nnx.jit(Sequential.__call__, static_argnames="train")(model, x, train=True)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)

WIDTH = 4


class Buffer(nnx.Variable[Array]):
    """An array that is not trained."""


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def _with_state(module: Any, *args: Any, **keywords: Any) -> tuple[Any, Any]:
    """What a copy of a module gives, and its state then: loops of JAX hand it on."""
    module = nnx.clone(module)
    outputs = module(*args, **keywords)
    return outputs, nnx.state(module, nnx.BatchStat)


def same(x: Array) -> Array:
    return x * 1


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.mlp: nnx.List[Any] = nnx.List(
            [
                nnx.Linear(WIDTH, WIDTH, rngs=rngs),
                nnx.BatchNorm(
                    WIDTH,
                    momentum=0.9,
                    epsilon=1e-05,
                    use_fast_variance=False,
                    rngs=rngs,
                ),
            ]
        )

    def __call__(self, x: Array, *, train: bool) -> Array:
        up = self.mlp[0](x)
        up = self.mlp[1](up, use_running_average=not train)
        out: Array = x + up
        return out


class Sequential(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.features: nnx.List[Any] = nnx.List(
            [
                nnx.Linear(WIDTH, WIDTH, rngs=rngs),
                nnx.BatchNorm(
                    WIDTH,
                    momentum=0.9,
                    epsilon=1e-05,
                    use_fast_variance=False,
                    rngs=rngs,
                ),
                nnx.Dict(
                    {
                        "inner": nnx.Linear(
                            WIDTH,
                            WIDTH,
                            kernel_init=jax.nn.initializers.normal(stddev=0.02),
                            rngs=rngs,
                        )
                    }
                ),
            ]
        )
        self.blocks = nnx.List([Block(rngs=rngs), Block(rngs=rngs), Block(rngs=rngs)])
        self.scales = nnx.List(
            [nnx.Param(jnp.ones((WIDTH,))), Buffer(jnp.zeros((WIDTH,)))]
        )
        self.h = _stacked(lambda rngs: Block(rngs=rngs), 2, rngs)
        self.u = nnx.List([Block(rngs=rngs) for _ in range(2)])
        self.pick = nnx.Dict({"then": Block(rngs=rngs)})

    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """x (batch, width) -> y (batch, 4)."""
        x = x.astype(self.features[0].kernel.dtype)
        x = self.features[0](x)
        x = self.features[1](x, use_running_average=not train)
        x = self.features[2]["inner"](jax.nn.relu(x))
        x = self.features[0](x)
        x = self.blocks[0](x, train=train)
        x = self.blocks[1](x, train=train)
        x = self.blocks[2](x, train=train)
        x = x * self.scales[0][...] + self.scales[1][...]
        x, h_state = jax.lax.scan(
            lambda x, layer: _with_state(layer, x, train=train), x, self.h
        )
        nnx.update(self.h, h_state)
        for layer in self.u:
            x = layer(x, train=train)
        positive = jnp.sum(x) > 0

        def pick_then() -> tuple[Array, Any]:
            outputs, new = _with_state(self.pick["then"], x, train=train)
            return outputs, {"then": new}

        def pick_else() -> tuple[Array, Any]:
            outputs = same(x)
            return outputs, {"then": nnx.state(self.pick["then"], nnx.BatchStat)}

        pick, pick_state = jax.lax.cond(positive, pick_then, pick_else)
        nnx.update(self.pick, pick_state)
        out: Array = pick
        return out


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("h",)


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
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}

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

    def alike(head: str) -> int:
        """How many copies of one kind a list has, or 0."""
        copies: dict[str, dict[str, Any]] = {}
        for name, x in wanted.items():
            if name.startswith(head):
                i, _, rest = name.removeprefix(head).partition(".")
                copies.setdefault(i, {})[rest] = x.shape
        return len(copies) if all(c == copies["0"] for c in copies.values()) else 0

    def read(
        parts: list[str],
        shape: tuple[int, ...],
        kind: str,
        path: str,
        head: str,
        axis: int,
    ) -> Any:
        """An array by the rest of its name; `path` is what a file has, `head` the name."""
        if not parts:
            return taken(path[:-1], shape, kind)
        part, *rest = parts
        if part == "*":
            if path not in numbered:
                return read(rest, shape, kind, path, head, axis + 1)
            one = shape[:axis] + shape[axis + 1 :]
            paths = [f"{path}{i}." for i in range(shape[axis])]
            return np.stack([read(rest, one, kind, p, head, axis) for p in paths], axis)
        below = f"{head}{part}."
        n = alike(head) if part.isdigit() and path not in numbered else 0
        if n:
            every = (*shape[:axis], n, *shape[axis:])
            return np.take(
                read(rest, every, kind, path, below, axis + 1), int(part), axis
            )
        return read(rest, shape, kind, f"{path}{part}.", below, axis)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        kind = PINNED.get(name, PINNED.get(name.rpartition(".")[2], kind))
        parts = ["*"] * STACKED.count("")
        for i, part in enumerate(name.split(".")):
            head = ".".join(name.split(".")[: i + 1])
            parts += [part, *["*"] * STACKED.count(head)]
        found[name] = read(parts, x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> Sequential:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: Sequential(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
