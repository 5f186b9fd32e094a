"""Nodes of an operand that no call gives: `f.default(None, y)` is y."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from blox.schema import op_class

from .trace import Trace
from .values import Value


@contextmanager
def absent_folded(functions: Iterable[Sequence[Trace]]) -> Iterator[None]:
    """Without such nodes in the traces of each function, while it is written.

    The traces are as before behind it: with another entry the operand may be given.
    """
    functions = list(functions)
    before = [(t, t.nodes, t.outputs) for traces in functions for t in traces]
    try:
        for traces in functions:
            _fold(traces)
        yield
    finally:
        for trace, nodes, outputs in before:
            trace.nodes, trace.outputs = nodes, outputs


def _fold(traces: Sequence[Trace]) -> None:
    for name, node in list(traces[0].nodes.items()):
        cls = op_class(node.op)
        for absent, instead in cls.ABSENT.items() if cls is not None else ():
            if not any(absent in trace.nodes[name].fields for trace in traces):
                for trace in traces:
                    _replace(trace, name, trace.nodes[name].fields[instead])


def _replace(trace: Trace, name: str, value: Any) -> None:
    def replaced(part: Any) -> Any:
        if isinstance(part, Value):
            return value if part.reference == name else part
        if isinstance(part, dict):
            return {key: replaced(inner) for key, inner in part.items()}
        return [replaced(p) for p in part] if isinstance(part, list) else part

    trace.nodes = {
        n: replace(node, fields=replaced(node.fields))
        for n, node in trace.nodes.items()
        if n != name
    }
    trace.outputs = replaced(trace.outputs)
    for output, given in trace.outputs.items():
        if not isinstance(given, Value):
            trace.fault(
                f"outputs.{output}",
                f"expected a value, found the number that {name} stands for where its "
                "operand is absent",
            )
