"""spectral: Sound in, classes and filtered sound out: complex numbers in every place.

304 parameters in 11 arrays.
Made by blox of sha256:80ff65070908d1ece2254b111222834b9c5aa7ffe7618619a87c03dd429ae92e

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(spectral)(params, sound)
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

N_FFT, HOP, MELS = 16, 4, 6
WIDTH, STATES, LAYERS, CLASSES = 8, 5, 2, 3


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def complex_(real: Array | float, imag: Array | float) -> Array:
    """real + imag * i, of float32 at least."""
    kind = jnp.promote_types(jnp.result_type(real, imag), jnp.float32)
    real, imag = jnp.broadcast_arrays(jnp.asarray(real, kind), jnp.asarray(imag, kind))
    return jax.lax.complex(real, imag)


def _step(y: Array, ab: tuple[Array, Array]) -> tuple[Array, Array]:
    """One step of y = a * y + b, as a carry and as an output."""
    y = ab[0] * y + ab[1]
    return y, y


def _steps(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two steps, or runs of them, as one: y -> a * y + b."""
    return one[0] * two[0], two[0] * one[1] + two[1]


def linear_recurrence(a: Array, b: Array, *, axis: int) -> Array:
    """y[t] = a[t] * y[t - 1] + b[t] along an axis, in float32 at least."""
    kind = jnp.result_type(a, b)
    wide = jnp.promote_types(kind, jnp.float32)
    rate, y = jnp.broadcast_arrays(jnp.asarray(a, wide), jnp.asarray(b, wide))
    axis = axis % y.ndim
    start = jnp.zeros((*y.shape[:axis], *y.shape[axis + 1 :]), wide)
    if jax.export.is_symbolic_dim(y.shape[axis]):
        steps = (jnp.moveaxis(rate, axis, 0), jnp.moveaxis(y, axis, 0))
        _, y = jax.lax.scan(_step, start, steps, reverse=False)
        return jnp.moveaxis(y, 0, axis).astype(kind)
    rate, y = jax.lax.associative_scan(_steps, (rate, y), reverse=False, axis=axis)
    return jnp.asarray(y, kind)


def _centered(window: Array, size: int) -> Array:
    """The window between zeros, in float32 at least."""
    room = size - window.shape[0]
    window = window.astype(jnp.promote_types(window.dtype, jnp.float32))
    return jnp.pad(window, (room // 2, room - room // 2))


def stft(x: Array, window: Array) -> Array:
    """Spectra of windows of a signal: (..., time) -> (..., frames, frequencies)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    half = N_FFT // 2
    y = jnp.pad(y, [(0, 0), (half, half)], mode="reflect")
    places = HOP * jnp.arange((y.shape[-1] - N_FFT) // HOP + 1)[:, None] + jnp.arange(
        N_FFT
    )
    frames = jnp.take(y, places, axis=-1, mode="clip") * _centered(window, N_FFT)
    return jnp.fft.rfft(frames, norm="backward")


def mel_filter_bank(
    *, sample_rate: float = 16000.0, low: float = 0.0, high: float = 8000.0, dtype: Any
) -> Array:
    """(frequencies, mels): triangles that stand evenly on the mel scale."""
    frequencies = np.linspace(0, sample_rate / 2, N_FFT // 2 + 1)
    ends = np.array([low, high])
    first, last = 2595 * np.log10(1 + ends / 700)
    mels = np.linspace(first, last, MELS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    widths = np.diff(edges)
    up = (frequencies[:, None] - edges[:-2]) / widths[:-1]
    down = (edges[2:] - frequencies[:, None]) / widths[1:]
    return jnp.asarray(np.maximum(np.minimum(up, down), 0), dtype)


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def istft(x: Array, window: Array) -> Array:
    """The signal whose spectra are nearest: (..., frames, frequencies) -> (..., time)."""
    frames = jnp.fft.irfft(x, N_FFT, norm="backward")
    window = _centered(window, N_FFT)
    count = x.shape[-2]
    places = HOP * jnp.arange(count)[:, None] + jnp.arange(N_FFT)
    size = (count - 1) * HOP + N_FFT
    y = jnp.zeros((*x.shape[:-2], size), frames.dtype)
    y = y.at[..., places].add(frames * window)
    weight = jnp.zeros(size, window.dtype).at[places].add(window**2)
    seen = weight > 1e-11
    y = jnp.where(seen, y / jnp.where(seen, weight, 1), 0)
    half = N_FFT // 2
    y = y[..., half : half + 64]
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, 64 - y.shape[-1])])


def lru(params: Params, x: Array) -> Array:
    norm = layer_norm(x, **params["norm"])
    y = -jnp.exp(params["log_rate"])
    decay = jnp.exp(complex_(y, params["phase"]))
    driven = jnp.einsum("...tw,ws->...ts", norm, params["into"])
    y = linear_recurrence(decay, driven, axis=-2) @ params["back"]
    return x + jax.nn.gelu(jnp.real(y), approximate=True)


def spectral(params: Params, sound: Array) -> dict[str, Array]:
    """sound (batch, 64) -> scores (batch, classes); cleaned (batch, 64)."""
    dtype = params["stem"]["kernel"].dtype
    sound = sound.astype(dtype)
    window = jnp.hanning(N_FFT + 1)[:-1].astype(dtype)
    heard = stft(sound, window) * params["gain"]
    bank = mel_filter_bank(dtype=dtype)
    x = jnp.square(jnp.abs(heard))
    x = jnp.log(x @ bank + 1e-05)
    x = linear(x, **params["stem"])
    x, _ = jax.lax.scan(lambda x, layer: (lru(layer, x), None), x, params["layers"])
    scores = linear(jnp.mean(x, axis=-2), **params["head"])
    cleaned = istft(heard, window)
    return {"scores": scores, "cleaned": cleaned}


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LRU: Params = {
    "norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "log_rate": (STATES,),
    "phase": (STATES,),
    "into": (WIDTH, STATES),
    "back": (STATES, WIDTH),
}
SHAPES: Params = {
    "gain": (N_FFT // 2 + 1,),
    "stem": {"kernel": (MELS, WIDTH), "bias": (WIDTH,)},
    "layers": (LAYERS, LRU),
    "head": {"kernel": (WIDTH, CLASSES), "bias": (CLASSES,)},
}
INIT: dict[str, Any] = {
    "gain": jax.nn.initializers.ones,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "log_rate": jax.nn.initializers.uniform(scale=1.0),
    "phase": jax.nn.initializers.uniform(scale=3.0),
    "into": jax.nn.initializers.normal(stddev=0.3),
    "back": jax.nn.initializers.normal(stddev=0.3),
}
DTYPES = {"gain": "complex64", "into": "complex64", "back": "complex64"}


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
