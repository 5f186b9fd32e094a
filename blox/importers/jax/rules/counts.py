"""Places that count: `start + step * arange(n)`, as JAX writes slices of symbolic sizes."""

from __future__ import annotations

from typing import Any

from ...trace import Size, Value
from ...views import View, same
from ..internals import plain_size
from ..lower import Lowering
from .places import at_least


def counted_slice(
    lower: Lowering, view: View, size: Size, count: Size, mode: str
) -> slice | None:
    """The slice of an axis of this size that such places are; None where they are others,
    or may reach beyond it."""
    found = _counted(lower, view.source)
    if found is None or view.ndim != 1 or view.axes != (0,):
        return None
    start, step = found
    if not isinstance(step, int) or step < 1 or not at_least(start, 0):
        return None
    last = plain_size(start + step * (count - 1))
    if same((size - start + step - 1) // step, count):
        return slice(start, size, step)
    if at_least(size - 1 - last, 0):
        return slice(start, plain_size(last + 1), step)
    return None


def _counted(lower: Lowering, source: Any) -> tuple[Size, Size] | None:
    """Start and step of numbers that count."""
    step = lower.made.get(source) if isinstance(source, Value) else None
    if step is None:
        return None
    if step.op == "arange":
        attributes = step.attributes
        return attributes.get("start", 0), attributes.get("step", 1)
    if step.op == "flip":
        found = _counted(lower, step.operands["x"])
        if found is None or source.ndim != 1:
            return None
        start, by = found
        return plain_size(start + by * (source.shape[0] - 1)), -by
    if step.op not in ("add", "multiply", "subtract"):
        return None
    a, b = step.operands["a"], step.operands["b"]
    if step.op != "subtract" and not isinstance(a, Value):
        a, b = b, a
    found = _counted(lower, a)
    if found is None or isinstance(b, (Value, float)):
        return None
    start, by = found
    if step.op == "multiply":
        return plain_size(start * b), plain_size(by * b)
    return plain_size(start + (b if step.op == "add" else -b)), by
