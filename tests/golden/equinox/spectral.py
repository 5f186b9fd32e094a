"""spectral: Sound in, classes and filtered sound out: complex numbers in every place.

304 parameters in 11 arrays.
Made by blox of sha256:80ff65070908d1ece2254b111222834b9c5aa7ffe7618619a87c03dd429ae92e

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(sound)
"""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

N_FFT, HOP, MELS = 16, 4, 6
WIDTH, STATES, LAYERS, CLASSES = 8, 5, 2, 3


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


class LayerNorm(eqx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""

    scale: Array
    bias: Array
    eps: float = eqx.field(static=True)

    def __init__(self, features: int, *, eps: float = 1e-05) -> None:
        self.eps = eps
        self.scale = jnp.ones((features,))
        self.bias = jnp.zeros((features,))

    def __call__(self, x: Array) -> Array:
        # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
        y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
        y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
        y = y - jnp.mean(y, axis=-1, keepdims=True)
        factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + self.eps)
        return (y * jnp.expand_dims(factor, -1) * self.scale + self.bias).astype(
            x.dtype
        )


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel + self.bias


class Lru(eqx.Module):
    norm: LayerNorm
    log_rate: Array
    phase: Array
    into: Array
    back: Array

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.norm = LayerNorm(WIDTH)
        self.log_rate = jax.nn.initializers.uniform(scale=1.0)(keys[0], (STATES,))
        self.phase = jax.nn.initializers.uniform(scale=3.0)(keys[1], (STATES,))
        self.into = jax.nn.initializers.normal(stddev=0.3)(
            keys[2], (WIDTH, STATES), jnp.complex64
        )
        self.back = jax.nn.initializers.normal(stddev=0.3)(
            keys[3], (STATES, WIDTH), jnp.complex64
        )

    def __call__(self, x: Array) -> Array:
        norm = self.norm(x)
        y = -jnp.exp(self.log_rate)
        decay = jnp.exp(complex_(y, self.phase))
        driven = jnp.einsum("...tw,ws->...ts", norm, self.into)
        y = linear_recurrence(decay, driven, axis=-2) @ self.back
        return x + jax.nn.gelu(jnp.real(y), approximate=True)


class Spectral(eqx.Module):
    gain: Array
    stem: Linear
    layers: Lru
    head: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.gain = jnp.ones((N_FFT // 2 + 1,), jnp.complex64)
        self.stem = Linear(MELS, WIDTH, key=keys[0])
        self.layers = eqx.filter_vmap(lambda key: Lru(key=key))(
            jax.random.split(keys[1], LAYERS)
        )
        self.head = Linear(WIDTH, CLASSES, key=keys[2])

    def __call__(self, sound: Array) -> dict[str, Array]:
        """sound (batch, 64) -> scores (batch, classes); cleaned (batch, 64)."""
        dtype = self.stem.kernel.dtype
        sound = sound.astype(dtype)
        window = jnp.hanning(N_FFT + 1)[:-1].astype(dtype)
        heard = stft(sound, window) * self.gain
        bank = mel_filter_bank(dtype=dtype)
        x = jnp.square(jnp.abs(heard))
        x = jnp.log(x @ bank + 1e-05)
        x = self.stem(x)
        x, _ = jax.lax.scan(lambda x, layer: (layer(x), None), x, self.layers)
        scores = self.head(jnp.mean(x, axis=-2))
        cleaned = istft(heard, window)
        return {"scores": scores, "cleaned": cleaned}


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("layers",)


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
        return read(rest, shape, kind, f"{path}{part}.", below, axis)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        parts = ["*"] * STACKED.count("")
        for i, part in enumerate(name.split(".")):
            head = ".".join(name.split(".")[: i + 1])
            parts += [part, *["*"] * STACKED.count(head)]
        found[name] = read(parts, x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> Spectral:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Spectral, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Spectral = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
