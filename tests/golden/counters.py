"""counters: State that nodes read and assign, in every kind of loop and branch.

57 parameters in 20 arrays.
Made by blox of sha256:19f75106791d1b4bd5a1452a1239c37426019acb5e58c541234dfeb79563faca

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(counters)(params, x)
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


def counted(
    params: Params, x: Array, *, dtype: Any, train: bool
) -> tuple[Array, Params]:
    """Counts its calls, and keeps an average of its input."""
    state: Params = {}
    state["calls"] = params["calls"] + 1
    average = 0.9 * params["average"] + 0.1 * jnp.mean(x, axis=0)
    if train:
        state["average"] = average
    else:
        average = params["average"]
    x = x - average.astype(dtype)
    return jnp.tanh(x), state


def counted_2(
    params: Params, x: Array, *, dtype: Any, train: bool
) -> tuple[Array, Params]:
    """Counts its calls, and keeps an average of its input."""
    state: Params = {}
    state["calls"] = params["calls"] + 1
    average = 0.9 * params["average"] + 0.1 * jnp.mean(x, axis=0)
    if train:
        state["average"] = average
    else:
        average = params["average"]
    x = x - average.astype(dtype)
    return jnp.tanh(x), state


def plain(x: Array) -> Array:
    return x * 2.0


def small(x: Array, step: Array) -> Array:
    x = jnp.sum(jnp.abs(x)) < 9.0
    return jnp.logical_and(x, step < 5)


def grow(
    params: Params, x: Array, step: Array, *, dtype: Any, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    x, state["counted"] = counted(params["counted"], x, dtype=dtype, train=train)
    x = x * 2.0 + step * 0.1
    return x, state


def counters(
    params: Params, x: Array, *, train: bool = False
) -> tuple[dict[str, Array], Params]:
    """x (batch, 4) -> y (batch, 4); best, step."""
    state: Params = {}
    step = params["steps"] + 1
    state["steps"] = step
    x, state["stacked"] = jax.lax.scan(
        lambda x, layer: counted(layer, x, dtype=jnp.float32, train=train),
        x,
        params["stacked"],
    )
    state["listed"] = []
    for layer in params["listed"]:
        x, layer_state = counted(layer, x, dtype=jnp.float32, train=train)
        state["listed"].append(layer_state)

    def shared_step(
        carry: tuple[Array, Params], _: None
    ) -> tuple[tuple[Array, Params], None]:
        x, state_ = carry
        x, new_state = counted(
            merge(params["shared"], state_), x, dtype=jnp.float32, train=train
        )
        return (x, new_state), None

    (x, state["shared"]), _ = jax.lax.scan(
        shared_step,
        (
            x,
            merge(
                kept(params["shared"], ["average"], train=train),
                kept(params["shared"], ["calls"], train=True),
            ),
        ),
        None,
        length=3,
    )
    y = jnp.sum(x) > 0

    def either_then() -> tuple[Array, Params]:
        outputs, new = counted_2(
            params["either"]["then"], x, dtype=jnp.float32, train=train
        )
        return outputs, {"then": new}

    def either_else() -> tuple[Array, Params]:
        outputs = plain(x)
        return outputs, {
            "then": merge(
                kept(params["either"]["then"], ["average"], train=train),
                kept(params["either"]["then"], ["calls"], train=True),
            )
        }

    x, state["either"] = jax.lax.cond(y, either_then, either_else)

    def loop_cond(carry: tuple[Array, Array, Params]) -> Array:
        x, step, _ = carry
        return small(x, step)

    def loop_body(carry: tuple[Array, Array, Params]) -> tuple[Array, Array, Params]:
        x, step, state_ = carry
        x, new_state = grow(
            merge(params["loop"]["body"], state_),
            x,
            step,
            dtype=jnp.float32,
            train=train,
        )
        return x, step + 1, new_state

    x, _, loop_state = jax.lax.while_loop(
        loop_cond,
        loop_body,
        (
            x,
            jnp.asarray(0, jnp.int32),
            merge(
                kept(params["loop"]["body"], ["counted.average"], train=train),
                kept(params["loop"]["body"], ["counted.calls"], train=True),
            ),
        ),
    )
    state["loop"] = {"body": loop_state}
    x, state["lanes"] = jax.vmap(
        lambda layer: counted(layer, x, dtype=jnp.float32, train=train)
    )(params["lanes"])
    x = jnp.mean(x, axis=0)
    x, state["twice"] = counted(params["twice"], x, dtype=jnp.float32, train=train)
    x, second_state = counted(
        merge(params["twice"], state["twice"]), x, dtype=jnp.float32, train=train
    )
    state = merge(state, {"twice": second_state})
    y = jnp.maximum(params["records"]["best"], jnp.max(x))
    best = y
    if train:
        state = merge(state, {"records": {"best": best}})
    else:
        state = merge(state, {"records": {}})
        best = params["records"]["best"]
    y, state["last"] = counted(params["last"], x, dtype=jnp.float32, train=train)
    return {"y": y, "best": best, "step": step}, state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
SHAPES: Params = {
    "steps": (),
    "stacked": (2, {"calls": (), "average": (4,)}),
    "listed": [{"calls": (), "average": (4,)}] * 2,
    "shared": {"calls": (), "average": (4,)},
    "either": {"then": {"calls": (), "average": (4,)}},
    "loop": {"body": {"counted": {"calls": (), "average": (4,)}}},
    "lanes": (2, {"calls": (), "average": (4,)}),
    "twice": {"calls": (), "average": (4,)},
    "records": {"best": ()},
    "last": {"calls": (), "average": (4,)},
}
INIT: dict[str, Any] = {
    "steps": jax.nn.initializers.constant(value=10.0),
    "calls": jax.nn.initializers.zeros,
    "average": jax.nn.initializers.zeros,
    "best": jax.nn.initializers.zeros,
}
DTYPES = {"steps": "int32", "calls": "int32", "average": "float32", "best": "float32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if isinstance(shapes, list):
            return [draw(s, path, *copies, i) for i, s in enumerate(shapes)]
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[name](own, shapes, DTYPES.get(name, dtype))

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
            if path in numbered:
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
