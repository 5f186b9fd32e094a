"""Nodes that run functions, as source: a module per kind, as in `runtime.control`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from ...schema.op import ScopeOp
from ...schema.resolve.program import Step
from ..writer import Writer


@cache
def control(op: type[ScopeOp]) -> Callable[[Writer, Step, Any], None]:
    """`write` of the module that an op names: (writer, step, node), statements to it."""
    module: Any = import_module(f".{op.CONTROL}", __name__)
    write: Callable[[Writer, Step, Any], None] = module.write
    return write
