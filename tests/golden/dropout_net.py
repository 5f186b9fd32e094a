"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:b085d6291dff50ce92b37bdedb9429e7e563b44f1ccb552cffcb5b610077f306

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(dropout_net)(params, x)
"""

import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]

DEPTH = 4


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.25) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def rng(
    *, key_data: Array, count: Array, train: bool
) -> tuple[Array | None, dict[str, Array]]:
    """A key per call, fold_in(key, count), and the next state; none if not training."""
    if not train:
        return None, {}
    key = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.random.fold_in(key, count), {"key_data": key_data, "count": count + 1}


def fold_in(key: Any, part: str | int | Array) -> Any:
    """The key of a part, by its name or step; None stays None."""
    if key is None:
        return None
    data = zlib.crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)


def layer(params: Params, x: Array, key: Array | None = None) -> Array:
    x = jnp.tanh(x @ params["linear"]["kernel"] + params["linear"]["bias"])
    return dropout(x, fold_in(key, "drop"))


def dropout_net(
    params: Params, x: Array, *, train: bool = False
) -> tuple[Array, Params]:
    x = x.astype(params["scanned"]["linear"]["kernel"].dtype)
    state: Params = {}
    key, state["rng"] = rng(**params["rng"], train=train)
    scanned_key = fold_in(key, "scanned")

    def scanned_step(x: Array, xs: tuple[Params, Array]) -> tuple[Array, None]:
        layer_, i = xs
        return jax.checkpoint(layer, prevent_cse=False)(
            layer_, x, fold_in(scanned_key, i)
        ), None

    x, _ = jax.lax.scan(scanned_step, x, (params["scanned"], jnp.arange(DEPTH)))
    unrolled_key = fold_in(key, "unrolled")
    for i, layer_ in enumerate(params["unrolled"]):
        x = jax.checkpoint(layer, policy=jax.checkpoint_policies.dots_saveable)(
            layer_, x, fold_in(unrolled_key, i)
        )
    x = jax.checkpoint(layer, policy=jax.checkpoint_policies.everything_saveable)(
        params["last"], x, fold_in(key, "last")
    )
    return dropout(x, fold_in(key, "out"), rate=0.1), state


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "scanned": {"linear": {"kernel": (4, 16, 16), "bias": (4, 16)}},
    "unrolled": [{"linear": {"kernel": (16, 16), "bias": (16,)}} for _ in range(2)],
    "last": {"linear": {"kernel": (16, 16), "bias": (16,)}},
}
STACKED = ["scanned"]
INIT: dict[str, Callable[..., Array]] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
DTYPES: dict[str, Any] = {"key_data": jnp.uint32, "count": jnp.uint32}


def each_array(make: Callable[..., Any], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape; * is an axis of copies."""
    parts = ["*" if p.isdigit() else p for p in path[1:].split(".")]
    path += ".*" * STACKED.count(".".join(parts))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if isinstance(tree, list):
        return [each_array(make, t, f"{path}.{i}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def named(path: str) -> str:
    """A path without the numbers of copies."""
    return ".".join(part for part in path.split(".") if part.isidentifier())


def all_copies(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
    """What `make` draws for copies on an axis: each folds its number into the key."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: make(key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    dtype = jnp.dtype(dtype)
    enabled = dtype == jax.dtypes.canonicalize_dtype(dtype)
    if not enabled or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a float that JAX has enabled, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Any:
        name = named(path)
        make = INIT[name.rpartition(".")[2]]
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        for _ in range(path.count("*")):
            make = partial(all_copies, make)
        for number in filter(str.isdigit, path.split(".")):
            own = jax.random.fold_in(own, int(number))
        kind = DTYPES.get(name.rpartition(".")[2], dtype)
        return make(own, shape, kind)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    if (path / ".blox-commit.json").exists():
        raise ValueError(f"{path}: expected a finished save, found .blox-commit.json")
    file = path if path.is_file() else path / "params.safetensors"
    index = path / "params.safetensors.index.json"
    if file.is_file() == index.is_file():
        both = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {both}")
    if file.is_file():
        return load_file(file)
    places = json.loads(index.read_text())["weight_map"]
    names = {Path(name).name for name in places.values()}
    shards = {name: load_file(path / name) for name in sorted(names)}
    pairs = [(key, name) for name, arrays in shards.items() for key in arrays]
    if sorted(pairs) != sorted(places.items()):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for arrays in shards.values() for key, array in arrays.items()}


def apart(name: str, slots: list[str], x: Any) -> list[tuple[str, Any]]:
    """The copies in an array of a file, by their numbers; the file may stack them."""
    parts = name.split(".")
    for at, slot in enumerate(slots):
        numbered = slot.isidentifier() or "".join(parts[at : at + 1]).isdigit()
        if x.ndim and not numbered:
            rows = range(len(x))
            names = [".".join([*parts[:at], str(i), *parts[at:]]) for i in rows]
            return [copy for i in rows for copy in apart(names[i], slots, x[i])]
    return [(name, x)]


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    paths = jax.tree.leaves(each_array(lambda path, _: path, SHAPES))
    slots = {named(path): path.split(".") for path in paths}
    ready = {path.replace(".*", "") for path in paths}
    copies = [(name, x) for name, x in arrays.items() if name in ready]
    for name in sorted(arrays.keys() - ready):
        copies += apart(name, slots.get(named(name), []), arrays[name])
    dots = {named(name): name.count(".") for name in arrays}
    mixed = any(dots[named(name)] != name.count(".") for name in arrays)
    arrays = dict(copies)
    if mixed or len(arrays) < len(copies):
        raise ValueError(f"{path}: expected copies in lists or stacked, found both")
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        if "*" in path and path.replace("*", "0") in arrays:
            every = [path.replace("*", str(i), 1) for i in range(shape[0])]
            copies = [take(copy, shape[1:]) for copy in every]
            if not faults and len({x.dtype for x in copies}) > 1:
                faults.append(f"{path}: expected copies of one dtype, found several")
            return None if faults else jnp.stack(copies)
        name = path.replace(".*", "")
        x = arrays.pop(name, None)
        own = DTYPES.get(name.rpartition(".")[2])
        kind = own or jnp.floating
        if x is None or x.shape != shape or not jnp.issubdtype(x.dtype, kind):
            found = "no array" if x is None else f"{x.dtype} {x.shape}"
            wanted = jnp.dtype(own).name if own else "float"
            faults.append(f"{name}: expected {wanted} {shape}, found {found}")
        elif x.dtype != jax.dtypes.canonicalize_dtype(x.dtype):
            faults.append(f"{name}: expected at most 32 bits a value, found {x.dtype}")
        return None if faults else jnp.asarray(x)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(params)
