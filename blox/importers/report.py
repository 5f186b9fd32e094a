"""What an import found: how far the Graph is from its source, and what is to be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blox.schema.diagnostics import Diagnostic

TOLERANCE = 1e-4
"""The greatest difference in float32, of the greatest value, that is taken for rounding."""


@dataclass(frozen=True)
class Row:
    """How far one array of the Graph is from the source's.

    Args:
        name: of the output, or what the gradient is of.
        sizes: of the dims, by name.
        difference: the greatest, divided by the greatest value where that is above 1;
            infinite where shapes or what is no number differ.
    """

    name: str
    sizes: Mapping[str, int]
    dtype: str
    difference: float

    @property
    def is_equal(self) -> bool:
        return self.dtype != "float32" or self.difference <= TOLERANCE

    @property
    def said(self) -> str:
        """The sizes as a text."""
        return ", ".join(f"{n}={s}" for n, s in self.sizes.items()) or "fixed"


@dataclass
class Report:
    """What an import found.

    Attributes:
        rows: the differences, by output and size.
        notes: what is to be known: dtypes that it does not run in, and the like.
        layers: the classes of layers that are ops of the Graph.
        apart: those that were taken apart, as no op gives their numbers.
        derivatives: functions of which a derivative of their own is JAX's now, as
            `name at file:line`.
        decisions: what Python decided by a size or a flag, with its line.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    derivatives: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    @property
    def greatest(self) -> float:
        """The greatest difference in float32."""
        found = [r.difference for r in self.rows if r.dtype == "float32"]
        return max(found, default=0.0)

    @property
    def is_equal(self) -> bool:
        return all(row.is_equal for row in self.rows)

    @property
    def findings(self) -> list[Diagnostic]:
        """Warnings: what trains otherwise than in the source."""
        return [
            Diagnostic(
                "import-derivative",
                function,
                "expected a function whose derivative is that of what it computes, found "
                "one of its own (jax.custom_jvp, jax.custom_vjp), which no Graph has",
                "the Graph computes the same and trains by JAX's derivative; an op of "
                "your own keeps it, bx.register",
                "warning",
            )
            for function in self.derivatives
        ]

    def __str__(self) -> str:
        table = [("", "sizes", "dtype", "greatest difference")]
        table += [(r.name, r.said, r.dtype, f"{r.difference:.1e}") for r in self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        lines = lines if self.rows else ["not compared"]
        lines += [f"{n}: its own derivative is JAX's now" for n in self.derivatives]
        lines += [f"{n}: taken apart, as no op gives its numbers" for n in self.apart]
        return "\n".join([*lines, *self.decisions, *self.notes])
