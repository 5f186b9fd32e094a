"""The format: a Graph as a Pydantic schema, its files, its checks. No JAX, no NumPy."""

from .pause import uncollected

with uncollected():
    from .content import Bounds, Function, Input, Metadata, Output
    from .diagnostics import (
        BloxError,
        Diagnostic,
        ModelError,
        Report,
        SpecError,
        WeightsError,
    )
    from .graph import Graph, from_bytes
    from .op import Op
    from .parameters import Leaf
    from .registry import op_class, op_names
    from .write.canonical import digest, to_json, to_msgpack

__all__ = [
    "BloxError",
    "Bounds",
    "Diagnostic",
    "Function",
    "Graph",
    "Input",
    "Leaf",
    "Metadata",
    "ModelError",
    "Op",
    "Output",
    "Report",
    "SpecError",
    "WeightsError",
    "digest",
    "from_bytes",
    "op_class",
    "op_names",
    "to_json",
    "to_msgpack",
]
