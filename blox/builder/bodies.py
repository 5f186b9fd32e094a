"""Calls of a function as nodes of the op that it is the body of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from blox.schema import SpecError
from blox.schema.diagnostics import Diagnostic

from .groups import Group
from .trace import Trace

Ops = Mapping[str, "Callable[..., Any] | str"]
"""The functions, or their names, by the names of ops that are no core ops."""


def named_bodies(ops: Ops, groups: Mapping[Trace, Group]) -> dict[str, str]:
    """The names of the bodies; each is a function of the Graph.

    Raises:
        SpecError: one that nothing calls, or whose calls are several functions.
    """
    found = {}
    for key, function in ops.items():
        names = dict.fromkeys(
            group.name
            for trace, group in groups.items()
            if function in (trace.function, trace.name)
        )
        if len(names) != 1:
            named = function if isinstance(function, str) else function.__name__
            have = ", ".join(names) or "none"
            raise SpecError(
                Diagnostic(
                    "builder-function",
                    f"ops.{key}",
                    f"expected one function {named} that is called, found {have}",
                )
            )
        found[key] = next(iter(names))
    return found


def with_ops(functions: dict[str, Any], ops: Mapping[str, str]) -> dict[str, Any]:
    """The functions with each call of a body as a node of its op."""
    keys = {function: key for key, function in ops.items()}
    return {
        name: {
            **function,
            "nodes": {n: _node(node, keys) for n, node in function["nodes"].items()},
        }
        for name, function in functions.items()
    }


def _node(node: dict[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    key = keys.get(node.get("function", "")) if node["op"] == "call" else None
    if key is None or node.get("remat") is not None:
        return node
    inputs, attributes = node.get("inputs", {}), node.get("attributes", {})
    params = {"params": node["params"]} if node.get("params") is not None else {}
    return {"op": key, **inputs, **attributes, **params}
