"""Nodes that run functions, as source: a module per kind, as in `runtime.control`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from ...schema.op import ScopeOp
from ...schema.resolve.program import Step
from ...schema.syntax import parsed
from ..allowlist import BASE
from ..library.allowed import Allowed
from ..writer import Writer


@cache
def control(op: type[ScopeOp]) -> Callable[[Writer, Step, Any], None]:
    """`write` of the module that an op names: (writer, step, node), statements to it."""
    write: Callable[[Writer, Step, Any], None] = _module(op).write
    return write


def emitted(ops: Iterable[type[ScopeOp]]) -> Allowed:
    """What `write` of these ops may speak of, as their modules say by `EMITS`."""
    texts = dict.fromkeys(text for op in ops for text in _module(op).EMITS)
    return Allowed.of([parsed(text) for text in texts], BASE.imports)


def _module(op: type[ScopeOp]) -> Any:
    return import_module(f".{op.CONTROL}", __name__)
