"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:b085d6291dff50ce92b37bdedb9429e7e563b44f1ccb552cffcb5b610077f306

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(dropout_net)(params, x)
"""

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

Params = dict[str, Any]


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def dropout(x: Array, key: Array | None = None, *, rate: float) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None or rate == 0:
        return x
    shape = list(x.shape)
    keep = jax.random.bernoulli(key, 1 - rate, tuple(shape))
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
    tanh = jnp.tanh(linear(x, **params["linear"]))
    return dropout(tanh, fold_in(key, "drop"), rate=0.25)


def dropout_net(
    params: Params, x: Array, *, train: bool = False
) -> tuple[Array, Params]:
    state: Params = {}
    rng_, state["rng"] = rng(**params["rng"], train=train)
    scanned_key = fold_in(rng_, "scanned")

    def scanned_step(x: Array, xs: Any) -> tuple[Any, Any]:
        layer_, i = xs
        return jax.checkpoint(layer, prevent_cse=False)(
            layer_, x, fold_in(scanned_key, i)
        ), None

    scanned, _ = jax.lax.scan(scanned_step, x, (params["scanned"], jnp.arange(4)))
    unrolled_key = fold_in(rng_, "unrolled")
    unrolled = scanned
    for i, layer_ in enumerate(params["unrolled"]):
        unrolled = jax.checkpoint(layer, policy=jax.checkpoint_policies.dots_saveable)(
            layer_, unrolled, fold_in(unrolled_key, i)
        )
    last = jax.checkpoint(layer, policy=jax.checkpoint_policies.everything_saveable)(
        params["last"], unrolled, fold_in(rng_, "last")
    )
    return dropout(last, fold_in(rng_, "out"), rate=0.1), state


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "scanned": {"linear": {"kernel": (4, 16, 16), "bias": (4, 16)}},
    "unrolled": [{"linear": {"kernel": (16, 16), "bias": (16,)}} for _ in range(2)],
    "last": {"linear": {"kernel": (16, 16), "bias": (16,)}},
}
STACKED = ["scanned"]
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
DTYPES: dict[str, Any] = {"key_data": jnp.uint32, "count": jnp.uint32}


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    parts = path[1:].split(".")
    starred = ["*" if ":" in p else p for p in parts]
    path += ".*" * STACKED.count(".".join(starred))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if isinstance(tree, list):
        n = len(tree)
        return [each_array(make, t, f"{path}.{i}:{n}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def drawn(
    copies: Sequence[str], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    if copies[0] != "*":
        key = jax.random.fold_in(key, int(copies[0].partition(":")[0]))
        return drawn(copies[1:], make, key, shape, dtype)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        copies = [part for part in names if not part.isidentifier()]
        names = [part for part in names if part.isidentifier()]
        own = DTYPES.get(names[-1])
        kind = jnp.dtype(own or dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = INIT[names[-1]]
        make = partial(drawn, copies, make)
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(fetch: Any, stored: Any, path: str, shape: tuple[int, ...]) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    parts = path.split(".")
    own = [p.partition(":")[0] for p in parts if p != "*"]
    there = stored.get(".".join(p for p in parts if p.isidentifier()), own)

    def find(
        todo: Any, there: Any, name: str, index: Any, sizes: Any, shape: Any
    ) -> Any:
        if not todo:
            return fetch(name[1:], (*sizes, *shape))[index]
        part, *todo = todo
        if part.isidentifier():
            return find(todo, there[1:], f"{name}.{part}", index, sizes, shape)
        numbered = "".join(there[:1]).isdigit()
        if part != "*":
            i, n = map(int, part.split(":"))
            if numbered:
                return find(todo, there[1:], f"{name}.{i}", index, sizes, shape)
            return find(todo, there, name, (*index, i), (*sizes, n), shape)
        n, *inner = shape
        if not numbered:
            return find(todo, there, name, (*index, slice(None)), (*sizes, n), inner)
        every = [f"{name}.{i}" for i in range(n)]
        copies = [find(todo, there[1:], one, index, sizes, inner) for one in every]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{path}: expected copies of one dtype, found several")
        return jnp.stack(copies, index.count(slice(None)))

    return find(parts, there, "", (), (), shape)


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = (array.shape, array.dtype, "float")
        fits = jnp.issubdtype(kind, jnp.floating)
        names = [part for part in name.split(".") if not part.isdigit()]
        own = DTYPES.get(names[-1])
        wanted = wanted if own is None else jnp.dtype(own).name
        fits = fits if own is None else kind == own
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    parts = [name.split(".") for name in arrays]
    stored = {".".join(p for p in path if not p.isdigit()): path for path in parts}
    make = partial(assembled, fetch, stored)
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
