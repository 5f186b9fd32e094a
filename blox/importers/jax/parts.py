"""A part of a source at the sizes at which it is compared with its Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

import blox as bx

from ..proof import sizes_of
from .part import part_of, run
from .source import Source
from .trace import Bounds, Traced, scope_of, specs_of, traced


@dataclass
class Parts:
    """A part of a source, traced at sizes as numbers, with the source's own layers.

    Args:
        inputs: of the whole source.
        without: the classes of layers that are ops of the Graph.
        partial: the name of the part.
        names: of the source's arrays.
    """

    source: Source
    inputs: Mapping[str, bx.Input]
    dims: Bounds
    without: frozenset[str]
    partial: str
    names: Sequence[str]
    found: dict[tuple[tuple[int, ...], ...], Traced] = field(default_factory=dict)

    def sizes(self, graph: bx.Graph) -> list[dict[str, int]]:
        """Sizes of the dims of the Graph's inputs, which follow from those of the source."""
        shapes = [i.shape or () for i in graph.functions["main"].inputs.values()]
        every = []
        for sizes in sizes_of(self.inputs, self.dims):
            specs = specs_of(self.inputs, scope_of({}), sizes)
            part = part_of(traced(self.source, specs, self.without), self.partial)
            own = [value.shape for value in part.inputs]
            self.found[tuple(own)] = part
            pairs = (
                (name, size)
                for axes, shape in zip(shapes, own, strict=True)
                for name, size in zip(axes, shape, strict=True)
            )
            every.append({n: int(s) for n, s in pairs if isinstance(n, str)})
        return every

    def run(self, arrays: Mapping[str, Any], given: Sequence[Any]) -> Mapping[str, Any]:
        """What the part gives."""
        part = self.found[tuple(tuple(map(int, x.shape)) for x in given)]
        placed = [arrays[n] for n in self.names]
        return run(part, placed, [jnp.asarray(x) for x in given])
