"""Whether a Graph does what its source does: both on random inputs, at two sizes, in float32
and bfloat16, values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx

from .report import Report, Row

_QUICK = {"xla_backend_optimization_level": 0}
"""What is compiled runs once."""
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23)

Sizes = Mapping[str, int]


def compare(
    graph: bx.Graph,
    source: Callable[[Mapping[str, Any], Sequence[Any]], Mapping[str, Any]],
    arrays: Mapping[str, Any],
    to_params: Callable[..., Any],
    every: Sequence[Sizes],
    report: Report,
    *,
    low: bool = True,
) -> None:
    """Runs both, and writes down how far they are from each other.

    Args:
        source: of its arrays by name, and of inputs; its outputs by name.
        to_params: Params of arrays, and of anything that is laid out as they are; with a
            dtype, that of the model's floating ones.
        every: the sizes of the dims of the Graph's inputs at which they are compared.
        low: in bfloat16 too.
    """
    inputs = {
        name: bx.Input([*(declared.shape or ())], declared.dtype or "float")
        for name, declared in graph.functions["main"].inputs.items()
    }
    runs = [(sizes, "float32", arrays) for sizes in every]
    if low:
        cast = {n: _cast(a, "bfloat16") for n, a in arrays.items()}
        runs.append((every[0], "bfloat16", cast))
    for number, (sizes, dtype, own) in enumerate(runs):
        given = list(random_inputs(inputs, sizes, number, dtype))
        params = to_params(arrays, None if dtype == "float32" else dtype)
        both = _Both(graph, source, to_params, own, params, given)
        try:
            found = list(_differences(both, gradient=number == 0))
        except Exception:
            lacking = "" if dtype == "float32" else both.lacks()
            if not lacking:
                raise
            report.notes.append(f"{lacking} in {dtype}")
            return
        report.rows += [Row(name, sizes, dtype, gap) for name, gap in found]


@dataclass(frozen=True)
class _Both:
    """A Graph and its source, on the same arrays and inputs."""

    graph: bx.Graph
    source: Callable[[Mapping[str, Any], Sequence[Any]], Mapping[str, Any]]
    to_params: Callable[..., Any]
    arrays: Mapping[str, Any]
    params: Any
    given: Sequence[Any]

    def lacks(self) -> str:
        """Which of the two does not run on these arrays, and why; "" where both do."""
        runs = {
            "the source": lambda: self.source(self.arrays, self.given),
            "the Graph": lambda: bx.build(self.graph)(self.params, *self.given),
        }
        for name, run in runs.items():
            try:
                jax.eval_shape(run)
            except (
                Exception
            ) as error:  # whatever code says of dtypes that it doesn't take
                return f"{name} does not run ({str(error).partition(chr(10))[0]})"
        return ""


def _differences(both: _Both, *, gradient: bool) -> Iterator[tuple[str, float]]:
    """The difference of each output, and that of the gradient of all of them."""
    floating = {
        n: a for n, a in both.arrays.items() if jnp.issubdtype(a.dtype, jnp.floating)
    }
    rest = {n: a for n, a in both.arrays.items() if n not in floating}
    model = bx.build(both.graph)
    trained, fixed = bx.split(both.graph, both.params)

    def theirs(arrays: Mapping[str, Any]) -> tuple[Any, Any]:
        outputs = both.source({**rest, **arrays}, both.given)
        return _loss(outputs), outputs

    def ours(params: Any) -> tuple[Any, Any]:
        found = model(bx.merge(params, fixed), *both.given)[0]
        outputs = {names[0]: found} if len(names) == 1 else {n: found[n] for n in names}
        return _loss(outputs), outputs

    def both_of(call: Callable[..., Any], arrays: Any) -> tuple[Any, Any]:
        run = jax.value_and_grad(call, has_aux=True) if gradient else call
        with jax.default_matmul_precision("highest"):
            found = jax.jit(run, compiler_options=_QUICK)(arrays)
        (_, outputs), slopes = found if gradient else (found, None)
        return outputs, slopes

    try:
        wanted, their_slopes = both_of(theirs, floating)
    except ValueError:
        if not gradient:
            raise
        yield from _differences(both, gradient=False)  # JAX has no reverse mode for it
        return
    names = list(wanted)
    found, our_slopes = both_of(ours, trained)
    for name in names:
        yield name, difference(found[name], wanted[name])
    if gradient and floating:
        zeros = {n: np.zeros_like(a) for n, a in rest.items()}
        laid_out, _ = bx.split(both.graph, both.to_params({**zeros, **their_slopes}))
        yield "gradient", difference(our_slopes, laid_out)


def _loss(outputs: Mapping[str, Any]) -> Any:
    """A weighted sum of all numbers, whatever the order of the outputs."""
    total = jnp.float32(0)
    for place, (_, array) in enumerate(sorted(outputs.items())):
        if jnp.issubdtype(array.dtype, jnp.floating):
            weights = np.random.default_rng(place).normal(size=array.shape)
            total += jnp.sum(weights.astype(np.float32) * array)
    return total


def difference(found: Any, wanted: Any) -> float:
    """The greatest difference of two trees, of their greatest value where that is above 1;
    infinite where shapes or what is no number differ."""
    greatest = 0.0
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        if a.shape != b.shape:
            return float("inf")
        x, y = (np.asarray(z, np.complex128).ravel() for z in (a, b))
        finite = np.isfinite(y)
        if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
            return float("inf")
        if finite.any():
            scale = max(1.0, float(np.abs(y[finite]).max()))
            gap = float(np.abs(x[finite] - y[finite]).max()) / scale
            greatest = max(greatest, gap if gap == gap else float("inf"))
    return greatest


def sizes_of(
    inputs: Mapping[str, bx.Input], dims: Mapping[str, Mapping[str, int]]
) -> Iterator[dict[str, int]]:
    """Sizes for the dims of the inputs, two choices; one where there are none."""
    names = [s for i in inputs.values() for s in i.shape if isinstance(s, str)]
    names = [n for n in dict.fromkeys(names) if n.isidentifier()]
    for turn in range(2 if names else 1):
        found = {}
        for place, name in enumerate(names):
            bounds = dims.get(name, {})
            step = bounds.get("multiple_of", 1)
            size = _PRIMES[(place + turn) % len(_PRIMES)] + turn
            size = max(size, bounds.get("min", 1) + turn * step)
            size = -(-size // step) * step
            found[name] = min(size, bounds.get("max", size))
        yield found


def random_inputs(
    inputs: Mapping[str, bx.Input], sizes: Sizes, seed: int, dtype: str
) -> Iterator[Any]:
    """Values for the inputs: floats about 0, small integers, booleans, a key."""
    for place, declared in enumerate(inputs.values()):
        rng = np.random.default_rng((seed, place))
        shape = tuple(s if isinstance(s, int) else sizes[s] for s in declared.shape)
        kind = declared.dtype
        if kind == "key":
            yield jax.random.key(place)
        elif kind == "bool":
            yield rng.random(shape) < 0.7
        elif kind.startswith(("int", "uint")):
            yield rng.integers(0, 2, shape).astype(kind)
        else:
            wanted = dtype if kind == "float" else kind
            yield np.asarray(rng.normal(size=shape)).astype(jnp.dtype(wanted))


def _cast(array: Any, dtype: str) -> Any:
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    return (
        jnp.asarray(np.asarray(array).astype(jnp.dtype(dtype))) if floating else array
    )
