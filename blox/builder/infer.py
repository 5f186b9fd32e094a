"""Shapes and dtypes of what a node gives, by `jax.eval_shape` of the op itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from blox.runtime.context import describe
from blox.runtime.interpreter import call_op
from blox.runtime.trees import Context, Env
from blox.schema import ModelError, Op
from blox.schema.diagnostics import Diagnostic
from blox.schema.resolve.program import Arg, Step

from .sizes import Dims, at_sample, variables
from .values import Flow

Shapes = tuple[jax.ShapeDtypeStruct, ...]
_KEY = jax.eval_shape(lambda: jax.random.key(0))
_FLOAT = jnp.dtype("float32")


class Probe:
    """One node, ready to be evaluated in shapes as often as needed.

    Args:
        op: resolved as far as attributes go, its sizes filled in.
        path: for errors.
        args: what its operands and slots are.
        flows: what flows in, by the sources that `args` name.
        leaves: shape and dtype of the parameters that it reads, by name.
        sizes: the values of attributes and dims.
    """

    def __init__(
        self,
        op: Op,
        path: str,
        args: dict[str, Any],
        flows: Mapping[str, Flow],
        leaves: Mapping[str, tuple[tuple[Any, ...], str]],
        sizes: Mapping[str, Any],
        dims: Dims,
    ) -> None:
        self.op, self.path, self.args, self.dims = op, path, args, dims
        self.flows = flows
        self.sizes = dict(sizes)
        self.step = Step(path.rpartition(".")[2], path, op, (), args, op.outputs())
        stored = op.stored()
        self.step.tree = stored[""] if "" in stored else dict(stored)
        self.leaves = {
            name: jax.ShapeDtypeStruct(shape, _FLOAT if dtype == "float" else dtype)
            for name, (shape, dtype) in leaves.items()
        }
        self.act = call_op(self.step)
        self.known = all(
            flow.shape is not None or flow.kind == "key" or self._may_lack(source)
            for source, flow in flows.items()
        )

    def _may_lack(self, source: str) -> bool:
        """A key, or what reaches optional operands only, need not be there."""
        operands = self.op.fields().operands
        places = [
            operands[name]
            for name, arg in self.args.items()
            if name in operands
            for part in (arg if isinstance(arg, list) else [arg])
            if part.source == source
        ]
        return bool(places) and all(o.optional or o.kind == "key" for o in places)

    def arrays(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for source, flow in self.flows.items():
            if flow.kind == "key":
                optional = self._key_is_optional(source)
                found[source] = None if optional else _KEY
            elif flow.shape is None:
                found[source] = None
            else:
                found[source] = jax.ShapeDtypeStruct(flow.shape, flow.dtype or _FLOAT)
        return found

    def _key_is_optional(self, source: str) -> bool:
        operands = self.op.fields().operands
        return all(
            operands[name].optional
            for name, arg in self.args.items()
            if name in operands and isinstance(arg, Arg) and arg.source == source
        )

    def shapes(self, arrays: dict[str, Any], sizes: Mapping[str, Any]) -> Shapes:
        """The outputs' shapes for these inputs; raises what JAX raises."""

        def run(params: Any, given: dict[str, Any]) -> Any:
            env = Env({name: (value,) for name, value in given.items()})
            env.sizes = sizes
            return self.act(params, env, Context(False, _FLOAT))[0]

        params: Any = self.leaves.get("", self.leaves)
        result: Shapes = tuple(jax.eval_shape(run, params, arrays))
        return result

    def outputs(self) -> tuple[Flow, ...]:
        """The outputs, unknown where JAX can't decide.

        Raises:
            ModelError: the op does not take such operands, whatever the dims may be.
        """
        unknown = tuple(Flow() for _ in self.step.outputs)
        if not self.known:
            return unknown
        arrays = self.arrays()
        try:
            found = self.shapes(arrays, self.sizes)
        except Exception as error:
            decided = self._by_samples(arrays, error)
            return unknown if decided is None else decided
        if not self.op.SYMBOLIC:
            self._by_samples(arrays, None)  # JAX lets wrong ones pass
        return tuple(Flow(tuple(s.shape), s.dtype) for s in found)

    def _by_samples(
        self, arrays: dict[str, Any], error: Exception | None
    ) -> tuple[Flow, ...] | None:
        """What sample sizes say where symbolic ones raised, or can't be believed.

        JAX refuses what it can't prove. That no sample works either is the proof of a
        fault; where some do, their shapes tell what they can.
        """
        sizes: list[Any] = [s for s in self.sizes.values() if not _is_number(s)]
        for array in arrays.values():
            sizes += getattr(array, "shape", ())
        if any(self.dims.is_undecided(s) for s in sizes):
            return None
        names = set().union(*(variables(s) for s in sizes)) if sizes else set()
        found: list[tuple[dict[str, int], Shapes]] = []
        failure = error
        samples = self.dims.samples(names) if names else []
        for sample in samples:
            try:
                found.append((sample, self._at(arrays, sample)))
            except Exception as problem:
                # The symbolic error names dims; this one says more than "undecided".
                if failure is error and (not error or "inconclusive" in str(error)):
                    failure = problem
        if not found and failure is not None and (samples or not names):
            raise self._refused(failure, arrays, symbolic=bool(names)) from failure
        if not found:
            return None
        return self._generalised(found, [s for s in sizes if not _is_number(s)])

    def _at(self, arrays: dict[str, Any], sample: dict[str, int]) -> Shapes:
        def concrete(array: Any) -> Any:
            if array is None or array is _KEY:
                return array
            shape = tuple(at_sample(s, sample) for s in array.shape)
            return jax.ShapeDtypeStruct(shape, array.dtype)

        sizes = {
            n: s if _is_number(s) else at_sample(s, sample)
            for n, s in self.sizes.items()
        }
        return self.shapes({n: concrete(a) for n, a in arrays.items()}, sizes)

    def _generalised(
        self, found: list[tuple[dict[str, int], Shapes]], sizes: list[Any]
    ) -> tuple[Flow, ...] | None:
        flows = []
        known = {s for f in self.flows.values() for s in f.shape or ()}
        for i in range(len(self.step.outputs)):
            results = [shapes[i] for _, shapes in found]
            if len({len(r.shape) for r in results}) != 1:
                return None
            shape: list[Any] = []
            for j in range(len(results[0].shape)):
                axis = [r.shape[j] for r in results]
                same = [
                    s
                    for s in sizes
                    if all(
                        at_sample(s, sample) == size
                        for (sample, _), size in zip(found, axis, strict=True)
                    )
                ]
                if same:
                    shape.append(same[0])
                elif len(set(axis)) == 1 and (len(axis) > 1 or axis[0] in known):
                    shape.append(axis[0])
                else:
                    shape.append(self.dims.fresh(undecided=True))
            flows.append(Flow(tuple(shape), results[0].dtype))
        return tuple(flows)

    def _refused(
        self, error: Exception, arrays: dict[str, Any], *, symbolic: bool
    ) -> ModelError:
        lines = [line for line in str(error).splitlines() if line.strip()]
        text = (lines[0] if lines else type(error).__name__).rstrip(". ")
        shown = []
        for name, arg in self.args.items():
            for part in arg if isinstance(arg, list) else [arg]:
                if part.source in arrays:
                    shown.append(f"{name} {describe(arrays[part.source])}")
        hint = ""
        if symbolic and isinstance(error, jax.errors.InconclusiveDimensionOperation):
            hint = "b.dim and b.constraint say what holds of dims"
        found = f"{self.op.op}: {text} (operands: {', '.join(shown) or 'none'})"
        return ModelError(Diagnostic("shape", self.path, found, hint))

    def keeps_last(self, output: int, size: int) -> bool:
        """Whether the last axis of an output is that of the operands which end in
        `size`, whatever size that is."""
        symbol = self.dims.fresh()
        arrays = {
            n: jax.ShapeDtypeStruct((*a.shape[:-1], symbol), a.dtype)
            if _ends_in(a, size)
            else a
            for n, a in self.arrays().items()
        }
        try:
            shape = self.shapes(arrays, self.sizes)[output].shape
        except Exception:
            return False
        return bool(shape) and not isinstance(shape[-1], int) and shape[-1] == symbol


def _ends_in(array: Any, size: int) -> bool:
    if array is None or not array.shape:
        return False
    last = array.shape[-1]
    return isinstance(last, int) and last == size


def _is_number(size: Any) -> bool:
    return isinstance(size, (int, float))
