"""The equations of a model as a Graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import blox as bx
from blox.schema.diagnostics import Diagnostic

from ..readable import readable
from ..regions import needed, tree
from ..stored import Leaf, mixed
from ..trace import Param
from ..views import View
from ..write import write
from . import rules
from .context import Context
from .flatten import flatten
from .lower import Lowering
from .source import Source
from .trace import Bounds, Traced

__all__ = ["convert", "rules"]


def convert(
    source: Source,
    traced: Traced,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    name: str,
) -> tuple[bx.Graph, Mapping[str, Leaf], Context]:
    """The Graph of a trace, and where its arrays lie.

    Raises:
        SpecError: everything in it that no op of blox is.
    """
    context = Context()
    lower, found = _lowered(source, traced, context)
    while clash := mixed(lower.items):
        context = Context(whole=context.whole | clash)
        lower, found = _lowered(source, traced, context)
    if context.missing:
        raise bx.SpecError(_missing(context, name))
    outputs = [lower.array(v) for v in found if v is not None]
    root = tree(needed(lower.items, outputs))
    root.inputs = {value: value.hint for value in traced.inputs}
    root.scope = ()
    readable(root, dict(zip(traced.outputs, outputs, strict=False)))
    graph, placed = write(root, inputs, name, dims)
    return graph, placed, context


def _lowered(
    source: Source, traced: Traced, context: Context
) -> tuple[Lowering, list[View | None]]:
    """The steps of a trace, and what it gives."""
    lower = Lowering(context)
    kept = [
        Param(
            tuple(array.shape),
            str(array.dtype),
            path=path,
            kind=source.kinds.get(path, "param"),
        )
        for path, array in traced.arrays.items()
    ]
    closed = traced.closed
    given = map(View.of, [*kept, *traced.inputs])
    environment = dict(zip(closed.jaxpr.invars, given, strict=True))
    return lower, lower.run(flatten(closed.jaxpr, closed.consts), environment)


def _missing(context: Context, name: str) -> list[Diagnostic]:
    """What can't be expressed, each kind of it at each place once."""
    found: dict[tuple[str, str], list[Any]] = {}
    for (reason, module, line), count in context.missing.items():
        entry = found.setdefault((reason, module or name), [0, line])
        entry[0] += count
        entry[1] = entry[1] or line
    return [
        Diagnostic(
            "import-primitive",
            module,
            f"expected what an op of blox does, found {reason}"
            + (f", {count} times" if count > 1 else "")
            + (f", at {line}" if line else ""),
        )
        for (reason, module), (count, line) in found.items()
    ]
