"""Nodes of an operand that no call gives: `f.default(None, y)` is y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blox.schema import op_class

from .trace import Node, Trace
from .values import Value


def fold_absent(traces: Sequence[Trace]) -> None:
    """Drops such nodes from the traces of one function."""
    for name, node in list(traces[0].nodes.items()):
        cls = op_class(node.op)
        for absent, instead in cls.ABSENT.items() if cls is not None else ():
            if not any(absent in trace.nodes[name].fields for trace in traces):
                for trace in traces:
                    _replace(trace, trace.nodes.pop(name), instead)


def _replace(trace: Trace, node: Node, instead: str) -> None:
    value = node.fields[instead]

    def replaced(part: Any) -> Any:
        if isinstance(part, Value):
            return value if part.reference == node.name else part
        if isinstance(part, dict):
            return {key: replaced(inner) for key, inner in part.items()}
        return [replaced(p) for p in part] if isinstance(part, list) else part

    for other in trace.nodes.values():
        other.fields = replaced(other.fields)
    trace.outputs = replaced(trace.outputs)
    for name, output in trace.outputs.items():
        if not isinstance(output, Value):
            trace.fault(
                f"outputs.{name}",
                f"expected a value, found the number that {node.name} stands for where "
                "its operand is absent",
            )
