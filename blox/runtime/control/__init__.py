"""Nodes that run functions, as closures: a module per kind, as in `codegen.control`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from blox.schema.op import ScopeOp
from blox.schema.resolve.program import Step

from ..trees import Act
from .base import Compiler


@cache
def control(op: type[ScopeOp]) -> Callable[[Compiler, Step, Any], Act]:
    """`compiled` of the module that an op names: (compiler, step, op) -> closure."""
    module: Any = import_module(f".{op.CONTROL}", __name__)
    compiled: Callable[[Compiler, Step, Any], Act] = module.compiled
    return compiled
