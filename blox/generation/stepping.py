"""A model's entry `step`, by the roles of its inputs.

An output with `next` is a cache: zero at the start, of the shape that its input declares.
What `step` takes beside caches, `input_ids`, `position`, `attention_mask` and
`position_ids` is what the entry `encode` gives under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from blox.runtime.build import build
from blox.schema import Graph, ModelError
from blox.schema.diagnostics import Diagnostic, listing
from blox.schema.expressions import evaluate
from blox.schema.resolve.program import Instance

STEP, ENCODE = "step", "encode"
_OWN = ("input_ids", "position", "attention_mask", "position_ids")
Caches = dict[str, Any]


@dataclass(frozen=True)
class Stepper:
    """The entry `step` of a Graph.

    Raises:
        ModelError: there is none, or it takes what nothing gives.
    """

    graph: Graph

    def __post_init__(self) -> None:
        entries = self.graph.program().entries
        if STEP not in entries:
            _refuse(
                "entries",
                f"expected an entry {STEP!r} with caches, found {listing(entries)}",
                "a causal language model of bx.from_hf has one",
            )
        inputs = self.instance.function.inputs
        lacking = [n for n in ("input_ids", "position") if n not in inputs]
        if lacking or "logits" not in self.instance.function.outputs:
            wanted = "inputs input_ids and position, and an output logits"
            found = f"{listing(inputs)} and {listing(self.instance.function.outputs)}"
            _refuse(STEP, f"expected {wanted}, found {found}")
        unknown = set(self.given) - set(self.encoded)
        if unknown:
            _refuse(
                f"{STEP}.{min(unknown)}",
                f"expected an output of that name of an entry {ENCODE!r}, found none",
            )

    @cached_property
    def instance(self) -> Instance:
        return self.graph.program().entries[STEP]

    @cached_property
    def caches(self) -> tuple[str, ...]:
        """The inputs that are caches."""
        outputs = self.instance.function.outputs.values()
        kept = {output.next for output in outputs}
        return tuple(n for n in self.instance.function.inputs if n in kept)

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The inputs that an encoder gives."""
        named = self.instance.function.inputs.items()
        return tuple(
            n
            for n, i in named
            if n not in _OWN and n not in self.caches and not i.optional
        )

    @cached_property
    def encoded(self) -> tuple[str, ...]:
        """The outputs of `encode`."""
        found = self.graph.program().entries.get(ENCODE)
        return () if found is None else tuple(found.function.outputs)

    def takes(self, name: str) -> bool:
        """True of an input that it has."""
        return name in self.instance.function.inputs

    @cached_property
    def batch(self) -> str:
        """The dim of rows."""
        shape = self.instance.function.inputs["input_ids"].shape
        return str((shape or ["batch"])[0])

    @cached_property
    def room(self) -> str | None:
        """The dim of places in the caches; None where they have none."""
        own = {"$", self.batch}
        for name in self.caches:
            for dim in self.instance.function.inputs[name].shape or ():
                if isinstance(dim, str) and dim not in own and dim.isidentifier():
                    return dim
        return None

    @cached_property
    def capacity(self) -> int | None:
        """The most places that caches may have."""
        dim = None if self.room is None else self.graph.dims.get(self.room)
        most = None if dim is None else dim.max
        if isinstance(most, str):
            return int(evaluate(most, self.instance.values))
        return most

    def axes(self) -> dict[str, int]:
        """The axis of rows of each cache, and of what an encoder gives."""
        found = {}
        for name in (*self.caches, *self.given):
            shape = list(self.instance.function.inputs[name].shape or ())
            found[name] = shape.index(self.batch) if self.batch in shape else -1
        return found

    def empty(self, params: Any, rows: int, places: int) -> Caches:
        """Zeros, of the dtypes that a step gives them."""
        sizes = {self.batch: rows, **({self.room: places} if self.room else {})}
        sizes = {**sizes, **self.instance.values}
        dtype = next(
            a.dtype
            for a in jax.tree.leaves(params)
            if jnp.issubdtype(a.dtype, jnp.floating)
        )
        found: Caches = {}
        for name in self.caches:
            declared = self.instance.function.inputs[name]
            shape = [
                dim
                if isinstance(dim, int)
                else sizes[dim]
                if dim in sizes
                else int(evaluate(dim, sizes))
                for dim in declared.shape or ()
            ]
            own = dtype if declared.dtype == "float" else jnp.dtype(declared.dtype)
            count = self.instance.input_copies.get(name)
            zeros = jnp.zeros(shape, own)
            found[name] = zeros if count is None else [zeros + 0 for _ in range(count)]
        return found

    def run(
        self,
        params: Any,
        ids: Array,
        at: Array,
        caches: Caches,
        real: Array,
        given: Mapping[str, Any],
    ) -> tuple[Array, Caches]:
        """Scores of what comes after `ids`, and the next caches.

        Args:
            params: of the model.
            ids: (rows, n), which go to the places from `at` on.
            at: how many places are used.
            caches: so far.
            real: (rows, places), 0 where a place is padding.
            given: by an encoder.
        """
        places = at + jnp.arange(ids.shape[1])
        own: dict[str, Any] = {"input_ids": ids, "position": at}
        if self.takes("attention_mask"):
            own["attention_mask"] = real
        if self.takes("position_ids"):
            count = jnp.cumsum(real, axis=1) - 1
            own["position_ids"] = jnp.maximum(jnp.take(count, places, axis=1), 0)
        model = build(self.graph, STEP)
        found, _ = model(params, **own, **caches, **given)
        return found["logits"][:, -1], {
            output.next: found[name]
            for name, output in self.instance.function.outputs.items()
            if output.next is not None
        }


def chosen_rows(arrays: Mapping[str, Any], axes: Mapping[str, int], rows: Array) -> Any:
    """The caches of some rows, each by its number."""
    return {
        name: array
        if axes[name] < 0
        else jax.tree.map(lambda a, axis=axes[name]: jnp.take(a, rows, axis), array)
        for name, array in arrays.items()
    }


def _refuse(path: str, message: str, hint: str = "") -> Any:
    raise ModelError(Diagnostic("generation-model", path, message, hint))


__all__: Sequence[str] = ["ENCODE", "STEP", "Caches", "Stepper", "chosen_rows"]
