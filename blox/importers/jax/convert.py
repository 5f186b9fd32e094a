"""The equations of a model as a Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import blox as bx
from blox.schema.diagnostics import Diagnostic

from ..readable import readable
from ..regions import is_under, needed, params_in, tree
from ..state import assign, assignment
from ..stored import Leaf, mixed
from ..trace import Item, Param, Path, Value
from ..views import View
from ..write import write
from . import rules
from .context import Context
from .flatten import flatten
from .internals import Var
from .liveness import is_lone
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
    lowered = _lowered(source, traced, context)
    while clash := mixed(lowered.items):
        context = Context(whole=context.whole | clash)
        lowered = _lowered(source, traced, context)
    if context.missing:
        raise bx.SpecError(_missing(context, name))
    root = tree(needed(lowered.steps, [*lowered.outputs, *lowered.updates.values()]))
    root.inputs = {value: value.hint for value in traced.inputs}
    assign(root, lowered.updates)
    own = all(is_under(param.path, traced.scope) for param in params_in(root))
    root.scope = traced.scope if own else ()
    outputs = dict(zip(traced.outputs, lowered.outputs, strict=True))
    context.joined = readable(root, outputs)
    caches = source.caches if traced.flat is None else frozenset[str]()
    graph, placed = write(root, inputs, name, dims, caches)
    return graph, placed, context


@dataclass(frozen=True)
class _Lowered:
    """The steps of a trace.

    Args:
        updates: the next values of arrays that a call changes.
    """

    steps: Sequence[Item]
    outputs: list[Value]
    updates: dict[Param, Value]

    @property
    def items(self) -> list[Item]:
        """The steps, with those that change arrays at the end."""
        return [*self.steps, *(assignment(p, v) for p, v in self.updates.items())]


def _lowered(source: Source, traced: Traced, context: Context) -> _Lowered:
    """The steps of a trace, as far as they can be expressed."""
    lower, closed = Lowering(context), traced.closed
    changed = dict.fromkeys(traced.updates, "state")
    kinds: Mapping[Path, Any] = {**source.kinds, **changed}
    kept = {
        path: Param(
            tuple(array.shape),
            str(array.dtype),
            path=path,
            kind=kinds.get(path, "param"),
        )
        for path, array in traced.arrays.items()
    }
    given = map(View.of, [*kept.values(), *traced.inputs])
    variables = traced.variables or closed.jaxpr.invars
    environment = dict(zip(variables, given, strict=True))
    flat = traced.flat or flatten(closed.jaxpr, closed.consts)
    count = len(traced.outputs)
    for variable, path in zip(flat.outputs[count:], traced.updates, strict=True):
        if isinstance(variable, Var) and is_lone(flat, variable):
            context.updated[variable] = path
    found = lower.run(flat, environment)
    outputs = [lower.array(v) for v in found[:count] if v is not None]
    updates = {}
    for path, view in zip(traced.updates, found[count:], strict=True):
        if view is not None and path not in context.assigned:
            value = lower.array(view)
            if value is not kept[path]:
                updates[kept[path]] = value
    drawing = [context.rng] if context.rng else []
    return _Lowered([*drawing, *lower.items], outputs, updates)


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
            "partial= imports what one function or module computes without it",
        )
        for (reason, module), (count, line) in found.items()
    ]
