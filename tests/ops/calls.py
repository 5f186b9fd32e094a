"""The ways in which the contract calls an op, all of them in one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ops.calling import call, node
from ops.row import Row

from blox.schema import Op

STEP = 1e-6
"""Of differences in float64."""
WIDE_STEP = 1e-2
"""Of those in float32, where what is drawn depends on the dtype."""


def is_key(x: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key))


def is_float(x: Any) -> bool:
    return not is_key(x) and bool(jnp.issubdtype(jnp.result_type(x), jnp.inexact))


def is_wide(y: Any) -> bool:
    """True of floats of at least 32 bits."""
    return is_float(y) and jnp.dtype(y.dtype).itemsize >= 4


def is_array(x: Any) -> bool:
    """False of the numbers that stand in a file."""
    return hasattr(x, "dtype")


def in_jax(x: Any) -> Any:
    """x with the methods of JAX's arrays, such as `at`."""
    return jnp.asarray(x) if is_array(x) else x


def arrays_of_floats(tree: Any) -> list[Any]:
    return [x for x in jax.tree.leaves(tree) if is_array(x) and is_float(x)]


def placed(arrays: Sequence[Any], tree: Any) -> Any:
    """The tree with `arrays` in place of its arrays of floats."""
    rest = iter(arrays)
    return jax.tree.map(
        lambda x: next(rest) if is_array(x) and is_float(x) else x, tree
    )


def is_complex(x: Any) -> bool:
    return is_array(x) and not is_key(x) and bool(jnp.iscomplexobj(x))


def cast(tree: Any, dtype: Any) -> Any:
    """The arrays of floats as `dtype`, those of complex numbers of its width, or 64 bits."""
    pairs = "complex128" if jnp.dtype(dtype) == "float64" else "complex64"

    def one(x: Any) -> Any:
        kind = pairs if is_complex(x) else dtype
        return x.astype(kind) if is_array(x) and is_float(x) else x

    return jax.tree.map(one, tree)


def like(x: Any, old: Any) -> Any:
    """x in the dtype of `old`; numbers of a file stay what they are."""
    return x.astype(old.dtype) if is_array(x) and not is_key(x) else x


def stacked(*trees: Any) -> Any:
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)


def turned(tree: Any) -> Any:
    """Other numbers of the same shapes."""
    return jax.tree.map(lambda x: x[::-1] if np.ndim(x) else x, tree)


def worth(outputs: Any, kinds: Any, numpy: Any) -> Any:
    """A number that every float of 32 bits in the outputs has its own part in.

    `kinds` are arrays of the dtypes that count; `numpy` is JAX's, or NumPy itself.
    """
    total: Any = 0.0
    for y, kind in zip(outputs, kinds, strict=True):
        if is_wide(kind):
            weights = numpy.cos(numpy.arange(y.size, dtype=y.real.dtype))
            total += numpy.sum(y.real.ravel() * weights)
            if numpy.iscomplexobj(kind):
                total += numpy.sum(y.imag.ravel() * weights[::-1])
    return total


