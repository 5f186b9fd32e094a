"""Which functions of JAX an import takes, over every callable of `jax.numpy`,
`jax.numpy.linalg`, `jax.nn` and `jax.scipy.special` that traces on arrays of floats.

Each is imported, with a symbolic batch where JAX can trace one, and its Graph is compared
with it: values and gradients, on two draws.

    python benchmarks/imports/coverage.py            # the table, and the reasons of refusals
    python benchmarks/imports/coverage.py sort fft   # only functions with these texts
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from re import findall
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np

import blox as bx

MODULES = {
    "jnp": jnp,
    "jnp.linalg": jnp.linalg,
    "jax.nn": jax.nn,
    "jax.scipy.special": jax.scipy.special,
}
LEFT_OUT = (
    "apply_along_axis",
    "apply_over_axes",
    "from_dlpack",
    "fromfile",
    "frompyfunc",
    "fromfunction",
    "get_printoptions",
    "info",
    "load",
    "printoptions",
    "save",
    "savez",
    "set_printoptions",
    "vectorize",
)
"""What takes functions or files, or prints."""
WIDE, SQUARE = (3, 4), (4, 4)
CALLS: tuple[tuple[tuple[int, ...], ...], ...] = (
    (WIDE,),
    (WIDE, WIDE),
    (SQUARE,),
    (SQUARE, SQUARE),
    (WIDE, WIDE, WIDE),
)
"""Shapes of arguments that are tried, one after the other."""


LOST = "its loops have no gradient, and that of its own is lost"


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All callables, by name."""
    for module, found in MODULES.items():
        for name in sorted(dir(found)):
            function = getattr(found, name)
            plain = not name.startswith("_") and name not in LEFT_OUT
            if plain and callable(function) and not inspect.isclass(function):
                yield f"{module}.{name}", function


def shapes_of(function: Callable[..., Any]) -> tuple[tuple[int, ...], ...] | None:
    """Shapes of arguments with which a function traces and gives arrays."""
    for shapes in CALLS:
        given = [jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes]
        try:
            traced = jax.make_jaxpr(function)(*given)
        except Exception:
            continue
        if traced.jaxpr.outvars:
            return shapes
    return None


def imported(
    function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], batch: str | int
) -> tuple[bx.Graph, Any]:
    """The Graph of a function, and its Params."""
    inputs = {
        f"x{i}": bx.Input([batch, *s[1:]] if s == WIDE else [*s])
        for i, s in enumerate(shapes)
    }
    graph, params, _ = bx.from_jax(
        lambda *xs: function(*xs), inputs, name="function", check=False
    )
    return graph, params


def leaves_of(out: Any) -> list[Any]:
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(out)]


def outputs_of(out: Any) -> list[Any]:
    """The outputs of a Graph, which are named by their places, in order."""
    if not isinstance(out, dict):
        return [out]
    return [out[n] for n in sorted(out, key=lambda n: [*map(int, findall(r"\d+", n))])]


def results(function: Callable[..., Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
    """What a function gives, and the gradients of a weighted sum of what of it is a
    float; none where JAX has no such gradients."""

    def loss(*given: Any) -> Any:
        out, total = function(*given), jnp.zeros(())
        for leaf in out:
            if jnp.issubdtype(leaf.dtype, jnp.floating):
                weights = np.cos(np.arange(leaf.size, dtype="float32"))
                total = total + jnp.sum(leaf * weights.reshape(leaf.shape))
        return total, out

    places = tuple(range(len(xs)))
    try:
        both = jax.jit(jax.value_and_grad(loss, places, has_aux=True))
        (_, out), slopes = both(*xs)
    except (TypeError, ValueError, NotImplementedError):
        return list(jax.jit(function)(*xs)), []
    return out, list(slopes)


def differs(
    function: Callable[..., Any],
    graph: bx.Graph,
    params: Any,
    shapes: tuple[tuple[int, ...], ...],
) -> str:
    """What differs, or ""."""
    model = bx.build(graph)
    rng = np.random.default_rng(0)
    for low, high in ((0.1, 0.9), (-2.0, 2.0)):
        xs = [jnp.asarray(rng.uniform(low, high, s), jnp.float32) for s in shapes]
        ours, a = results(lambda *xs: outputs_of(model(params, *xs)[0]), xs)
        theirs, b = results(
            lambda *xs: [jnp.asarray(x) for x in jax.tree.leaves(function(*xs))], xs
        )
        if len(a) != len(b):
            return LOST
        for name, pairs in (
            ("values", zip(ours, theirs, strict=True)),
            ("gradients", zip(a, b, strict=True)),
        ):
            for x, y in pairs:
                if x.shape != y.shape or x.dtype != y.dtype:
                    return f"{x.dtype}{x.shape} for {y.dtype}{y.shape}"
                if not np.allclose(x, y, 1e-5, 1e-5, equal_nan=True):
                    most = np.nanmax(np.abs(np.subtract(x, y, dtype=complex)))
                    return f"{name} by {most:.2g}"
    return ""


def outcome(
    function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]
) -> tuple[str, str]:
    """("converted" | "converted, of fixed sizes" | "refused" | "wrong" | "failed", how)."""
    kind, how = attempt(function, shapes, "batch")
    if kind.startswith("converted") or kind == "wrong":
        return kind, how
    fixed, found = attempt(function, shapes, WIDE[0])
    return (
        ("converted, of fixed sizes", how) if fixed == "converted" else (fixed, found)
    )


def attempt(
    function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], batch: str | int
) -> tuple[str, str]:
    """The same, with this batch."""
    try:
        graph, params = imported(function, shapes, batch)
    except bx.SpecError as error:
        return "refused", str(error)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    try:
        found = differs(function, graph, params, shapes)
    except Exception as error:
        return "failed", f"running: {type(error).__name__}: {error}"
    if found == LOST:
        return "converted, without gradients", found
    return ("wrong" if found else "converted"), found


def main(texts: list[str]) -> int:
    warnings.simplefilter("ignore")
    jax.config.update("jax_disable_most_optimizations", True)
    counts: Counter[str] = Counter()
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, function in functions():
        if texts and not any(text in name for text in texts):
            continue
        shapes = shapes_of(function)
        if shapes is None:
            continue
        kind, how = outcome(function, shapes)
        print(f"{name}: {kind}", file=sys.stderr, flush=True)
        counts[kind] += 1
        if kind != "converted":
            reasons[kind, how.strip()[:400]].append(name)
    for (kind, how), names in sorted(reasons.items(), key=lambda r: -len(r[1])):
        print(f"{kind}: {', '.join(names)}\n    {how}")
    print(sum(counts.values()), "functions")
    for kind, count in counts.most_common():
        print(f"{count:5} {kind}")
    return counts["wrong"] + counts["failed"]


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
