"""The shapes of an entry in words: `tokens (batch, seq) -> logits (batch, seq, vocab).`"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ...schema.expressions import evaluate, names
from ...schema.fields import is_expression
from ...schema.known import Size
from ...schema.op import Op
from ...schema.resolve.program import Arg, Instance, Step
from ..plan import Module, Plan

COLUMNS = 84
"""Those of a line, less the indentation of a body."""
STEPS = 32
"""How many nodes back it is looked for how a size is written."""
_JOINT = "\0"
"""Stands for a space where no line ends."""
Scope = tuple[str, ...]
Shapes = list[tuple[str, str]]
"""Names, and their shapes in words; none where it isn't known."""


@dataclass
class _Places:
    """Where the nodes of functions lie, looked up once."""

    found: dict[int, tuple[dict[str, Step], dict[Scope, list[Op]]]] = field(
        default_factory=dict
    )

    def of(self, instance: Instance) -> tuple[dict[str, Step], dict[Scope, list[Op]]]:
        """The steps of a function by name, and its nodes by the scope of their arrays."""
        if id(instance) not in self.found:
            scopes: dict[Scope, list[Op]] = {}
            for name, op in instance.function.nodes.items():
                scopes.setdefault(op.scope(name), []).append(op)
            self.found[id(instance)] = {s.name: s for s in instance.live_steps}, scopes
        return self.found[id(instance)]


def shapes_line(module: Module, plan: Plan) -> str:
    """What goes in and what comes out, on one line or, where that is long, on several."""
    given = _words([*_inputs(plan)])
    outputs = [*_outputs(module, plan)]
    if not any(shape for _, shape in outputs):
        return f"{given}.".replace(_JOINT, " ") if given else ""
    found = _words(
        [("" if n == "out" and len(outputs) == 1 else n, s) for n, s in outputs]
    )
    line = f"{given} -> {found}.".strip()
    if len(line) <= COLUMNS - len('""""""'):
        return line.replace(_JOINT, " ")
    parts = [given, f"-> {found}."] if given else [f"-> {found}."]
    rows = [row for part in parts for row in textwrap.wrap(part, COLUMNS)]
    return "\n".join(rows).replace(_JOINT, " ")


def _words(shapes: Shapes) -> str:
    """`tokens (batch, seq); k, v (batch, cached, 8)`."""
    groups = groupby(shapes, key=lambda pair: pair[1])
    rows = [(", ".join(n for n, _ in pairs if n), shape) for shape, pairs in groups]
    return "; ".join(f"{row}{_JOINT}{shape}".strip(_JOINT) for row, shape in rows)


def _shape(sizes: Sequence[Size], *, is_list: bool) -> str:
    texts = ("_" if size is None else str(size).removeprefix("$") for size in sizes)
    text = f"({f',{_JOINT}'.join(texts)})"
    return (f"list of {text}" if is_list else text).replace(" ", _JOINT)


def _inputs(plan: Plan) -> Iterator[tuple[str, str]]:
    for name, given in plan.first.function.inputs.items():
        if given.shape and given.dtype != "key":
            yield name, _shape(given.shape, is_list=given.copies is not None)


def _outputs(module: Module, plan: Plan) -> Iterator[tuple[str, str]]:
    instance = plan.first
    places = _Places()
    known = module.known.get(instance, {})
    for name, arg in instance.outputs.items():
        values = known.get(arg.source or "", ())
        value = values[arg.output] if arg.output < len(values) else None
        sizes = [*value.shape] if value is not None and value.shape else []
        if not sizes or _is_as_given(instance, name, sizes):
            yield name, ""
            continue
        if isinstance(sizes[-1], int):
            sizes[-1] = _written(places, module, instance, arg, sizes[-1]) or sizes[-1]
        yield name, _shape(sizes, is_list=name in instance.output_copies)


def _is_as_given(instance: Instance, name: str, sizes: Sequence[Size]) -> bool:
    """True of an output with the shape of the input of its name, as far as it is known."""
    given = instance.function.inputs.get(name)
    shape = (given.shape if given is not None else None) or []
    same = (name in instance.input_copies) == (name in instance.output_copies)
    if "..." in shape or len(shape) != len(sizes) or not same:
        return False
    for size, text in zip(sizes, shape, strict=True):
        if is_expression(text) and all(n in instance.values for n in names(text)):
            text = evaluate(text, instance.values)
        if size is not None and size != text:
            return False
    return True


def _written(
    places: _Places, module: Module, instance: Instance, arg: Arg, size: int
) -> str | None:
    """How the Graph writes the last size of a value, if by its attributes."""
    attributes = module.program.graph.attributes

    def fits(text: str) -> bool:
        known = all(n in attributes for n in names(text))
        return known and evaluate(text, attributes) == size

    for _ in range(STEPS):
        given = instance.function.inputs.get(arg.source or "")
        if given is not None:
            last = str(given.shape[-1]) if given.shape else ""
            return last if is_expression(last) and fits(last) else None
        step = places.of(instance)[0].get(arg.source or "")
        if step is None:
            return None
        if step.callees:
            output = step.outputs[arg.output]
            instance = step.callees[-1].instance
            if output not in instance.outputs:
                return None
            arg = instance.outputs[output]
            continue
        for text in _sizes(places, instance, step.name):
            if fits(text):
                return text
        onward = [step.args.get(name) for name in step.op.CONTINUES]
        if not onward or not isinstance(onward[0], Arg):
            return None
        arg = onward[0]
    return None


def _sizes(places: _Places, instance: Instance, node: str) -> Iterator[str]:
    """What a node, or another one with its arrays, says of the size of its output."""
    op = instance.function.nodes[node]
    marks = [name for name, mark in op.fields().sizes if mark.of == "out"]
    beside = places.of(instance)[1][op.scope(node)] if marks else []
    for other in beside:
        for mark in marks:
            value = getattr(other, mark, None)
            if is_expression(value):
                yield str(value)
