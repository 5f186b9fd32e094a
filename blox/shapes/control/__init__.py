"""The shapes of nodes that run functions: a module per kind, as in `runtime.control`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from .base import Control, Rule, no_copies


def rule(node: Control[Any]) -> Rule:
    """The rule of the node's kind of control."""
    return _rule(node.op.CONTROL)(node) if node.callees else no_copies(node)


@cache
def _rule(kind: str) -> Callable[[Control[Any]], Rule]:
    module: Any = import_module(f".{kind}", __name__)
    found: Callable[[Control[Any]], Rule] = module.rule
    return found
