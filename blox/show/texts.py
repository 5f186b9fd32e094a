"""Texts about the parts of a model: shapes, signatures, what nodes do."""

from __future__ import annotations

from collections.abc import Sequence

from blox.schema.content import type_text
from blox.schema.known import Known
from blox.schema.resolve.program import Instance, Step
from blox.show.printable import printable

MAX_SHAPES = 48
"""Characters of the shapes that a node gives."""


def shapes_text(outputs: Sequence[Known | None]) -> str:
    """`[batch, 64]`, for several outputs one after another; `?` where calls differ."""
    texts = [_shape_text(known) for known in outputs if known is not None]
    return printable(", ".join(texts), MAX_SHAPES)


def _shape_text(known: Known) -> str:
    shape = "[...]"
    if known.shape is not None:
        shape = f"[{', '.join('?' if s is None else str(s) for s in known.shape)}]"
    return shape if known.copies is None else f"list of {known.copies} {shape}"


def signature_text(instance: Instance) -> str:
    """`(tokens int32[batch, seq], mask?, k float[batch, 8]) -> logits, k next of k`"""
    inputs = [
        f"{name}{'?' if given.optional else ''} {type_text(given)}".rstrip()
        for name, given in instance.function.inputs.items()
    ]
    outputs = []
    for name, output in instance.function.outputs.items():
        following = f"next of {output.next}" if output.next else ""
        outputs.append(" ".join(p for p in (name, type_text(output), following) if p))
    return f"({', '.join(inputs)}) -> {', '.join(outputs)}"


def kind_text(step: Step) -> str:
    """The op, and for calls what they run: `repeat block x 12, stacked`."""
    op = step.op
    names = dict.fromkeys(callee.function for callee in op.callees())
    text = " ".join([op.op, *names])
    for callee in op.callees()[:1]:
        if callee.copies is not None:
            text += f" x {callee.copies}"
        if callee.layout in ("stacked", "shared"):
            text += f", {callee.layout}"
    return text if step.live else f"{text}, unused"