@dataclass(frozen=True)
class Called:
    """The row of an op, as functions of its operands and parameters."""

    name: str
    row: Row

    @cached_property
    def op(self) -> Op:
        return node(self.name, self.row.attributes, self.row.operands)

    @cached_property
    def params(self) -> dict[str, Any]:
        """Those of the row, or positive random ones of the declared shapes."""
        if self.row.params:
            return dict(self.row.params)
        random = np.random.default_rng(1)
        return {
            name: np.abs(random.normal(size=leaf.shape)).astype(np.float32) + 0.5
            for name, leaf in self.op.stored().items()
        }

    @property
    def given(self) -> tuple[Any, Any]:
        """Operands and parameters."""
        return self.row.operands, self.params

    @cached_property
    def trained(self) -> set[str]:
        """The parameters that are cast to the dtype of the model."""
        leaves = self.op.stored().items()
        return {
            n for n, leaf in leaves if leaf.kind == "param" and leaf.dtype == "float"
        }

    @property
    def keyed(self) -> bool:
        return any(map(is_key, jax.tree.leaves(self.row.operands)))

    @cached_property
    def mapped(self) -> tuple[bool, ...]:
        """Which operands have an axis of batches."""
        lead, count = self.row.lead, len(self.row.operands)
        places = lead if isinstance(lead, tuple) else range(count)
        return tuple(i in places for i in range(count))

    def __call__(
        self, operands: Any, params: Any, dtype: Any = jnp.float32
    ) -> list[Any]:
        """The outputs, keys as their data."""
        operands, params = jax.tree.map(in_jax, (operands, params))
        found = call(self.op, operands, params, dtype=dtype)
        found = found[0] if self.op.STATEFUL else found
        found = jax.tree.leaves(found)
        return [jax.random.key_data(y) if is_key(y) else y for y in found]

    def cast(self, operands: Any, params: Any, dtype: Any) -> Any:
        """Operands and parameters as a model of `dtype` has them."""
        cast_ = {
            n: cast(p, dtype) if n in self.trained else p for n, p in params.items()
        }
        return cast(operands, dtype), cast_

    def batch(self, operands: Sequence[Any], of: Callable[..., Any]) -> tuple[Any, ...]:
        """The operands, with `of` in place of those that have an axis of batches."""
        return tuple(
            of(x) if m else x for x, m in zip(operands, self.mapped, strict=True)
        )

    def computed(self, operands: Any, params: Any) -> dict[str, Any]:
        """What all ways of a call give, those of equal shapes traced and compiled once."""
        given = (operands, params)
        half, rounded = self.narrowed(operands, params)
        calls = {"single": given, "rounded": rounded}
        if any(self.mapped) and jax.tree.leaves(operands):
            calls["turned"] = self.batch(operands, turned), params
        if self.whole is not None:
            pairs = zip(self.whole, self.row.operands, strict=True)
            whole = tuple(jax.tree.map(like, new, old) for new, old in pairs)
            calls["as floats"] = whole, params
        found = self.one_by_one(calls)
        found["bfloat16"] = self(half[0], half[1], jnp.bfloat16)
        if self.whole is not None:
            found["integers"] = self(self.whole, params)
        if "turned" in calls:
            found["batches"] = self.batches(operands, params)
        return found

    def one_by_one(self, calls: dict[str, Any]) -> dict[str, Any]:
        """What each call gives, and the slopes of the first: under `jax.lax.map`.

        What has other dtypes than the first call runs by itself.
        """

        def kinds(given: Any) -> list[Any]:
            return [(jnp.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(given)]

        first = calls["single"]
        alike = {n: given for n, given in calls.items() if kinds(given) == kinds(first)}
        leaves, tree = jax.tree.flatten(first)
        places = [i for i, x in enumerate(leaves) if is_array(x)]

        def one(arrays: Any) -> Any:
            given = dict(enumerate(leaves)) | dict(zip(places, arrays, strict=True))
            return self.with_slopes(*jax.tree.unflatten(tree, [*given.values()]))

        if not places:
            outputs, slopes = self.with_slopes(*first)
            return {**dict.fromkeys(calls, outputs), "slopes": slopes}
        rows = [[jax.tree.leaves(g)[i] for i in places] for g in alike.values()]
        outputs, slopes = jax.lax.map(one, stacked(*rows))
        found = {n: [y[i] for y in outputs] for i, n in enumerate(alike)}
        found |= {n: self(*given) for n, given in calls.items() if n not in alike}
        return found | {"slopes": [s[0] for s in slopes]}

    def batches(self, operands: Any, params: Any) -> list[Any]:
        """What `vmap` gives: of calls with two leading dims, where the op takes any.

        They hold the operands and other numbers in turn, `[[x, y], [y, x]]`.
        """

        def pair(x: Any) -> Any:
            return stacked(x, turned(x))

        def grid(x: Any) -> Any:
            both = stacked(pair(x), stacked(turned(x), x))
            return jax.tree.map(lambda x: x[:, :, None], both)

        given = self.batch(operands, grid if self.row.lead else pair)
        axes = tuple(0 if m else None for m in self.mapped)
        found: list[Any] = jax.vmap(lambda *x: self(x, params), axes)(*given)
        return found

    def empty(self) -> list[Any]:
        """The shapes of what an empty batch gives."""

        def none(x: Any) -> Any:
            return jnp.stack([x])[:0] if is_array(x) else x

        def call(params: Any) -> list[Any]:
            of = self.row.operands
            return self(self.batch(of, lambda x: jax.tree.map(none, x)), params)

        found: list[Any] = jax.eval_shape(call, self.params)
        return found

    def narrowed(self, operands: Any, params: Any) -> tuple[Any, Any]:
        """Operands and parameters in bfloat16, and the same numbers in float32."""
        half = self.cast(operands, params, jnp.bfloat16)
        return half, self.cast(half[0], half[1], jnp.float32)

    @cached_property
    def whole(self) -> tuple[Any, ...] | None:
        """Operands of integers in place of floats, None where the op refuses them."""

        def rounded(x: Any) -> Any:
            return (
                np.round(3 * x).astype(np.int32) if is_array(x) and is_float(x) else x
            )

        given = arrays_of_floats(self.row.operands)
        if any(map(is_complex, given)) or not (
            self.row.integers and given and all(np.isfinite(x).all() for x in given)
        ):
            return None
        operands: tuple[Any, ...] = jax.tree.map(rounded, self.row.operands)
        try:
            jax.eval_shape(lambda: self(operands, self.params))
        except (TypeError, ValueError):
            return None
        return operands

    def loss(
        self, arrays: Sequence[Any], operands: Any, params: Any, dtype: Any
    ) -> Any:
        """A number that every float of 32 bits in the outputs has its own part in; they.

        `arrays` stand in place of the floats among the operands and parameters.
        """
        operands, params = placed(arrays, (operands, params))
        outputs = self(operands, params, dtype)
        return worth(outputs, outputs, jnp), outputs

    @cached_property
    def differentiable(self) -> bool:
        """Floats go in, floats of 32 bits come out, and nothing says otherwise."""
        outputs = jax.eval_shape(lambda: self(*self.given))
        given = arrays_of_floats(self.given)
        return self.row.grad and bool(given) and any(map(is_wide, outputs))

    def with_slopes(self, operands: Any, params: Any) -> tuple[list[Any], list[Any]]:
        """The outputs, and the gradient of `loss`."""
        if not self.differentiable:
            return self(operands, params), []
        arrays = arrays_of_floats((operands, params))
        slopes = jax.grad(self.loss, has_aux=True)
        found, outputs = slopes(arrays, operands, params, jnp.float32)
        return outputs, found

    def formula(self, given: Any) -> list[Any]:
        """What the reference of the row gives for (operands, parameters) in float64."""
        assert callable(self.row.reference)
        operands, params = cast(given, np.float64)
        named = {n or "value": p for n, p in params.items()}
        found = self.row.reference(*operands, **named)
        return [np.asarray(y) for y in (found if isinstance(found, tuple) else [found])]

    def difference(self, steps: Sequence[Any], outputs: Sequence[Any]) -> float:
        """The slope of `loss` along `steps`, by central differences in float64.

        Of the formula of the row, where it has one: nothing has to be compiled then.
        """
        wide = not self.keyed
        dtype, step = (np.float64, STEP) if wide else (np.float32, WIDE_STEP)
        with jax.enable_x64(wide):
            given = cast(self.given, dtype)
            start = arrays_of_floats(given)

            def formula(arrays: Any) -> Any:
                return worth(self.formula(placed(arrays, given)), outputs, np)

            compiled = jax.jit(
                lambda arrays: self.loss(arrays, given[0], given[1], dtype)[0]
            )
            at = formula if wide and callable(self.row.reference) else compiled
            ends = [
                float(at([a + h * s for a, s in zip(start, steps, strict=True)]))
                for h in (step, -step)
            ]
        return (ends[0] - ends[1]) / (2 * step)
